"""A Node app that uses the bridge and tells what it hears, judged by the law as it comes.

Owns that app's process and lines; the sidecar behind it is found among its children in /proc.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sidecar.dev.stdio_client import Notification
from tests.livekit.faults.law import Law

PROGRAM = Path(__file__).resolve().parent / "fixtures" / "watched-app.cjs"
WAIT_TIMEOUT_S = 90.0
"""For what comes of a start of the sidecar or of a join, on a busy machine."""
MAX_LINE_BYTES = 16 * 1024 * 1024


class WatchedApp:
    """`async with WatchedApp(node, options, environment) as app`: starts it; stops it."""

    def __init__(self, node: Path, options: Mapping[str, object], env: Mapping[str, str]) -> None:
        """Prepare. *options* are those of createSidecar, *env* is added to the environment."""
        self.law = Law()
        self.process_state = "idle"
        self.exits: list[Mapping[str, Any]] = []
        self._command = [str(node), str(PROGRAM)]
        self._env = {**os.environ, **env, "SIDECAR_OPTIONS": json.dumps(options)}
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> WatchedApp:
        """Start it."""
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill it, if it has not ended; the sidecar follows it."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        self._reading.cancel()

    async def until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; raises what is wrong with the events, as soon as it is."""
        try:
            async with asyncio.timeout(WAIT_TIMEOUT_S), self._changed:
                while not is_so():
                    if self._reading.done():
                        self._reading.result()
                        raise AssertionError(f"{what}: the app ended before\n{self.law.story()}")
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{what}: never came\n{self.law.story()}") from None

    def sidecar_pid(self) -> int | None:
        """The sidecar's process, where there is one."""
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return int(found[0]) if found else None

    async def end(self) -> int:
        """Let it stop the sidecar, and give its exit status."""
        self._say(b"stop\n")
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            await self._reading
            return await self.process.wait()

    def ask_for_the_list(self) -> None:
        """Let it call listSessions(); the answer is held against the law when it comes."""
        self._say(b"list\n")

    def _say(self, words: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(words)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while line := await self.process.stdout.readline():
                self._take(json.loads(line))
                await self._tell()
        finally:
            await self._tell()

    def _take(self, told: Mapping[str, Any]) -> None:
        name, event = told["name"], told["event"]
        if name == "process-state":
            self.process_state = event["state"]
        elif name == "exit":
            self.exits.append(event)
        elif name == "list":
            self.law.check_list(event)
        else:
            self.law.take(Notification(name, event, time.monotonic()))
        fold = list(self.law.open.values())
        assert told["sessions"] == fold, f"{name}: `sessions` is not the fold of the events"

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
