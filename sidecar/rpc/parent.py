"""Owns the watch over the parent process: says when it has ended.

Holds the process itself where the system can (a handle on Windows, a pidfd on Linux). So no later
process with the same pid passes for the parent. Does not know the steps after its end.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable

from sidecar import tasks

PARENT_POLL_S = 1.0
"""Seconds between two checks that the pid exists, where the process cannot be held. The drain must
end within 3 s of the parent's death."""


def watch_parent(pid: int, on_gone: Callable[[], None]) -> bool:
    """Call *on_gone*, on a new thread, when the process *pid* has ended.

    Returns False, and watches nothing, when no process has this pid, or when Windows does not let
    this process wait for it. The end of stdin is not enough: another child of a dead parent may
    hold the pipe open.
    """
    wait = _by_handle(pid) if sys.platform == "win32" else _by_pidfd(pid)
    if wait is None:
        return False

    def run() -> None:
        wait()
        on_gone()

    tasks.start_thread("parent", run)
    return True


def _by_handle(pid: int) -> Callable[[], object] | None:
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    synchronize, infinite = 0x0010_0000, 0xFFFF_FFFF  # winnt.h, winbase.h
    kernel32 = ctypes.WinDLL("kernel32")
    kernel32.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    kernel32.OpenProcess.restype = wintypes.HANDLE
    kernel32.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)
    handle = kernel32.OpenProcess(synchronize, False, pid)
    return (lambda: kernel32.WaitForSingleObject(handle, infinite)) if handle else None


def _by_pidfd(pid: int) -> Callable[[], object] | None:
    # A Python that was built for an old Linux has no pidfd_open.
    if sys.platform == "linux" and hasattr(os, "pidfd_open"):
        try:
            pidfd = os.pidfd_open(pid)
        except (ProcessLookupError, OverflowError):
            return None
        except OSError:
            return _by_pid(pid)  # the kernel is older than 5.3, or a sandbox forbids the call
        ending = select.poll()
        ending.register(pidfd, select.POLLIN)
        return ending.poll
    return _by_pid(pid)


def _by_pid(pid: int) -> Callable[[], object] | None:
    if not _exists(pid):
        return None

    def wait() -> None:
        pause = threading.Event()
        while _exists(pid):
            pause.wait(PARENT_POLL_S)

    return wait


def _exists(pid: int) -> bool:
    """Whether a process has this pid. A zombie counts."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
