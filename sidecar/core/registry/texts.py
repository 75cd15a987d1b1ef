"""Owns the choice of the session that a chat message counts for: text has an identity, no sid.

A message may come before its sender is announced: livekit-server batches announcements for up to
3 s. A long message may end after its session has closed. Does not know sessions.
"""

from __future__ import annotations

from collections import deque

KEPT_S = 5.0
"""Attended seconds for which a message waits for its session."""
MAX_KEPT = 1_000
"""Kept messages; the oldest is dropped first."""
MAX_CLOSED = 4_096
"""Remembered closes; the oldest is dropped first."""


class Texts:
    """Keeps messages that came before their session, and when each identity's session closed."""

    def __init__(self) -> None:
        """Start empty."""
        self.kept: deque[tuple[str, float]] = deque(maxlen=MAX_KEPT)
        """Each message that waits: its sender, and when it came. Only this class changes it."""
        self._closed_s: dict[str, float] = {}

    def take(
        self, identity: str, opened_s: float, now_s: float, session_opened_s: float | None
    ) -> bool:
        """Take a message that began at *opened_s*; True if it counts for the open session.

        Pass `session_opened_s=None` if the identity has no open session. The message is then kept
        for the next session, unless it began before the last session closed. All times are attended
        seconds.
        """
        if session_opened_s is not None and session_opened_s <= opened_s:
            return True
        if opened_s <= self._closed_s.get(identity, float("-inf")):
            return False
        if session_opened_s is not None:
            return True
        self.kept.append((identity, now_s))
        return False

    def claim(self, identity: str, now_s: float) -> int:
        """Remove the messages kept for *identity* and count them. Call when its session opens."""
        self.expire(now_s)
        rest = [each for each in self.kept if each[0] != identity]
        mine = len(self.kept) - len(rest)
        self.kept = deque(rest, maxlen=MAX_KEPT)
        return mine

    def deadline(self) -> float | None:
        """Return the attended seconds at which to call `expire`; None if no message is kept.

        Keep a timer for it: attended time advances only while the caller reads the clock.
        """
        return self.kept[0][1] + KEPT_S if self.kept else None

    def expire(self, now_s: float) -> None:
        """Drop the messages kept for 5 s or longer."""
        while self.kept and self.kept[0][1] + KEPT_S <= now_s:
            self.kept.popleft()

    def closed(self, identity: str, now_s: float) -> None:
        """Record that the identity's session closed at *now_s*, attended seconds."""
        self._closed_s.pop(identity, None)
        self._closed_s[identity] = now_s
        if len(self._closed_s) > MAX_CLOSED:
            del self._closed_s[next(iter(self._closed_s))]
