"""The sidecar under test, whichever process of it runs now, as a consumer keeps it.

Owns its processes, and that every notification of each is heard once and in order. After a crash
the new process is given the open sessions, as the bridge does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sidecar.dev.child import ChildGone
from sidecar.dev.stdio_client import Direction, JsonObject, RpcError, SidecarClient
from tests.soak.hearing import Hearing

ANSWER_TIMEOUT_S = 120.0
"""Of the handshake and of the end; the machine may be busy."""
SIMULATED_S = 10.0
COMPARISONS = 20
BAD_WORDS = ("Traceback", " ERROR", " CRITICAL")
"""What the log must not hold but for the lines below."""
FOLLOWING = 30
SDKS_OWN = ("[root]", "[livekit]")
"""What stands before a traceback of the SDK's: it lost an event, and the sessions tell whether that
was made up for."""
EXPECTED = ("ClaraVoiceAgent failed to connect", "unreachable", "timeout:", "resuming connection")


class WatchedSidecar:
    """start(), then the acts; never two processes at a time."""

    def __init__(
        self, command: Sequence[str], target: Mapping[str, object], handle: Path | None
    ) -> None:
        """*target*: the params of `connect`. Make it inside the running loop.

        *handle*: the socket of `tests/livekit/faults/driven.py`, where *command* runs that.
        """
        self.handle = handle
        self.hearing = Hearing()
        self.log: list[tuple[float, str]] = []
        self.deaths: list[tuple[float, str]] = []
        """Ends that nobody asked for, and those asked for with another status than 0."""
        self._command = [*command, "--wait"]
        self._target = dict(target)
        self._client: SidecarClient | None = None
        self._watching: asyncio.Task[None] | None = None
        self._is_asked_to_end = False
        self._changing = asyncio.Lock()
        self._news = asyncio.Event()
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def client(self) -> SidecarClient:
        """The process that runs now."""
        assert self._client is not None
        return self._client

    async def start(self) -> None:
        """Start the first process."""
        async with self._changing:
            await self._start()

    async def crash(self, gone_s: float) -> None:
        """Kill the process, take all it had written, and start the next after *gone_s*."""
        async with self._changing:
            await self._end("SIGKILL")
            await asyncio.sleep(gone_s)
            await self._start()

    async def restart(self) -> None:
        """End the process in order, and start another."""
        async with self._changing:
            await self._end_in_order()
            await self._start()

    async def stop(self) -> None:
        """End the process in order, for good."""
        async with self._changing:
            await self._end_in_order()

    async def revive(self) -> None:
        """Start anew after an end that nobody asked for, as the bridge would."""
        async with self._changing:
            if self._watching is not None and self._watching.done() and not self._is_asked_to_end:
                await self._start()

    def connect(self) -> None:
        """Ask for it; whatever the answer, the agent's state says how it went."""
        task = asyncio.create_task(self._connect())
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def simulate(self, scenario: str) -> None:
        """Let LiveKit play one of its scenarios on the agent's Room, if there is one."""
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(SIMULATED_S):
                reader, writer = await asyncio.open_unix_connection(str(self.handle))
                writer.write(json.dumps({"simulate": scenario}).encode() + b"\n")
                await reader.readline()
                writer.close()

    async def until(self, holds: Callable[[Hearing], bool], within_s: float) -> None:
        """Wait until *holds* of what was heard. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not holds(self.hearing):
                self._news.clear()
                await self._news.wait()

    async def compare(self) -> None:
        """Hold its list against the fold, once both stand still for the length of a call."""
        for _ in range(COMPARISONS):
            with contextlib.suppress(ChildGone, TimeoutError, RpcError):
                result = await self.client.call("listSessions")
                if self.hearing.compare(time.monotonic(), result):
                    return

    def errors(self) -> list[tuple[float, str]]:
        """The lines of its log that tell of a bug, each with what follows it."""
        return [
            (at_s, "\n".join(line for _, line in self.log[index : index + FOLLOWING]))
            for index, (at_s, line) in enumerate(self.log)
            if any(word in line for word in BAD_WORDS)
            and not any(w in line for w in EXPECTED)
            and not self.log[index - 1][1].startswith(SDKS_OWN)
        ]

    async def _start(self) -> None:
        client = SidecarClient(self._command, trace=self._take, log=self._take_log)
        await client.start()
        self._client, self._is_asked_to_end = client, False
        answer = await client.call(
            "initialize",
            {"protocolVersion": 1, "resume": self.hearing.resumable()},
            timeout_s=ANSWER_TIMEOUT_S,
        )
        self.hearing.process_began(time.monotonic(), str(answer["epoch"]))
        listed = await client.call("listSessions", timeout_s=ANSWER_TIMEOUT_S)
        self.hearing.resumed(time.monotonic(), listed)
        self._watching = asyncio.create_task(self._watch(client))
        self.connect()

    async def _end_in_order(self) -> None:
        await self._end("SIGTERM")
        if self.client.returncode != 0:
            story = self.client.story("the sidecar did not end with status 0")
            self.deaths.append((time.monotonic(), story))
        self.hearing.forget_ids()

    async def _end(self, signal_name: str) -> None:
        self._is_asked_to_end = True
        self.client.signal_group(signal_name)
        await self.client.wait(timeout_s=ANSWER_TIMEOUT_S)
        if self._watching is not None:
            await self._watching

    async def _watch(self, client: SidecarClient) -> None:
        while client.returncode is None:
            with contextlib.suppress(TimeoutError):
                await client.wait(timeout_s=3600.0)
        with contextlib.suppress(TimeoutError):
            await client.wait()  # for the rest of what it had written
        self.hearing.process_ended(time.monotonic())
        if not self._is_asked_to_end:
            self.deaths.append((time.monotonic(), client.story("the sidecar ended by itself")))

    async def _connect(self) -> None:
        # 1001: a `disconnect` came first; 1002: the agent goes on trying by itself.
        with contextlib.suppress(RpcError, ChildGone, TimeoutError):
            await self.client.call("connect", self._target)

    def _take(self, direction: Direction, message: JsonObject) -> None:
        params = message.get("params")
        if direction == "<-" and "method" in message and isinstance(params, dict):
            self.hearing.take(time.monotonic(), str(message["method"]), params)
            self._news.set()

    def _take_log(self, line: str) -> None:
        self.log.append((time.monotonic(), line))
