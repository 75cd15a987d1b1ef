"""One soak: the stage, the time that passes on it, and what it came to.

Owns the composition: a real server, a sidecar behind a wire that can be cut, homes full of
humans, faults, and the account of it all.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from livekit import api

from sidecar.dev.child import ChildGone
from sidecar.dev.server import DevServer, Ports
from sidecar.dev.stdio_client import RpcError
from tests.soak.bridged import WatchedBridge
from tests.soak.faults import Faults
from tests.soak.hearing import Hearing
from tests.soak.humans import Human
from tests.soak.judge import GHOST_S, Judge, Violation
from tests.soak.ledger import EndKind, Ledger
from tests.soak.slow_wire import Wire
from tests.soak.visits import Home, Scene
from tests.soak.watched import WatchedSidecar
from tests.soak.webhooks import Webhooks

AGENT = "clara"
DRIVEN = Path(__file__).parents[1] / "livekit" / "faults" / "driven.py"
"""The sidecar's sources, with a handle on its Room."""
API_TIMEOUT_S = 8.0
BACK_TIMEOUT_S = 120.0
"""For the agent to be in the room again after the last fault: its longest backoff is 30 s, and a
join that began in a hung server's time ends after 32 s (measured)."""
EMPTY_TIMEOUT_S = GHOST_S + 15.0
COMPARE_EVERY_S = 3.0
DOOMED = 0.3
"""Of the humans live where homes are killed and frozen."""


@dataclass(frozen=True)
class Settings:
    """What to run. The seed decides what is tried; what comes of it is the real parts' affair."""

    seconds: float
    seed: int
    people: int
    has_faults: bool
    command: tuple[str, ...] | None = None
    """The sidecar's. None: its sources, and LiveKit's simulated scenarios are among the faults."""
    binary: Path | None = None
    node: Path | None = None
    """With it the sidecar is heard through the bridge, which runs by this Node."""


@dataclass
class Outcome:
    """What a soak came to."""

    settings: Settings
    ledger: Ledger
    hearing: Hearing
    began_s: float
    violations: list[Violation] = field(default_factory=list)
    expected: int = 0
    """Stays that had to have a session."""


async def run(settings: Settings) -> Outcome:
    """Let *settings.seconds* pass on the stage, let everybody leave, and judge.

    Raises sidecar.dev.server.ServerFailed and ServerMissing.
    """
    ledger = Ledger()
    began_s = time.monotonic()
    async with contextlib.AsyncExitStack() as stage:
        ports = Ports.free()
        hooks = await stage.enter_async_context(Webhooks(ledger.webhook))
        server = await stage.enter_async_context(
            DevServer(settings.binary, ports, webhook_url=hooks.url)
        )
        wire = await stage.enter_async_context(Wire(ports.http))
        room = f"soak-{settings.seed}"
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory()))
        sidecar = _heard(settings, _target(server, wire.url, room), folder)
        await sidecar.start()
        stage.push_async_callback(_kill, sidecar)
        play = _Play(settings, ledger, server, wire, sidecar, room)
        await play.run()
        outcome = Outcome(settings, ledger, sidecar.hearing, began_s)
        _judge(outcome, sidecar, play.ended_s)
    return outcome


