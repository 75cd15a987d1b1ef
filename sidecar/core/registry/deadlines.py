"""Owns named points in time: set, cancel, the earliest, and which have passed.

Does not know what they are for, nor on which clock they are counted.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


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
