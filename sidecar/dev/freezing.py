"""Freezes a child process, and thaws it.

Owns the wait for all threads of the child: kill() returns before they stop, and the child may
answer once more until then.
"""

from __future__ import annotations

import os
import signal
import sys
import time

STOPPED_WITHIN_S = 5.0
"""Seconds; even a busy machine needs only milliseconds."""


def freeze(pid: int) -> None:
    """Freeze our child `pid` (SIGSTOP); return when all its threads have stopped.

    Raises NotImplementedError on Windows, ProcessLookupError or ChildProcessError when the child
    has ended, and TimeoutError.
    """
    if sys.platform == "win32":
        raise NotImplementedError("Windows cannot freeze a process")
    os.kill(pid, signal.SIGSTOP)
    if sys.platform != "linux":  # not run; macOS has no waitid() before Python 3.13
        return
    deadline = time.monotonic() + STOPPED_WITHIN_S
    # The kernel tells the parent when the last thread has stopped. WNOWAIT leaves that news
    # for other code that waits for this child.
    while os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} did not stop on SIGSTOP")
        time.sleep(0.001)


def thaw(pid: int) -> None:
    """Let a frozen process go on (SIGCONT). Nothing on Windows."""
    if sys.platform != "win32":
        os.kill(pid, signal.SIGCONT)
