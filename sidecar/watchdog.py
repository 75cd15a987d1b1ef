"""Owns the watch over the event loop: one that is stuck for 30 s ends the process.

A stuck loop would hold sessions open for ever; the bridge starts a new process instead, which
resumes them. Does not know what the loop does.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import threading
from collections.abc import Callable

from sidecar import tasks

STUCK_S = 30.0
"""Of attended time: a process that was stopped is not stuck."""
LOOK_S = 1.0


class Watchdog:
    """A thread that expects a sign of life from the loop each second."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_stuck: Callable[[], None] | None = None,
        stuck_s: float = STUCK_S,
    ) -> None:
        """*on_stuck*, called on the thread after *stuck_s* of silence, ends the process."""
        self._loop = loop
        self._on_stuck = on_stuck or _end
        self._stuck_s = stuck_s
        self._beats = 0

    def start(self) -> None:
        """Begin to watch; call it on the loop."""
        self._beat()
        tasks.start_thread("watchdog", self._watch)

    def _beat(self) -> None:
        self._beats += 1
        self._loop.call_later(LOOK_S, self._beat)

    def _watch(self) -> None:
        pause, seen, silent_s = threading.Event(), 0, 0.0
        while silent_s < self._stuck_s:
            pause.wait(LOOK_S)  # one look is at most LOOK_S of attended time, however late it is
            silent_s = silent_s + LOOK_S if self._beats == seen else 0.0
            seen = self._beats
        self._on_stuck()


def _end() -> None:
    os.write(2, f"The event loop was stuck for {STUCK_S:.0f} s; the process ends.\n".encode())
    faulthandler.dump_traceback(file=2, all_threads=True)
    os._exit(tasks.BUG_STATUS)
