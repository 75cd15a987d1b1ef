"""Owns what waits to be written: in order, bounded, updates merged where the reader is slow.

Thread-safe. Does not know bytes, JSON or file descriptors.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from sidecar.core.contract.messages import AgentSession, Notification, SessionUpdated

MERGE_BYTES = 8 * 1024 * 1024
"""Over this, a session's waiting update makes place for its newer one."""
MAX_BYTES = 64 * 1024 * 1024
"""Over this the reader is beyond help."""

_FRAME_BYTES = 700
"""About what a notification takes beside the texts that participants chose."""

Item = bytes | Notification
"""An answer, encoded; or a notification, encoded when it is written."""


class Outbox:
    """A queue with two ends: the loop puts, the writer's thread takes."""

    def __init__(self) -> None:
        """Start empty and open."""
        self._items: OrderedDict[int, tuple[Item, int]] = OrderedDict()
        self._updates: dict[str, int] = {}
        self._next = 0
        self._bytes = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Queue *item*; False when that is more than the reader will ever read."""
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
        """The oldest item; waits for one. None when closed and empty."""
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
        """Nothing more will be put: `take` gives what is left, then None."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _merged(self, newer: SessionUpdated) -> SessionUpdated:
        # The older seq is lost, on purpose: the gap tells consumers to ask for the list.
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
