"""Owns the events of one session: numbers them, and ends them with the session.

Safe on any thread. Does not know the wire.
"""

from __future__ import annotations

import threading

from sidecar.core.contract.messages import SessionEvent
from sidecar.core.contract.wire import EncodedJson
from sidecar.voice.ports import Tell

MAX_CONTENT_BYTES = 64 * 1024
MAX_NAME_BYTES = 256


class Events:
    """The events of one session, numbered from 1. None follows after `end`."""

    def __init__(self, session_id: str, epoch: str, tell: Tell) -> None:
        """Start at number 1."""
        self._session_id = session_id
        self._epoch = epoch
        self._tell = tell
        self._number = 0
        self._has_ended = False
        self._lock = threading.Lock()

    def emit(self, name: str, content: object) -> None:
        """Tell the app an event.

        Raises:
            ValueError: JSON cannot express *content*, it is over 64 KiB, or *name* is no name.
        """
        if (
            not isinstance(name, str)
            or not 0 < len(name.encode("utf-8", "ignore")) <= MAX_NAME_BYTES
        ):
            raise ValueError(f"an event's name has 1 to {MAX_NAME_BYTES} bytes, not {name!r:.60}")
        encoded = EncodedJson(content, MAX_CONTENT_BYTES)
        with self._lock:
            if self._has_ended:
                return
            self._number += 1
            told = SessionEvent(self._session_id, name, encoded, self._number, self._epoch)
            self._tell(told)

    def end(self) -> None:
        """Drop later events: the session is closing."""
        with self._lock:
            self._has_ended = True
