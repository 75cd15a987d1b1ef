"""Owns how often a `wake` counts: the first at once, later ones together, once a second.

A page can send any number of wakes. Does not know their effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

WAKE_EVERY_S = 1.0
"""Seconds between two wakes that count."""


class Wakes:
    """Calls *wake* at once, and once more after a second if it was asked for meanwhile."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Start awake."""
        self._wake = wake
        self._rest: asyncio.TimerHandle | None = None
        self._is_asked = False

    def ask(self) -> None:
        """Wake now, or when the second since the last wake is over."""
        if self._rest is not None:
            self._is_asked = True
            return
        self._rest = asyncio.get_running_loop().call_later(WAKE_EVERY_S, self._over)
        self._wake()

    def _over(self) -> None:
        self._rest = None
        is_asked, self._is_asked = self._is_asked, False
        if is_asked:
            self.ask()
