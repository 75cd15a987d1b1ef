"""The programs of Windows as Linux sees them: found by their command line, held, and killed.

Owns the one way to them from outside Wine. Each is a process of Linux, with a pid of Linux.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Program:
    """One that runs; `fd` is readable when it has ended."""

    pid: int
    fd: int

    def kill(self) -> None:
        """End it at once, as TerminateProcess does."""
        signal.pidfd_send_signal(self.fd, signal.SIGKILL)

    def is_gone_within(self, seconds: float) -> bool:
        """Wait for its end."""
        return bool(select.select([self.fd], [], [], seconds)[0])


def programs(name: str, argument: str) -> list[Program]:
    """Give those whose command line has the program *name* and this *argument*."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            program, *arguments = (folder / "cmdline").read_bytes().decode().split("\0")
            if program.endswith(name) and any(argument in each for each in arguments):
                found.append(Program(pid, os.pidfd_open(pid)))
    return found


def program(name: str, argument: str) -> Program:
    """Give the only one of these."""
    found = programs(name, argument)
    assert len(found) == 1, f"{len(found)} programs {name} run"
    return found[0]