class _Play:
    """The humans and the faults of one soak."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        server: DevServer,
        wire: Wire,
        sidecar: WatchedSidecar,
        room: str,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._server = server
        self._wire = wire
        self._sidecar = sidecar
        self._scene = Scene(server, room, ledger, self._kick, self._close_session)
        self.ended_s = float("inf")

    async def run(self) -> None:
        """From the first human to the last notification."""
        chance = random.Random(self._settings.seed)  # noqa: S311 - a soak repeats
        safe = [Home(self._scene, f"home {number}") for number in range(2)]
        doomed = [Home(self._scene, f"doomed home {number}") for number in range(2)]
        homes = [*safe, *doomed]
        humans = []
        for number in range(self._settings.people):
            home = chance.choice(doomed if number < DOOMED * self._settings.people else safe)
            seed = f"{self._settings.seed}/{number}"
            humans.append(Human(self._scene, home, f"h{number:02}", seed))
        for home in homes:
            await home.start()
        try:
            await self._pass_time(humans, doomed)
        finally:
            await asyncio.gather(*(home.stop() for home in homes))
        await self._until_empty()
        self.ended_s = time.monotonic()
        await self._sidecar.stop()

    async def _pass_time(self, humans: list[Human], doomed: list[Home]) -> None:
        async with self._watched():
            acting = [asyncio.create_task(human.live()) for human in humans]
            faults = Faults(
                str(self._settings.seed),
                self._scene,
                AGENT,
                self._wire,
                self._sidecar,
                doomed,
                self._delete_room,
            )
            failing = [asyncio.create_task(faults.run())] if self._settings.has_faults else []
            await asyncio.wait(
                {*acting, *failing},
                timeout=self._settings.seconds,
                return_when=asyncio.FIRST_EXCEPTION,
            )
            self._scene.over.set()
            await asyncio.gather(*failing, *acting)
            await self._until_back()

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(COMPARE_EVERY_S)
            await self._sidecar.revive()
            if self._sidecar.hearing.state == "failed":
                self._sidecar.connect()
            await self._sidecar.compare()

    async def _until_back(self) -> None:
        """Wait for the agent to be in the room."""
        await self._sidecar.until(lambda heard: heard.state == "connected", BACK_TIMEOUT_S)

    async def _until_empty(self) -> None:
        """Wait for every session's end, or until what is left is a ghost."""
        with contextlib.suppress(TimeoutError):
            await self._sidecar.until(lambda heard: not heard.shown, EMPTY_TIMEOUT_S)
        await self._sidecar.compare()

    # What the humans and the faults need of the server and of the sidecar

    async def _kick(self, identity: str) -> None:
        async with self._rooms() as server:
            await server.room.remove_participant(
                api.RoomParticipantIdentity(room=self._scene.room, identity=identity)
            )

    async def _delete_room(self) -> None:
        async with self._rooms() as server:
            await server.room.delete_room(api.DeleteRoomRequest(room=self._scene.room))

    async def _close_session(self, identity: str) -> None:
        shown = self._sidecar.hearing.shown.values()
        asked = [each for each in shown if each["participantId"] == identity]
        for each in asked:
            # An earlier stay's, perhaps: its absence then counts as removed.
            sid = str(each["participantSid"])
            self._ledger.deed(time.monotonic(), EndKind.REMOVE, identity, sid)
        for session_id in [each["sessionId"] for each in asked]:
            with contextlib.suppress(RpcError, ChildGone, TimeoutError):
                await self._sidecar.client.call("closeSession", {"sessionId": session_id})

    @contextlib.asynccontextmanager
    async def _rooms(self) -> AsyncIterator[api.LiveKitAPI]:
        # A server that is gone or frozen just now refuses: then nothing was done.
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, api.ServerError):
            async with api.LiveKitAPI(
                "http" + self._server.url.removeprefix("ws"),
                self._server.api_key,
                self._server.api_secret,
                timeout=aiohttp.ClientTimeout(total=API_TIMEOUT_S),
            ) as server:
                yield server


def _heard(settings: Settings, target: dict[str, object], folder: Path) -> WatchedSidecar:
    handle = None if settings.command else folder / "room.sock"
    command = settings.command or (sys.executable, str(DRIVEN), str(handle))
    if settings.node is None:
        return WatchedSidecar(command, target, handle)
    return WatchedBridge(settings.node, command, target, handle)


def _judge(outcome: Outcome, sidecar: WatchedSidecar, ended_s: float) -> None:
    outcome.ledger.settle(outcome.hearing.first_created_s())
    judge = Judge(outcome.ledger, outcome.hearing, ended_s)
    outcome.expected = sum(judge.expected(stay) for stay in outcome.ledger.stays.values())
    outcome.violations = judge.verdict()
    outcome.violations += [Violation("died", at, "", words) for at, words in sidecar.deaths]
    outcome.violations += [Violation("error logged", at, "", line) for at, line in sidecar.errors()]


def _target(server: DevServer, url: str, room: str) -> dict[str, object]:
    return {
        "url": url,
        "apiKey": server.api_key,
        "apiSecret": server.api_secret,
        "room": room,
        "identity": AGENT,
    }


async def _kill(sidecar: WatchedSidecar) -> None:
    sidecar.client.kill()
    with contextlib.suppress(TimeoutError):
        await sidecar.client.wait()
