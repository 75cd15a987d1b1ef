"""Owns the queue of answers and notifications to write: keeps their order, bounds their size.

Merges `session-updated` notifications when the reader is slow. Thread-safe. Does not know bytes,
JSON or file descriptors.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from sidecar.core.contract.messages import AgentSession, Notification, SessionUpdated

MERGE_BYTES = 8 * 1024 * 1024
"""Above this, a newer `session-updated` replaces the queued one of the same session."""
MAX_BYTES = 64 * 1024 * 1024
"""Above this, `put` returns False: the reader will not catch up."""

_FRAME_BYTES = 700
"""Roughly the size of a notification without the texts that participants chose."""

Item = bytes | Notification
"""An encoded answer, or a notification, which the writer encodes."""


class Outbox:
    """A queue between two threads: the loop puts items in, the writer's thread takes them out."""

    def __init__(self) -> None:
        """Make an empty, open queue."""
        self._items: OrderedDict[int, tuple[Item, int]] = OrderedDict()
        self._updates: dict[str, int] = {}
        self._next = 0
        self._bytes = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Queue *item*. Returns False when more than MAX_BYTES wait: end the process then."""
        with self._changed:
            if isinstance(item, SessionUpdated):
                item = self._merged(item)
                self._updates[item.session.session_id] = self._next
            weight = _weight(item)
            self._items[self._next] = (item, weight)
            self._next += 1
            self._bytes += weight
            self._changed.notify()
            return self._bytes <= MAX_BYTES

    def take(self) -> Item | None:
        """Remove and return the oldest item; wait until there is one.

        Returns None when the queue is closed and empty.
        """
        with self._changed:
            while not self._items and not self._is_closed:
                self._changed.wait()
            if not self._items:
                return None
            key, (item, weight) = self._items.popitem(last=False)
            self._bytes -= weight
            if isinstance(item, SessionUpdated):
                if self._updates.get(item.session.session_id) == key:
                    del self._updates[item.session.session_id]
            return item

    def close(self) -> None:
        """End the queue: `take` returns the remaining items, then None. Do not call `put` again."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _merged(self, newer: SessionUpdated) -> SessionUpdated:
        # Drops the older seq on purpose: the gap tells a consumer to call `listSessions`.
        key = self._updates.get(newer.session.session_id)
        if key is None or self._bytes <= MERGE_BYTES:
            return newer
        older, weight = self._items.pop(key)
        self._bytes -= weight
        if not isinstance(older, SessionUpdated):
            return newer
        return replace(newer, changed=tuple(dict.fromkeys(older.changed + newer.changed)))


def _weight(item: Item) -> int:
    if isinstance(item, bytes):
        return len(item)
    session: AgentSession | None = getattr(item, "session", None)
    if session is None:
        return _FRAME_BYTES
    texts = 2 * len(session.session_id) + len(session.name) + len(session.metadata)
    return _FRAME_BYTES + texts + sum(len(k) + len(v) for k, v in session.attributes.items())
