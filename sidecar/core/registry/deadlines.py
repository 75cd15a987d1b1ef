"""Owns the deadlines of the stays: sets them, pauses them, and yields them once they have passed.

A hold or an active deadline runs only while the link to the room is up. An outage and a removal run
always. Does not know the effect of a passed deadline.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterator
from enum import IntEnum, auto
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def earliest(*times_s: float | None) -> float | None:
    """Return the smallest of *times_s* that is not None; None if all are None."""
    found: float | None = None
    for each_s in times_s:
        if each_s is not None and (found is None or each_s < found):
            found = each_s
    return found


class Deadlines(dict[Key, float]):
    """The due time of each key. Use `set`, not `[]`, to set one: it costs O(log n)."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._heap: list[tuple[float, int, Key]] = []
        self._order = 0

    def set(self, key: Key, due_s: float) -> None:
        """Set the deadline of *key* to *due_s*; replaces an earlier deadline."""
        if self.get(key) == due_s:
            return
        self[key] = due_s
        self._order += 1
        heapq.heappush(self._heap, (due_s, self._order, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self):
            self._heap = [each for each in self._heap if self.get(each[2]) == each[0]]
            heapq.heapify(self._heap)

    def earliest(self) -> float | None:
        """Return the earliest deadline, or None."""
        while self._heap:
            due_s, _, key = self._heap[0]
            if self.get(key) == due_s:
                return due_s
            heapq.heappop(self._heap)
        return None

    def take_passed(self, now_s: float) -> Iterator[Key]:
        """Remove and yield each key due at *now_s*, earliest first."""
        while (due_s := self.earliest()) is not None and due_s <= now_s:
            key = heapq.heappop(self._heap)[2]
            del self[key]
            yield key


class Due(IntEnum):
    """The kinds of deadline. Numbers: Python hashes the members of a plain Enum slowly."""

    HOLD = auto()
    ACTIVE = auto()
    REMOVAL = auto()
    OUTAGE = auto()
    UPDATE = auto()


SNAPSHOT_HOLD_S = 3.0
"""The hold of a session absent from a snapshot: the server announces in batches, every 3 s
(livekit-server pkg/rtc/room.go, subscriberUpdateInterval)."""

RUNS_S: dict[Due, float] = {
    # A leave without a reason may be our own full reconnect: then the same sid is back within 2 s.
    Due.HOLD: 2.0,
    # After this the session shows `error`. The server drops an inactive participant after 60 s.
    Due.ACTIVE: 30.0,
    # The server agreed to the removal. After this the session closes without waiting for the leave.
    Due.REMOVAL: 5.0,
    # The limit of the promise: a session closes when the agent was away from the room for longer.
    Due.OUTAGE: 45.0,
    # Ten updates of a session were announced; the next one waits until the first is this old.
    Due.UPDATE: 1.0,
}
"""Seconds that each kind runs, unless the caller passes another length."""

WHILE_UP = frozenset({Due.HOLD, Due.ACTIVE})
"""The kinds that pause while our link is down. The other kinds run always."""
_NO_SID = ""


class LinkClock:
    """Holds the deadlines by kind and sid. The kinds in WHILE_UP pause while the link is down."""

    def __init__(self) -> None:
        """Start with the link down and no deadline."""
        self.is_up = False
        """Whether our Room is connected; False while the SDK reconnects."""
        self.link_number = 0
        """Counts how often the link came up. If it is up and the number is unchanged, the link
        was not lost meanwhile."""
        self.outage_reason = 0
        """LiveKit's reason for the end of our Room that began the current outage; 0 if none."""
        self._attended: Deadlines[tuple[Due, str]] = Deadlines()
        self._linked: Deadlines[tuple[Due, str]] = Deadlines()
        self._deadlines = {True: self._linked, False: self._attended}
        """True: the deadlines that pause while the link is down."""
        self._paused_s = 0.0
        """For how long the link has been down; a time less this is one of `_linked`."""
        self._down_since_s = 0.0
        """Infinite while the link is up."""

    def up(self, now_s: float) -> None:
        """Mark the link up: paused deadlines continue, the outage ends."""
        if not self.is_up:
            self.is_up = True
            self.link_number += 1
            self._paused_s += now_s - self._down_since_s
            self._down_since_s = math.inf
        self.end_outage()

    def down(self, now_s: float) -> None:
        """Mark the link down: holds and active deadlines pause."""
        if self.is_up:
            self._down_since_s = now_s
        self.is_up = False

    def start_outage(self, now_s: float, reason: int = 0) -> None:
        """Start the 45 s of an outage, unless an outage runs already.

        *reason* is LiveKit's reason for the end of our Room, or 0.
        """
        if not self.has(Due.OUTAGE, _NO_SID):
            self.outage_reason = reason
            self.set(Due.OUTAGE, _NO_SID, now_s)

    def outage_began(self, began_s: float) -> None:
        """Set the outage to have begun at *began_s*, attended seconds.

        Negative if it began before this process did.
        """
        self.set(Due.OUTAGE, _NO_SID, began_s)

    def is_outage_over(self, now_s: float) -> bool:
        """Return whether an outage has lasted for 45 s or more."""
        due_s = self._attended.get((Due.OUTAGE, _NO_SID))
        return due_s is not None and due_s <= now_s

    def end_outage(self) -> None:
        """Cancel the outage deadline."""
        self.cancel(Due.OUTAGE, _NO_SID)

    def set(self, due: Due, sid: str, now_s: float, after_s: float | None = None) -> None:
        """Set the deadline *due* of *sid* to *after_s* seconds from *now_s*, attended seconds.

        The length is that of RUNS_S by default. Only seconds with the link up count for WHILE_UP.
        """
        runs_s = RUNS_S[due] if after_s is None else after_s
        if due in WHILE_UP:
            linked_s = min(now_s, self._down_since_s) - self._paused_s
            self._linked.set((due, sid), linked_s + runs_s)
        else:
            self._attended.set((due, sid), now_s + runs_s)

    def has(self, due: Due, sid: str) -> bool:
        """Return whether the deadline *due* of *sid* is set."""
        return (due, sid) in self._deadlines[due in WHILE_UP]

    def cancel(self, due: Due, sid: str) -> None:
        """Cancel the deadline *due* of *sid*, if it is set."""
        self._deadlines[due in WHILE_UP].pop((due, sid), None)

    def forget(self, sid: str) -> None:
        """Cancel all deadlines of *sid*."""
        for due in WHILE_UP:
            self._linked.pop((due, sid), None)
        for due in (Due.REMOVAL, Due.UPDATE):
            self._attended.pop((due, sid), None)

    def earliest(self) -> float | None:
        """Return the attended seconds of the next deadline; paused deadlines do not count."""
        attended_s = self._attended.earliest()
        linked_s = self._linked.earliest() if self.is_up else None
        if linked_s is None:
            return attended_s
        linked_s += self._paused_s
        return linked_s if attended_s is None else min(attended_s, linked_s)

    def take_passed(self, now_s: float) -> Iterator[tuple[Due, str]]:
        """Remove and yield each deadline that has passed at *now_s*, attended seconds."""
        yield from self._attended.take_passed(now_s)
        if self.is_up:
            # The same sum as in `earliest`; the 1 µs covers rounding.
            yield from self._linked.take_passed(now_s - self._paused_s + 1e-6)
