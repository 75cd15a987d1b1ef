"""Holds the main thread of a process, with its event loop, and lets its other threads run on.

Owns the hold, by ptrace(2) of Linux: so a loop hangs in a program that the test cannot change. Run
as a program, since whoever holds a thread hears of its end in place of its parent. Hold a loop that
waits: a thread that runs may have Python's lock, and would hold all the others, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
from collections.abc import AsyncIterator

SEIZE, INTERRUPT = 0x4206, 0x4207
"""linux/ptrace.h."""
WALL = 0x40000000
"""linux/wait.h: wait for threads, too."""


def _ptrace(request: int, pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, None, None) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _hold(pid: int) -> None:
    """Hold the main thread of *pid* until the process ends."""
    _ptrace(SEIZE, pid)
    _ptrace(INTERRUPT, pid)
    os.waitpid(pid, WALL)
    print("held", flush=True)
    with contextlib.suppress(ChildProcessError):
        while not os.WIFEXITED(os.waitpid(pid, WALL)[1]):
            pass


@contextlib.asynccontextmanager
async def held(pid: int) -> AsyncIterator[None]:
    """Hold the main thread of *pid* while the block runs, or until the process ends.

    Raises OSError where the system does not allow it; the text has the system's words.
    """
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.rpc.held_thread", str(pid)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stderr is not None
    try:
        if await holder.stdout.readline() != b"held\n":
            raise OSError((await holder.stderr.read()).decode().strip().rpartition("\n")[2])
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            holder.kill()  # it lets the thread go
        await holder.wait()


if __name__ == "__main__":
    _hold(int(sys.argv[1]))
