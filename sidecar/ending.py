"""Owns the end in time: hears the signals, and ends the process even if the loop hangs.

Uses threads only. asyncio's own signal handlers need the loop: a flood of events filled the pipe
that wakes the loop, and SIGTERM was lost. Does not know the steps of an end.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType

from sidecar import tasks

TELL_AFTER_S = 1.0
"""Seconds after which a loop that has not closed the sessions is believed to hang."""
WRITE_WITHIN_S = 0.8
"""Seconds to write what `tell` said."""
END_AFTER_S = 2.9
"""Seconds until the process ends, whatever hangs. The promise is 3 s."""

_NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")


class Ending:
    """Ends the process within END_AFTER_S of the first `begin`."""

    def __init__(
        self,
        tell: Callable[[], bool],
        status: Callable[[], int],
        tell_after_s: float = TELL_AFTER_S,
        end_after_s: float = END_AFTER_S,
    ) -> None:
        """Call *tell* and then end with the result of *status*, each so long after `begin`.

        Both are called on a thread, if the process has not ended by itself. *tell* returns whether
        it had to say something: then the process ends WRITE_WITHIN_S later.
        """
        self._tell_after_s = tell_after_s
        self._end_after_s = end_after_s
        self._tell = tell
        self._status = status
        self._first = threading.Lock()

    def begin(self) -> None:
        """Start the countdown; a second call does nothing. Safe to call from any thread."""
        if self._first.acquire(blocking=False):
            tasks.start_thread("end", self._run)

    def _run(self) -> None:
        pause = threading.Event()
        pause.wait(self._tell_after_s)
        rest_s = self._end_after_s - self._tell_after_s
        try:
            if self._tell():
                rest_s = min(rest_s, WRITE_WITHIN_S)
        finally:
            pause.wait(rest_s)
            os._exit(self._status())


def hear_signals(on_signal: Callable[[], None]) -> None:
    """Call *on_signal* on a thread at each signal that asks for the end. Call on the main thread.

    Python writes each signal to the wakeup fd at once, even while the main thread is busy.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # signal.set_wakeup_fd demands it
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    for name in _NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _ignore)

    def run() -> None:
        with reading:
            while reading.recv(1):
                on_signal()

    tasks.start_thread("signals", run)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: without a handler, the signal would not reach the wakeup fd."""
