"""Owns the deadlines of the stays: which are set, which runs when, and which have passed.

A hold or an active deadline runs only while the link to the room is up; an outage and a removal run
always. Does not know what happens when a deadline has passed.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from enum import Enum, auto
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


def earliest(*times_s: float | None) -> float | None:
    """The first of *times_s*; None where there is none."""
    found: float | None = None
    for each_s in times_s:
        if each_s is not None and (found is None or each_s < found):
            found = each_s
    return found


class Deadlines(Generic[Key]):
    """At most one deadline a key; setting and cancelling cost O(log n) at ten thousand of them."""

    def __init__(self) -> None:
        """Start empty."""
        self._due_s: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = 0

    def __contains__(self, key: Key) -> bool:
        """Whether *key* has a deadline."""
        return key in self._due_s

    def due(self, key: Key) -> float | None:
        """When *key* is due, or None."""
        return self._due_s.get(key)

    def set(self, key: Key, due_s: float) -> None:
        """Let *key* be due at *due_s*, instead of when it was due before."""
        if self._due_s.get(key) == due_s:
            return
        self._due_s[key] = due_s
        self._order += 1
        heapq.heappush(self._heap, (due_s, self._order, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._due_s):
            self._sweep()

    def cancel(self, key: Key) -> None:
        """Forget *key*; nothing happens when it has no deadline."""
        self._due_s.pop(key, None)

    def earliest(self) -> float | None:
        """The next due time, or None."""
        while self._heap and not self._is_current(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def passed(self, now_s: float) -> Iterator[Key]:
        """Take out and yield, earliest first, each key that is due at *now_s*."""
        while (due_s := self.earliest()) is not None and due_s <= now_s:
            key = heapq.heappop(self._heap)[2]
            del self._due_s[key]
            yield key

    def _is_current(self, entry: tuple[float, int, Key]) -> bool:
        return self._due_s.get(entry[2]) == entry[0]

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if self._is_current(entry)]
        heapq.heapify(self._heap)


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
        self.is_up = False
        """Whether our Room is connected; a reconnect of the SDK's own is not up."""
        self.link_number = 0
        """Grows each time the link comes up: while it is up, an equal number means no loss."""
        self.outage_reason = 0
        """LiveKit's number for the end of our Room with which the outage under way began."""
        self._attended: Deadlines[tuple[Due, str]] = Deadlines()
        self._linked: Deadlines[tuple[Due, str]] = Deadlines()
        self._deadlines = {True: self._linked, False: self._attended}
        """By whether the link holds them up."""
        self._linked_s = 0.0
        self._up_since_s = 0.0

    def up(self, now_s: float) -> None:
        """The link is up: held-up deadlines go on, the outage is over."""
        if not self.is_up:
            self.is_up = True
            self.link_number += 1
            self._up_since_s = now_s
        self.end_outage()

    def down(self, now_s: float) -> None:
        """The link is down: holds and active deadlines stand still."""
        if self.is_up:
            self._linked_s += now_s - self._up_since_s
        self.is_up = False

    def start_outage(self, now_s: float, reason: int = 0) -> None:
        """Start the outage's 45 s; nothing while one runs already.

        *reason* is LiveKit's number for the end of our Room, 0 for none.
        """
        if not self.has(Due.OUTAGE, _NO_SID):
            self.outage_reason = reason
            self.set(Due.OUTAGE, _NO_SID, now_s)

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
        return (due, sid) in self._deadlines[due in WHILE_UP]

    def cancel(self, due: Due, sid: str) -> None:
        """Forget one deadline."""
        self._deadlines[due in WHILE_UP].cancel((due, sid))

    def forget(self, sid: str) -> None:
        """Forget all deadlines of *sid*."""
        for due in Due:
            if due is not Due.OUTAGE:
                self.cancel(due, sid)

    def earliest(self) -> float | None:
        """Attended seconds of the next deadline that can come about as things stand."""
        found = self._attended.earliest()
        if self.is_up and (linked_s := self._linked.earliest()) is not None:
            found = earliest(found, self._up_since_s + linked_s - self._linked_s)
        return found

    def passed(self, now_s: float) -> Iterator[tuple[Due, str]]:
        """Take out and yield what is due."""
        yield from self._attended.passed(now_s)
        if self.is_up:
            # The same sum as in `earliest`, with a hair's breadth for its rounding.
            yield from self._linked.passed(self._linked_now_s(now_s) + 1e-6)

    def _linked_now_s(self, now_s: float) -> float:
        if not self.is_up:
            return self._linked_s
        return self._linked_s + now_s - self._up_since_s
