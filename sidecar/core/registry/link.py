"""Owns the state of our link to the room, and the deadlines that it holds up.

A hold or an active deadline runs only while the link is up; an outage and a removal run always.
Does not know what a deadline is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from sidecar.core.registry.deadlines import Deadlines


class Link(Enum):
    """Of our Room."""

    UP = auto()
    SHAKY = auto()
    """The SDK is reconnecting."""
    DOWN = auto()
    """There is no Room."""


class Due(Enum):
    """What a deadline is for."""

    HOLD = auto()
    ACTIVE = auto()
    REMOVAL = auto()
    OUTAGE = auto()


SNAPSHOT_HOLD_S = 3.0
"""The hold of one missing from a snapshot: the server announces in batches, every 3 s
(livekit-server pkg/rtc/room.go, subscriberUpdateInterval)."""

RUNS_S: dict[Due, float] = {
    # A leave without reason may be our own full reconnect: the same sid is back within this.
    Due.HOLD: 2.0,
    # The server itself gives up on one who is not active after 60 s; until then: `error`.
    Due.ACTIVE: 30.0,
    # After the server agreed to remove someone, its leave is here by then, or is not needed.
    Due.REMOVAL: 5.0,
    # The promise's limit: a stay during which we were away for longer is closed.
    Due.OUTAGE: 45.0,
}
"""Seconds each runs, unless said otherwise."""

WHILE_UP = frozenset({Due.HOLD, Due.ACTIVE})
"""What our own link holds up; the others run always."""
_NO_SID = ""


class LinkClock:
    """Deadlines by (what for, sid), on attended time and on the time that the link was up."""

    def __init__(self) -> None:
        """Start with the link down and no deadline."""
        self.link = Link.DOWN
        self.link_number = 0
        """Grows each time the link changes: two equal numbers mean it did not in between."""
        self._attended: Deadlines[tuple[Due, str]] = Deadlines()
        self._linked: Deadlines[tuple[Due, str]] = Deadlines()
        self._linked_s = 0.0
        self._up_since_s = 0.0

    def up(self, now_s: float) -> None:
        """The link is up: held-up deadlines go on, the outage is over."""
        if self.link is not Link.UP:
            self.link = Link.UP
            self.link_number += 1
            self._up_since_s = now_s
        self.end_outage()

    def down(self, link: Link, now_s: float) -> None:
        """The link is shaky or down: holds and active deadlines stand still."""
        if self.link is Link.UP:
            self._linked_s += now_s - self._up_since_s
        if self.link is not link:
            self.link_number += 1
        self.link = link

    def start_outage(self, now_s: float) -> bool:
        """Let an outage be over some time from now; False when one runs already."""
        if self.has(Due.OUTAGE, _NO_SID):
            return False
        self.set(Due.OUTAGE, _NO_SID, now_s)
        return True

    def outage_began(self, began_s: float) -> None:
        """The outage under way began at *began_s*, attended seconds: before our time, perhaps."""
        self.set(Due.OUTAGE, _NO_SID, began_s)

    def is_outage_over(self, now_s: float) -> bool:
        """Whether an outage has lasted for too long."""
        due_s = self._attended.due((Due.OUTAGE, _NO_SID))
        return due_s is not None and due_s <= now_s

    def end_outage(self) -> None:
        """The outage, if any, is over."""
        self.cancel(Due.OUTAGE, _NO_SID)

    def set(self, due: Due, sid: str, now_s: float, after_s: float | None = None) -> None:
        """Due *after_s* seconds from now, of attended time or of those that the link is up."""
        runs_s = RUNS_S[due] if after_s is None else after_s
        if due in WHILE_UP:
            self._linked.set((due, sid), self._linked_now_s(now_s) + runs_s)
        else:
            self._attended.set((due, sid), now_s + runs_s)

    def has(self, due: Due, sid: str) -> bool:
        """Whether this deadline is set."""
        return (due, sid) in self._linked or (due, sid) in self._attended

    def cancel(self, due: Due, sid: str) -> None:
        """Forget one deadline."""
        self._linked.cancel((due, sid))
        self._attended.cancel((due, sid))

    def forget(self, sid: str) -> None:
        """Forget all deadlines of *sid*."""
        for due in Due:
            if due is not Due.OUTAGE:
                self.cancel(due, sid)

    def earliest(self) -> float | None:
        """Attended seconds of the next deadline that can come about as things stand."""
        found = self._attended.earliest()
        if self.link is Link.UP and (linked_s := self._linked.earliest()) is not None:
            due_s = self._up_since_s + linked_s - self._linked_s
            found = due_s if found is None else min(found, due_s)
        return found

    def passed(self, now_s: float) -> Iterator[tuple[Due, str]]:
        """Take out and yield what is due."""
        yield from self._attended.passed(now_s)
        if self.link is Link.UP:
            # The same sum as in `earliest`, with a hair's breadth for its rounding.
            yield from self._linked.passed(self._linked_now_s(now_s) + 1e-6)

    def _linked_now_s(self, now_s: float) -> float:
        if self.link is not Link.UP:
            return self._linked_s
        return self._linked_s + now_s - self._up_since_s
