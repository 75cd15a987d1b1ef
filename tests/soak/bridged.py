"""The sidecar as a consumer of the bridge sees it: Node, the bridge, and whichever sidecar it runs.

Owns the Node process and the signals to the sidecar behind it. What a crash leads to, the restart
and the resume, is the bridge's own work here, and so is the order of what is heard.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sidecar.dev.stdio_client import MAX_NOTIFICATIONS, Direction, JsonObject, SidecarClient
from tests.soak.watched import ANSWER_TIMEOUT_S, WatchedSidecar

CONSUMER = Path(__file__).with_name("bridge_consumer.cjs")
CRASHES = (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT)
"""In turn. After SIGTERM the sidecar closes its sessions and ends with status 0: nobody asked the
bridge for that, so it is a crash to its consumers all the same."""
RESTART = {"max": 1_000_000, "windowMs": 1, "delaysMs": [50, 500, 1500]}
START_TIMEOUT_MS = 120_000
"""For a busy machine."""
OF_THE_SIDECAR = (
    "session-created",
    "session-updated",
    "session-closed",
    "agent-state-changed",
)


class BridgeClient(SidecarClient):
    """Speaks to the consumer; signals go to the sidecar behind it."""

    def sidecar_pids(self) -> list[int]:
        """The processes that Node has started and that are not over."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in children.split()]

    def forget(self) -> None:
        """Drop the notifications that were kept: a day has more than a client keeps."""
        self.notifications.clear()
        self.queue = asyncio.Queue(MAX_NOTIFICATIONS)

    def freeze(self) -> None:
        """Stop the sidecar in its tracks."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def crash(self, number: signal.Signals) -> None:
        """Let the sidecar end without the bridge's asking."""
        self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.sidecar_pids():
            os.kill(pid, number)


class WatchedBridge(WatchedSidecar):
    """As WatchedSidecar; one bridge object lives through all of it."""

    def __init__(
        self,
        node: Path,
        command: Sequence[str],
        target: Mapping[str, object],
        handle: Path | None,
        arguments: Sequence[str] = (),
    ) -> None:
        """*command*: of the sidecar, without arguments of the bridge's own.

        *arguments*: of the consumer.
        """
        super().__init__(command, target, handle)
        self._options = {
            "command": command[0],
            "args": list(command[1:]),
            "connect": dict(target),
            "restart": RESTART,
            "startTimeoutMs": START_TIMEOUT_MS,
        }
        command = [str(node), "--expose-gc", str(CONSUMER), *arguments]
        self.bridge = BridgeClient(command, trace=self._take)
        self._is_heard = False
        self._crashes = 0

    async def crash(self, gone_s: float) -> None:
        """End the sidecar by a signal; the bridge starts the next in its own time."""
        del gone_s
        async with self._changing:
            number = CRASHES[self._crashes % len(CRASHES)]
            self._crashes += 1
            since = len(self.bridge.notifications)
            self._is_asked_to_end = True
            self.bridge.crash(number)
            await self.bridge.notified("exit", since=since, timeout_s=ANSWER_TIMEOUT_S)
            self._is_asked_to_end = False
            await self.bridge.notified(
                "process-state",
                lambda params: params["state"] == "ready",
                since=since,
                timeout_s=ANSWER_TIMEOUT_S,
            )

    async def revive(self) -> None:
        """Nothing: the bridge does it."""

    async def _start(self) -> None:
        if self._client is None:
            self._client = self.bridge
            await self.bridge.start()
        self._is_asked_to_end = False
        await self.bridge.request("start", self._options, timeout_s=ANSWER_TIMEOUT_S)

    async def _end_in_order(self) -> None:
        self._is_asked_to_end = True
        await self.bridge.request("stop", timeout_s=ANSWER_TIMEOUT_S)
        self.hearing.forget_ids()

    def _take(self, direction: Direction, message: JsonObject) -> None:
        method, params = message.get("method"), message.get("params")
        if direction == "->" or not isinstance(params, dict):
            return
        if method == "log":
            self._take_log(str(params["message"]))
        elif method == "exit" and not self._is_asked_to_end:
            self.deaths.append((time.monotonic(), f"the sidecar ended by itself: {params}"))
        elif method in OF_THE_SIDECAR:
            if not self._is_heard:
                self._is_heard = True
                self.hearing.process_began(time.monotonic(), str(params["epoch"]))
            super()._take(direction, message)
