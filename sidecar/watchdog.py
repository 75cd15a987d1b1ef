"""Owns the watchdog: ends the process when the event loop is stuck for 30 s.

A stuck loop would keep sessions open for ever. When the process ends, the bridge starts a new one,
which resumes the sessions. Does not know the work of the loop.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import threading
from collections.abc import Callable

from sidecar import tasks

STUCK_S = 30.0
"""Seconds of attended time: the time in which the process was suspended does not count."""
LOOK_S = 1.0
"""Seconds between two beats of the loop, and between two checks of the thread."""


class Watchdog:
    """Checks each second, on its own thread, that the loop still runs its timers."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_stuck: Callable[[], None] | None = None,
        stuck_s: float = STUCK_S,
    ) -> None:
        """Watch *loop*; `start` begins.

        *on_stuck* is called on the thread after *stuck_s* without a beat of the loop. The default
        writes all stacks to stderr and ends the process.
        """
        self._loop = loop
        self._on_stuck = on_stuck or _end
        self._stuck_s = stuck_s
        self._beats = 0

    def start(self) -> None:
        """Start the thread. Call it on the loop's thread."""
        self._beat()
        tasks.start_thread("watchdog", self._watch)

    def _beat(self) -> None:
        self._beats += 1
        self._loop.call_later(LOOK_S, self._beat)

    def _watch(self) -> None:
        pause, seen, silent_s = threading.Event(), 0, 0.0
        while silent_s < self._stuck_s:
            pause.wait(LOOK_S)  # counts as LOOK_S, even if it took longer
            silent_s = silent_s + LOOK_S if self._beats == seen else 0.0
            seen = self._beats
        self._on_stuck()


def _end() -> None:
    os.write(2, f"The event loop was stuck for {STUCK_S:.0f} s; the process ends.\n".encode())
    faulthandler.dump_traceback(file=2, all_threads=True)
    os._exit(tasks.BUG_STATUS)
