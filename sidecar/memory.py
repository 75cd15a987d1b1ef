"""Owns the question how much memory this process has, which each system answers in its own way."""

from __future__ import annotations

import contextlib
import os
import sys


def rss_bytes() -> int:
    """Return the resident memory in bytes; its peak on macOS; 0 where the system does not say."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform == "win32":
        return _working_set_bytes()
    return 0


def _working_set_bytes() -> int:
    if sys.platform != "win32":
        return 0
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        """PROCESS_MEMORY_COUNTERS of psapi.h."""

        _fields_ = (
            ("cb", wintypes.DWORD),
            ("PageFaultCount", wintypes.DWORD),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("WorkingSetSize", ctypes.c_size_t),
            ("others", ctypes.c_size_t * 6),
        )

    kernel32 = ctypes.WinDLL("kernel32")
    kernel32.GetCurrentProcess.restype = wintypes.HANDLE
    ask = kernel32.K32GetProcessMemoryInfo
    ask.argtypes = (wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD)
    counters = Counters()
    if not ask(kernel32.GetCurrentProcess(), ctypes.byref(counters), ctypes.sizeof(counters)):
        return 0
    return int(counters.WorkingSetSize)
