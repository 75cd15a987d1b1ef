"""Stops a child process in its tracks, and lets it go on.

Owns the wait: kill() returns before the child's threads have stopped, and a process of many
threads answers once more in between.
"""

from __future__ import annotations

import os
import signal
import sys
import time

STOPPED_WITHIN_S = 5.0
"""A busy machine takes milliseconds."""


def freeze(pid: int) -> None:
    """Stop our child `pid` (SIGSTOP), and return when all its threads stand still.

    Raises NotImplementedError on Windows, ProcessLookupError or ChildProcessError when it is
    gone, TimeoutError.
    """
    if sys.platform == "win32":
        raise NotImplementedError("Windows cannot freeze a process")
    os.kill(pid, signal.SIGSTOP)
    if sys.platform != "linux":  # not run; macOS has no waitid() before Python 3.13
        return
    deadline = time.monotonic() + STOPPED_WITHIN_S
    # The kernel tells the parent when the last thread has stopped. WNOWAIT: it is only a look,
    # which takes nothing from who else waits for this child.
    while os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} did not stop on SIGSTOP")
        time.sleep(0.001)


def thaw(pid: int) -> None:
    """Let a frozen process go on (SIGCONT). Nothing on Windows."""
    if sys.platform != "win32":
        os.kill(pid, signal.SIGCONT)
