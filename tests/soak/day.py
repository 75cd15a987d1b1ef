"""A working day, squeezed: stays, outages, server restarts and crashes, and what they leave behind.

Owns the rounds of the day and its samples. The server is the double, whose people have no media: a
real server with real people makes some hundred stays in the time. The sidecar, the SDK, its links,
the bridge and its Node are real. The random soak (soak.py) has the real server.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from livekit.protocol.models import DisconnectReason, ParticipantInfo
from livekit.protocol.rtc import SignalResponse

from sidecar.dev.embedded.access import Grants
from sidecar.dev.embedded.participant import Participant
from sidecar.dev.embedded_room import EmbeddedRoom
from tests.soak import resources
from tests.soak.bridged import WatchedBridge
from tests.soak.slopes import Sample, Slope, slopes

STAYS, OUTAGES, RESTARTS, CRASHES = 20_000, 500, 50, 50
"""Of a whole day."""
ROUNDS = 250
WAVE = 20
"""People who come at a time."""
NAMES = 500
"""Identities: most people come again."""
ROOM = "day"
AGENT = "clara"
DRIVEN = Path(__file__).parents[1] / "livekit" / "faults" / "driven.py"
ANNOUNCE_EVERY_S = 0.02
HEARD_WITHIN_S = 60.0
CRASH_SHARE = 0.3
"""Of the time, for the crashes: they come last, since a crash ends the samples of a sidecar."""
CLIENT_PROTOCOL = 16
SHOWN = 20
"""Broken promises."""


@dataclass
class Day:
    """What a day came to."""

    seconds: float = 0.0
    stays: int = 0
    outages: int = 0
    restarts: int = 0
    crashes: int = 0
    sidecar: list[Sample] = field(default_factory=list)
    bridge: list[Sample] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Promises that did not hold."""

    @property
    def slopes(self) -> list[Slope]:
        """The slopes of both processes."""
        return slopes("sidecar", self.sidecar) + slopes("bridge", self.bridge)

    @property
    def is_good(self) -> bool:
        """Whether every promise held and every figure is flat."""
        return not self.broken and all(each.is_flat or not each.is_judged for each in self.slopes)

    def lines(self) -> list[str]:
        """Tell it."""
        done = (
            f"day: {self.stays} stays, {self.outages} outages, {self.restarts} server restarts,"
            f" {self.crashes} crashes in {self.seconds:.0f} s"
        )
        told = [f"BROKEN: {each}" for each in self.broken[:SHOWN]]
        counts = f"samples: {len(self.sidecar)} of the sidecar, {len(self.bridge)} of the bridge"
        return [done, counts, *(each.line() for each in self.slopes), *told]


class _NoLink:
    """The signalling of a person who has none: what is sent goes nowhere."""

    def send(self, message: SignalResponse) -> None:
        """Drop it."""

    def close(self) -> None:
        """Do nothing."""


