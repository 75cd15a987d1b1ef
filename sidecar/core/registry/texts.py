"""Owns which session a chat message counts for: text carries an identity and no sid.

A person may send before the server announces them (livekit-server batches announcements for up to
3 s), and a long message may end after its session did. Does not know sessions.
"""

from __future__ import annotations

from collections import deque

KEPT_S = 5.0
MAX_KEPT = 1_000
MAX_CLOSED = 4_096


class Texts:
    """Messages of people not announced yet, and when an identity's last session closed."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: deque[tuple[str, float]] = deque(maxlen=MAX_KEPT)
        self._closed_s: dict[str, float] = {}

    def take(
        self, identity: str, opened_s: float, now_s: float, session_opened_s: float | None
    ) -> bool:
        """Take a message that began at *opened_s*; True when it counts for the session open now.

        *session_opened_s* is None while the identity has no open session: the message is then
        kept for its next one, unless it belongs to one that is closed.
        """
        if session_opened_s is not None and session_opened_s <= opened_s:
            return True
        if opened_s <= self._closed_s.get(identity, float("-inf")):
            return False
        if session_opened_s is not None:
            return True
        self._kept.append((identity, now_s))
        return False

    def claim(self, identity: str, now_s: float) -> int:
        """How many messages were kept for *identity*, whose session opens now."""
        self.expire(now_s)
        mine = sum(1 for who, _ in self._kept if who == identity)
        if self._kept:
            rest = [each for each in self._kept if each[0] != identity]
            self._kept = deque(rest, maxlen=MAX_KEPT)
        return mine

    def deadline(self) -> float | None:
        """Attended seconds at which `expire` has something to drop; None while nothing is kept.

        Somebody must look at the clock until then: time that nobody looks at is not attended.
        """
        return self._kept[0][1] + KEPT_S if self._kept else None

    def expire(self, now_s: float) -> None:
        """Drop what was kept for too long."""
        while self._kept and self._kept[0][1] + KEPT_S <= now_s:
            self._kept.popleft()

    def closed(self, identity: str, now_s: float) -> None:
        """The identity's session closed."""
        self._closed_s.pop(identity, None)
        self._closed_s[identity] = now_s
        if len(self._closed_s) > MAX_CLOSED:
            del self._closed_s[next(iter(self._closed_s))]
