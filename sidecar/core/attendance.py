"""Owns whether people are in the agent's room, or about to join it, as far as the agent knows.

With `join: 'needed'` the agent is in the room only then. Does not know the source of this news,
nor how the agent joins and leaves.
"""

from __future__ import annotations

EXPECTED_S = 20.0
"""Attended seconds for which a page with a new token is expected. The server's list shows a page
that takes longer."""
EXPECTED_UNSEEN_S = 600.0
"""The same for an agent that may not read the server's list: the default life of such a token."""
MAX_EXPECTED = 1_024
"""People expected at the same time; the earliest is forgotten."""


class Attendance:
    """People who are there, and people who are expected. All times are attended seconds."""

    def __init__(self) -> None:
        """Know of no person."""
        self.is_person_there = False
        """Whether a person was in the room when the agent last knew who is there."""
        self._expected: dict[str, float] = {}
        """Until when each identity is expected, in the order of the calls."""
        self.empty_since_s: float | None = None
        """Since when the agent is in the room without a session; None if it is not."""

    def expect(self, identity: str, now_s: float, *, is_list_known: bool) -> None:
        """Note that *identity* has a token.

        *is_list_known*: the agent may read the server's list.
        """
        self._expected.pop(identity, None)
        if len(self._expected) >= MAX_EXPECTED:
            del self._expected[next(iter(self._expected))]
        self._expected[identity] = now_s + (EXPECTED_S if is_list_known else EXPECTED_UNSEEN_S)

    def left(self, identity: str) -> None:
        """Note that the session of *identity* closed."""
        self._expected.pop(identity, None)

    def expected(self, now_s: float) -> tuple[str, ...]:
        """Return the identities that have a token and have not left since."""
        return tuple(who for who, until_s in self._expected.items() if until_s > now_s)

    def is_needed(self, now_s: float) -> bool:
        """Return whether a person is there, or expected."""
        return self.is_person_there or bool(self.expected(now_s))

    def leave_at_s(self, leave_after_s: float) -> float | None:
        """Return when the agent may leave its empty room, *leave_after_s* after the last session.

        None if a session is open, or if the agent is not in the room.
        """
        if self.empty_since_s is None:
            return None
        return max((self.empty_since_s + leave_after_s, *self._expected.values()))
