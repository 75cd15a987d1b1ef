"""The app of fixtures/access-app.cjs: the bridge, the real sidecar, and tokens or proxies.

Owns the process and the lines that go in and out. Knows no method of the bridge.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from sidecar.dev.child import environment_without_livekit

PROGRAM = Path(__file__).resolve().parent / "fixtures" / "access-app.cjs"
WITHIN_S = 60.0
"""For any one thing to happen: a start and a join on a busy machine."""


class AccessApp:
    """The running app; `said` is all it said so far, one object a line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Read it."""
        self.said: list[dict[str, Any]] = []
        self.pid = process.pid
        self._process = process
        self._news = asyncio.Condition()
        self._last_id = 0
        self._reading = asyncio.create_task(self._read())

    async def call(self, name: str, *args: object) -> dict[str, Any]:
        """Call a method of the sidecar; gives `{id, result}` or `{id, error}`."""
        self._last_id += 1
        number = self._last_id
        line = json.dumps({"id": number, "call": name, "args": args}) + "\n"
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        return await self.heard(lambda said: said.get("id") == number)

    async def agent(self, state: str, count: int = 1) -> dict[str, Any]:
        """Wait until the agent's state became *state* for the *count*-th time."""
        name = "agent-state-changed"
        said = await self.heard(
            lambda said: said.get("event") == name and said["params"]["state"] == state, count
        )
        params: dict[str, Any] = said["params"]
        return params

    async def heard(
        self, is_it: Callable[[dict[str, Any]], bool], count: int = 1
    ) -> dict[str, Any]:
        """Wait for the *count*-th thing said that fits, past or to come."""
        try:
            async with asyncio.timeout(WITHIN_S), self._news:
                while True:
                    found = [each for each in self.said if is_it(each)]
                    if len(found) >= count:
                        return found[count - 1]
                    assert not self._reading.done(), f"the app ended, having said {self.said}"
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not heard; it said {self.said}") from None

    def asked(self) -> list[dict[str, Any]]:
        """What getToken was asked so far."""
        return [each["asked"] for each in self.said if "asked" in each]

    async def end(self) -> int:
        """End its stdin and give its status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(WITHIN_S):
            return await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            async with self._news:
                self.said.append(json.loads(line))
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


@contextlib.asynccontextmanager
async def access_app(
    node: Path,
    options: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    **given: object,
) -> AsyncIterator[AccessApp]:
    """Run the app with this Python's sidecar, and end it in order."""
    program = {"command": sys.executable, "args": ["-m", "sidecar"], **options}
    process = await asyncio.create_subprocess_exec(
        str(node),
        str(PROGRAM),
        json.dumps({"options": program, **given}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment_without_livekit(environment),
        limit=1 << 20,
    )
    app = AccessApp(process)
    try:
        yield app
        assert await app.end() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
