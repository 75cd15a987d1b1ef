"""A running Electron app: its console as whole lines, and the processes behind it.

Owns one Electron process and its environment. Knows nothing of the sidecar but the argument by
which its process is found. Linux only: it reads /proc and holds processes by pidfd.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

LINE_TIMEOUT_S = 45.0
"""For a line of the console: a first start of Electron and of the sidecar on a busy machine."""
LINE_LIMIT_BYTES = 64 * 1024 * 1024
"""Of one line of the console: a reader that gives up would stop the app at its full pipe."""
END_TIMEOUT_S = 6.0
"""Within which all that belongs to the app is gone after its end (issue "First light")."""
Found = TypeVar("Found")
SIDECAR_ARGUMENT = "--wait"
"""Which the bridge passes to every sidecar and nobody else to anything."""


@dataclass(frozen=True)
class Held:
    """A process as it is now, which its pid may not be any more later."""

    pid: int
    command: str
    fd: int
    """A pidfd: readable once the process has ended."""

    async def ended(self) -> None:
        """Wait for its end."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        loop.add_reader(self.fd, done.set)
        try:
            await done.wait()
        finally:
            loop.remove_reader(self.fd)


class ElectronApp:
    """`async with ElectronApp(program, arguments, environment) as app`: starts it; kills it."""

    def __init__(
        self, program: Path, arguments: list[str], environment: Mapping[str, str], home: Path
    ) -> None:
        """Prepare. `environment` is added to the little that Electron needs."""
        self._command = [str(program), "--no-sandbox", "--disable-gpu", *arguments]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            **environment,
        }
        self.console: list[str] = []
        """All lines so far: stdout, and on stderr console.warn, console.error and Chromium."""
        self._changed = asyncio.Condition()
        self._held: list[Held] = []

    async def __aenter__(self) -> ElectronApp:
        """Start it."""
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=LINE_LIMIT_BYTES,
        )
        self._reading = [
            asyncio.create_task(self._read(self.process.stdout)),
            asyncio.create_task(self._read(self.process.stderr)),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill whatever is left of it."""
        for held in [*self._held, *self.processes()]:
            try:
                signal.pidfd_send_signal(held.fd, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for held in self._held:
            os.close(held.fd)
        await self.process.wait()
        await asyncio.wait(self._reading)

    async def line(self, is_it: Callable[[str], bool], what: str) -> str:
        """Wait for the first line of the console that fits, past or to come."""
        looked_at = 0

        def look() -> str | None:
            nonlocal looked_at
            new, looked_at = self.console[looked_at:], len(self.console)
            return next((each for each in new if is_it(each)), None)

        return await self.until(look, what)

    async def until(self, look: Callable[[], Found | None], what: str) -> Found:
        """Wait until `look`, asked whenever the console has grown, finds something."""
        try:
            async with asyncio.timeout(LINE_TIMEOUT_S), self._changed:
                while True:
                    found = look()
                    if found is not None:
                        return found
                    if all(task.done() for task in self._reading):
                        raise AssertionError(f"{what}: Electron ended before.{self._transcript()}")
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: not seen.{self._transcript()}") from None

    def processes(self) -> list[Held]:
        """Hold all that belongs to the app: Electron, all below it, the sidecar's group."""
        table = _process_table()
        ours = {self.process.pid} & table.keys()
        while True:
            sidecars = {pid for pid in ours if SIDECAR_ARGUMENT in table[pid].command.split("\0")}
            more = {
                pid for pid, row in table.items() if row.parent in ours or row.group in sidecars
            }
            if more <= ours:
                break
            ours |= more
        held = []
        for pid in ours & table.keys():
            try:
                held.append(Held(pid, table[pid].command.replace("\0", " "), os.pidfd_open(pid)))
            except ProcessLookupError:
                continue  # ended meanwhile
        self._held += held
        return held

    async def end(self) -> int:
        """Ask it to quit as a session's end does, wait for it, and give its status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LINE_TIMEOUT_S):
            return await self.process.wait()

    async def _read(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while line := await stream.readline():
            async with self._changed:
                self.console.append(line.decode("utf-8").removesuffix("\n"))
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()

    def _transcript(self) -> str:
        return "\n".join(["", "The console:", *self.console[-60:]])


def sidecar_of(processes: list[Held]) -> Held:
    """Give the one sidecar among them."""
    (found,) = (each for each in processes if SIDECAR_ARGUMENT in each.command.split())
    return found


async def all_gone(processes: list[Held], within_s: float = END_TIMEOUT_S) -> None:
    """Wait until every one of them has ended; fails after `within_s`, naming who is left."""
    waiting = {asyncio.create_task(each.ended()): each for each in processes}
    _, left = await asyncio.wait(waiting, timeout=within_s)
    for task in left:
        task.cancel()
    assert not left, f"after {within_s} s: {[waiting[task] for task in left]}"


@dataclass(frozen=True)
class _Row:
    parent: int
    group: int
    command: str


def _process_table() -> dict[int, _Row]:
    table = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # pid (name, which may hold anything) state parent group ...
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().decode("utf-8", "replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        table[int(folder.name)] = _Row(int(fields[1]), int(fields[2]), command)
    return table
