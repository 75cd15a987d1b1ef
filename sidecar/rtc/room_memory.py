"""Owns the look at the memory that a Room takes: LiveKit's native layer gives some back only then.

It keeps 3 KB for each stream that its sender never ends, and for each call of a method that the
agent does not have, until the agent leaves the Room. Does not know Rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_S = 10.0
GROWS_BYTES = 512 * 1024 * 1024
"""How much the process may grow in one Room. 10,000 participants with all texts take it once."""


class RoomMemory:
    """Watches the memory of the process from `start` to `stop`; both on the loop."""

    def __init__(
        self,
        rss_bytes: Callable[[], int],
        on_overgrown: Callable[[], None],
        look_s: float = LOOK_S,
    ) -> None:
        """Call *on_overgrown* each time that *rss_bytes* has grown by GROWS_BYTES."""
        self._rss_bytes = rss_bytes
        self._on_overgrown = on_overgrown
        self._look_s = look_s
        self._first_bytes = 0
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin: the memory of this moment is none of the Room's."""
        self._first_bytes = self._rss_bytes()
        self._next = asyncio.get_running_loop().call_later(self._look_s, self._look)

    def stop(self) -> None:
        """End. Safe to call twice."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _look(self) -> None:
        self._next = asyncio.get_running_loop().call_later(self._look_s, self._look)
        if self._rss_bytes() - self._first_bytes > GROWS_BYTES:
            self._first_bytes = self._rss_bytes()
            self._on_overgrown()
