"""Random faults: of the server, of the agent's link, of the sidecar, and of the humans' machines.

Owns what goes wrong next, in four lanes that know nothing of each other, so that faults overlap.
Tells the ledger when each began and ended; afterwards all is well again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from sidecar.dev.child import ChildGone
from sidecar.dev.stdio_client import RpcError
from tests.soak.ledger import Fault
from tests.soak.slow_wire import Wire
from tests.soak.visits import Home, Scene, half_way
from tests.soak.watched import WatchedSidecar

LONG = 0.1
"""Of the outages that may last for longer than the agent holds its sessions."""
SCENARIOS = (
    "SIGNAL_RECONNECT",
    "FULL_RECONNECT",
    "NODE_FAILURE",
    "MIGRATION",
    "DISCONNECT_SIGNAL_ON_RESUME",
    "SERVER_LEAVE",
    "FORCE_TCP",
)
"""Of livekit.rtc's SimulateScenarioKind. Not FORCE_TLS: 30 s without hearing, again and again."""

Act = Callable[[], Awaitable[None]]


@dataclass
class Lane:
    """Faults that exclude each other: what, how likely, and the pause between two."""

    name: str
    acts: Mapping[str, tuple[int, Act]]
    pause_s: tuple[float, float]


class Faults:
    """run() until the scene is over; every fault is undone before it returns."""

    def __init__(
        self,
        seed: str,
        scene: Scene,
        agent: str,
        wire: Wire,
        sidecar: WatchedSidecar,
        homes: list[Home],
        delete_room: Act,
    ) -> None:
        """*homes*: the processes of humans that may be killed; *seed* decides all that is done.

        *agent*: the identity of the sidecar's agent.
        """
        self._ledger = scene.ledger
        self._over = scene.over
        self._server = scene.server
        self._scene = scene
        self._agent = agent
        self._wire = wire
        self._sidecar = sidecar
        self._homes = homes
        self._delete_room = delete_room
        self._seed = seed
        self._chance = {
            name: random.Random(f"{seed}/{name} acts")  # noqa: S311 - a soak repeats
            for name in _LANES
        }

    async def run(self) -> None:
        """Let things go wrong until the scene is over."""
        await asyncio.gather(*(self._run(lane) for lane in self.lanes()))

    def lanes(self) -> list[Lane]:
        """What can go wrong."""
        return [
            Lane(
                "server",
                {
                    "server killed": (5, self._kill_server),
                    "server frozen": (3, self._freeze_server),
                    "room deleted": (1, self._delete),
                    "server shut down": (1, self._stop_server),
                },
                (10.0, 40.0),
            ),
            Lane(
                "link",
                {"link cut": (5, self._cut), "link silent": (4, self._silence)},
                (8.0, 30.0),
            ),
            Lane(
                "sidecar",
                {
                    "sidecar killed": (5, self._kill_sidecar),
                    "sidecar stopped": (4, self._stop_sidecar),
                    "disconnect": (2, self._disconnect),
                    "sidecar ended": (1, self._end_sidecar),
                    "wake": (2, self._wake),
                    "agent removed": (1, self._remove_agent),
                    "agent doubled": (1, self._double_agent),
                    **(
                        {"reconnect simulated": (3, self._simulate)} if self._sidecar.handle else {}
                    ),
                },
                (6.0, 25.0),
            ),
            Lane(
                "humans",
                {
                    "humans killed": (4, self._kill_humans),
                    "humans frozen": (1, self._freeze_humans),
                    "never active": (2, self._come_half_way),
                },
                (8.0, 25.0),
            ),
        ]

    async def _run(self, lane: Lane) -> None:
        for pause_s, kind in plan(lane, random.Random(f"{self._seed}/{lane.name}")):  # noqa: S311
            await self._pass(pause_s)
            if self._over.is_set():
                return
            await lane.acts[kind][1]()

    # The server

    async def _kill_server(self) -> None:
        down_s = self._time_s("server", 0.5, 3.0, rarely=20.0)
        async with self._fault("server killed", f"{down_s:.1f} s"):
            await self._server.kill()
            self._ledger.server_ended(time.monotonic())
            await asyncio.sleep(down_s)
            await self._server.start()

    async def _stop_server(self) -> None:
        down_s = self._chance["server"].uniform(0.0, 2.0)
        async with self._fault("server shut down", f"{down_s:.1f} s"):
            await self._server.stop()
            self._ledger.server_ended(time.monotonic())
            await asyncio.sleep(down_s)
            await self._server.start()

    async def _freeze_server(self) -> None:
        chance = self._chance["server"]
        frozen_s = chance.uniform(13.0, 22.0) if chance.random() < 0.2 else chance.uniform(0.5, 9.0)
        async with self._fault("server frozen", f"{frozen_s:.1f} s"):
            self._server.freeze()
            await asyncio.sleep(frozen_s)
            self._server.thaw()

    async def _delete(self) -> None:
        async with self._fault("room deleted"):
            self._ledger.room_deletion(time.monotonic())
            await self._delete_room()

    # The agent's link

    async def _cut(self) -> None:
        chance = self._chance["link"]
        closed_s = 0.0 if chance.random() < 0.4 else self._time_s("link", 0.5, 8.0, rarely=60.0)
        async with self._fault("link cut", f"and closed for {closed_s:.1f} s"):
            self._wire.close_door()
            self._wire.cut()
            await asyncio.sleep(closed_s)
            self._wire.open_door()

    async def _silence(self) -> None:
        chance = self._chance["link"]
        silent_s = chance.uniform(1.0, 22.0)
        is_cut = chance.random() < 0.4
        async with self._fault("link silent", f"{silent_s:.1f} s{', then cut' * is_cut}"):
            self._wire.silence()
            await asyncio.sleep(silent_s)
            if is_cut:
                self._wire.cut()
            self._wire.speak()

    # The sidecar

    async def _kill_sidecar(self) -> None:
        gone_s = self._chance["sidecar"].uniform(0.0, 2.0)
        async with self._fault("sidecar killed", f"{gone_s:.1f} s"):
            await self._sidecar.crash(gone_s)

    async def _end_sidecar(self) -> None:
        async with self._fault("sidecar ended"):
            await self._sidecar.restart()

    async def _stop_sidecar(self) -> None:
        stopped_s = self._time_s("sidecar", 0.5, 15.0, rarely=60.0)
        async with self._fault("sidecar stopped", f"{stopped_s:.1f} s"):
            self._sidecar.client.freeze()
            await asyncio.sleep(stopped_s)
            self._sidecar.client.thaw()

    async def _disconnect(self) -> None:
        out_s = self._chance["sidecar"].uniform(0.0, 4.0)
        async with self._fault("disconnect", f"{out_s:.1f} s"):
            with contextlib.suppress(ChildGone, TimeoutError):
                await self._sidecar.client.call("disconnect")
            await asyncio.sleep(out_s)
            self._sidecar.connect()

    async def _wake(self) -> None:
        async with self._fault("wake", deafens=False):
            with contextlib.suppress(RpcError, ChildGone, TimeoutError):
                await self._sidecar.client.request("wake", {"reason": "network-online"})

    async def _remove_agent(self) -> None:
        async with self._fault("agent removed"):
            await self._scene.kick(self._agent)
            await self._pass_out_s()

    async def _double_agent(self) -> None:
        async with self._fault("agent doubled"):
            await self._chance["sidecar"].choice(self._homes).double(self._agent)
            await self._pass_out_s()

    async def _pass_out_s(self) -> None:
        # It stays away by itself: somebody has to ask for it.
        await asyncio.sleep(self._chance["sidecar"].uniform(0.0, 4.0))
        self._sidecar.connect()

    async def _simulate(self) -> None:
        kind = self._chance["sidecar"].choice(SCENARIOS)
        async with self._fault("reconnect simulated", kind):
            await self._sidecar.simulate(kind)

    # The humans' machines

    async def _kill_humans(self) -> None:
        home = self._chance["humans"].choice(self._homes)
        async with self._fault("humans killed", deafens=False):
            await home.kill()
            await home.start()

    async def _freeze_humans(self) -> None:
        chance = self._chance["humans"]
        home, frozen_s = chance.choice(self._homes), chance.choice((3.0, 8.0, 25.0))
        async with self._fault("humans frozen", f"{frozen_s:.1f} s", deafens=False):
            home.freeze()
            await asyncio.sleep(frozen_s)
            home.thaw()

    async def _come_half_way(self) -> None:
        chance = self._chance["humans"]
        async with self._fault("never active", deafens=False):
            await half_way(self._scene, f"half-{chance.random():.6f}", chance.uniform(0.0, 8.0))

    def _time_s(self, lane: str, least_s: float, most_s: float, *, rarely: float) -> float:
        """A time between the two; one in ten is longer, up to *rarely* seconds."""
        chance = self._chance[lane]
        long = chance.random() < LONG
        return chance.uniform(most_s, rarely) if long else chance.uniform(least_s, most_s)

    @contextlib.asynccontextmanager
    async def _fault(
        self, kind: str, note: str = "", *, deafens: bool = True
    ) -> AsyncIterator[None]:
        fault = Fault(kind, time.monotonic(), note=note, deafens=deafens)
        self._ledger.fault(fault)
        try:
            yield
        finally:
            fault.ended_s = time.monotonic()

    async def _pass(self, time_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), time_s)


def plan(lane: Lane, chance: random.Random) -> Iterator[tuple[float, str]]:
    """Pauses and kinds for ever; each kind comes as often as its weight before any comes again."""
    while True:
        bag = [kind for kind, (weight, _) in lane.acts.items() for _ in range(weight)]
        chance.shuffle(bag)
        for kind in bag:
            yield chance.uniform(*lane.pause_s), kind


_LANES = ("server", "link", "sidecar", "humans")
