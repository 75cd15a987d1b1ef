"""Run by Windows' Python in the place of taskkill.exe, since Wine's own knows no /T.

Owns what Microsoft says of `taskkill /pid PID /T /F`: it ends the process and all that it started,
each with status 1; its own status is 128 when there is no such process. `taskkill.py itself ...`.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from ctypes import wintypes
from typing import Any

SNAPSHOT_OF_PROCESSES = 2
MAY_TERMINATE = 1
ENDED_BY_FORCE = 1
NO_SUCH_PROCESS = 128


class Entry(ctypes.Structure):
    """PROCESSENTRY32W of tlhelp32.h."""

    _fields_ = (
        ("size", wintypes.DWORD),
        ("usage", wintypes.DWORD),
        ("pid", wintypes.DWORD),
        ("heap", ctypes.c_size_t),
        ("module", wintypes.DWORD),
        ("threads", wintypes.DWORD),
        ("parent_pid", wintypes.DWORD),
        ("priority", ctypes.c_long),
        ("flags", wintypes.DWORD),
        ("file", ctypes.c_wchar * 260),
    )


def parents(kernel: Any) -> Iterator[tuple[int, int]]:
    """Give the pid and the parent's pid of each process."""
    snapshot = kernel.CreateToolhelp32Snapshot(SNAPSHOT_OF_PROCESSES, 0)
    entry = Entry(size=ctypes.sizeof(Entry))
    has_one = kernel.Process32FirstW(snapshot, ctypes.byref(entry))
    while has_one:
        yield entry.pid, entry.parent_pid
        has_one = kernel.Process32NextW(snapshot, ctypes.byref(entry))


def tree(root: int, running: list[tuple[int, int]]) -> list[int]:
    """Give the pids of a process and of all below it."""
    below = [pid for pid, parent in running if parent == root and pid != root]
    return [root, *(each for pid in below for each in tree(pid, running))]


def main(arguments: list[str]) -> int:
    """End the tree."""
    option, pid, *how = arguments
    if (option, how) != ("/pid", ["/T", "/F"]):
        sys.exit(f"not implemented: {arguments}")
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]  # Windows has it
    for name in ("CreateToolhelp32Snapshot", "OpenProcess"):
        getattr(kernel, name).restype = wintypes.HANDLE
    running = list(parents(kernel))
    if int(pid) not in dict(running):
        return NO_SUCH_PROCESS
    for each in tree(int(pid), running):
        handle = wintypes.HANDLE(kernel.OpenProcess(MAY_TERMINATE, False, each))
        kernel.TerminateProcess(handle, ENDED_BY_FORCE)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