class _Play:
    """One day on one double, heard through one bridge."""

    def __init__(self, server: EmbeddedRoom, sidecar: WatchedBridge, handle: Path) -> None:
        self._server = server
        self._sidecar = sidecar
        self._handle = handle
        self._numbers = 0
        self._there: list[Participant] = []
        self._sids: set[str] = set()
        self.day = Day()

    async def run(self, until_s: float, rounds: int) -> None:
        """Play *rounds*, or fewer when *until_s* comes first: then the crashes."""
        began_s = time.monotonic()
        calm_until_s = began_s + (until_s - began_s) * (1 - CRASH_SHARE)
        await self._connected()
        played = 0
        while played < rounds and time.monotonic() < calm_until_s:
            await self._round(played)
            played += 1
        while self.day.crashes < CRASHES and time.monotonic() < until_s:
            await self._crash()
        self.day.seconds = time.monotonic() - began_s
        self._judge()

    async def _round(self, number: int) -> None:
        for _ in range(STAYS // ROUNDS // WAVE):
            await self._come(WAVE)
            await self._leave()
        for _ in range(OUTAGES // ROUNDS):
            await self._outage()
        if number % (ROUNDS // RESTARTS) == 0:
            await self._restart()
        await self._sample(of_sidecar=True)

    async def _come(self, count: int) -> None:
        """Let people join, and wait for their sessions."""
        for _ in range(count):
            self._join()
        await self._shown()

    def _join(self) -> None:
        self._numbers += 1
        self.day.stays += 1
        room = self._server.open(ROOM)
        grants = Grants(f"h{self._numbers % NAMES}", room=ROOM, room_join=True)
        person = room.join(grants, CLIENT_PROTOCOL, _NoLink(), "")  # type: ignore[arg-type]
        person.info.state = ParticipantInfo.State.ACTIVE
        room.changed(person, at_once=True)
        self._there.append(person)
        self._sids.add(person.info.sid)

    async def _leave(self) -> None:
        """Let everybody leave, and wait for the ends of their sessions."""
        while self._there:
            self._depart()
        await self._shown()

    def _depart(self) -> None:
        person = self._there.pop()
        self._server.open(ROOM).left(person, DisconnectReason.CLIENT_INITIATED)

    async def _shown(self) -> None:
        """Wait until the open sessions are those of the people who are there."""
        sids = {each.info.sid for each in self._there}
        await self._sidecar.until(
            lambda heard: {str(each["participantSid"]) for each in heard.shown.values()} == sids,
            HEARD_WITHIN_S,
        )

    async def _connected(self) -> None:
        await self._sidecar.until(lambda heard: heard.state == "connected", HEARD_WITHIN_S)

    async def _outage(self) -> None:
        """Cut the agent's link; meanwhile one person leaves, and one comes."""
        await self._come(2)
        agent = self._server.participant(ROOM, AGENT)
        assert agent is not None
        assert agent.link is not None
        before = len(self._sidecar.hearing.states)
        agent.link.cut()
        self._depart()
        self._join()
        await self._sidecar.until(lambda heard: len(heard.states) > before, HEARD_WITHIN_S)
        await self._connected()
        await self._shown()
        await self._leave()
        self.day.outages += 1

    async def _restart(self) -> None:
        """Stop the server with people in the room, and start it again."""
        await self._come(WAVE)
        self._there.clear()
        await self._server.stop()
        await self._sidecar.until(lambda heard: heard.state != "connected", HEARD_WITHIN_S)
        await self._server.start()
        await self._connected()
        await self._shown()
        self.day.restarts += 1

    async def _crash(self) -> None:
        """End the sidecar with people in the room, who are there afterwards."""
        await self._come(5)
        await self._sidecar.crash(0.0)
        await self._connected()
        await self._leave()
        self.day.crashes += 1
        await self._sample(of_sidecar=False)

    async def _sample(self, *, of_sidecar: bool) -> None:
        client = self._sidecar.bridge
        self.day.bridge.append(Sample(self.day.stays, await resources.of_bridge(client)))
        if of_sidecar:
            (pid,) = client.sidecar_pids()
            figures = await resources.of_sidecar(pid, self._handle)
            self.day.sidecar.append(Sample(self.day.stays, figures))

    def _judge(self) -> None:
        heard, broken = self._sidecar.hearing, self.day.broken
        of_sid = Counter(each.sid for each in heard.sessions)
        broken += [f"no session for {sid}" for sid in self._sids - of_sid.keys()]
        broken += [f"{count} sessions for {sid}" for sid, count in of_sid.items() if count != 1]
        broken += [f"{each.id} has no end" for each in heard.sessions if not each.reason]
        broken += [each.words for each in heard.disorders]
        broken += [line for _, line in self._sidecar.errors()]
        broken += [words for _, words in self._sidecar.deaths]


async def run_day(seconds: float, node: Path, rounds: int = ROUNDS) -> Day:
    """Play a day of *rounds*, or as much of it as fits into *seconds*.

    Raises TimeoutError when a session, its end or the agent's return did not come in a minute.
    """
    async with contextlib.AsyncExitStack() as stage:
        server = await stage.enter_async_context(EmbeddedRoom(announce_every_s=ANNOUNCE_EVERY_S))
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory()))
        handle = folder / "room.sock"
        target = {
            "url": server.url,
            "apiKey": server.api_key,
            "apiSecret": server.api_secret,
            "room": ROOM,
            "identity": AGENT,
        }
        sidecar = WatchedBridge(node, (sys.executable, str(DRIVEN), str(handle)), target, handle)
        await sidecar.start()
        stage.callback(sidecar.client.kill)
        play = _Play(server, sidecar, handle)
        await play.run(time.monotonic() + seconds, rounds)
        await sidecar.stop()
    return play.day
