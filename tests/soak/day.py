"""A working day, squeezed: stays, outages, server restarts and crashes, and what they leave behind.

Owns the rounds of the day and its samples. The server is the double, whose people have no media: a
real server with real people makes some hundred stays in the time. The sidecar, the SDK, its links,
the bridge and its Node are real. The random soak (soak.py) has the real server.

A whole day takes about 25 minutes. What takes the time is the SDK: it resumes its connection in
3 s, whatever the server does. So everything else happens meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from livekit.protocol.models import DisconnectReason

from sidecar.dev.child import ChildGone
from sidecar.dev.embedded.script import Script
from sidecar.dev.embedded_room import EmbeddedRoom
from sidecar.dev.stdio_client import RpcError
from tests.soak import resources
from tests.soak.bridged import WatchedBridge
from tests.soak.guests import Guests, Stay
from tests.soak.hearing import Hearing
from tests.soak.slopes import CRASHES as BY_CRASHES
from tests.soak.slopes import Sample, Slope, slopes

STAYS, OUTAGES, RESTARTS, CRASHES = 20_000, 500, 50, 50
"""Of a whole day."""
ROUNDS = 250
WAVE = 32
"""People who come at a time."""
RESTARTED, CRASHED = 20, 5
"""People who are there when the server stops, and when the sidecar ends."""
FULL_EVERY = 2
"""One outage in so many is a full reconnect of the agent's SDK, the others are resumed."""
ROOM = "day"
AGENT = "clara"
DRIVEN = Path(__file__).parents[1] / "livekit" / "faults" / "driven.py"
HEARD_WITHIN_S = 60.0
CRASH_SHARE = 0.25
CRASH_S = 6.0
"""Of the time, and for each, for the crashes: they come last, since a crash ends the samples of a
sidecar."""
SHOWN = 20
"""Broken promises."""
TOLD_EVERY = 10
"""Rounds."""


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
    crashed: list[Sample] = field(default_factory=list)
    """Of the bridge, by crashes."""
    broken: list[str] = field(default_factory=list)
    """Promises that did not hold."""

    @property
    def slopes(self) -> list[Slope]:
        """The slopes of both processes."""
        return [
            *slopes("sidecar", self.sidecar),
            *slopes("bridge", self.bridge),
            *slopes("bridge", self.crashed, BY_CRASHES),
        ]

    @property
    def is_whole(self) -> bool:
        """Whether it had all that a day has."""
        had = (self.stays, self.outages, self.restarts, self.crashes)
        return all(a >= b for a, b in zip(had, (STAYS, OUTAGES, RESTARTS, CRASHES), strict=True))

    @property
    def is_good(self) -> bool:
        """Whether every promise held and no figure grows; of a whole day, whether all are flat."""
        found = self.slopes
        if self.broken or any(each.grows for each in found):
            return False
        return not self.is_whole or (bool(found) and all(each.is_flat for each in found))

    def done(self) -> str:
        """Tell how much of a day it was."""
        return (
            f"day: {self.stays} stays of {STAYS:,}, {self.outages} outages of {OUTAGES},"
            f" {self.restarts} server restarts of {RESTARTS}, {self.crashes} crashes of {CRASHES},"
            f" in {self.seconds:.0f} s"
        )

    def samples(self) -> Iterator[str]:
        """Give every sample as a line of JSON."""
        kinds = {"sidecar": self.sidecar, "bridge": self.bridge, "bridge by crashes": self.crashed}
        for whose, taken in kinds.items():
            for each in taken:
                yield json.dumps({"of": whose, "after": each.after, **each.figures})

    def lines(self) -> list[str]:
        """Tell it."""
        counts = f"samples: {len(self.sidecar)} of the sidecar, {len(self.bridge)} of the bridge"
        broken = [f"BROKEN: {each}" for each in self.broken[:SHOWN]]
        promises = f"broken promises: {len(self.broken)}"
        return [self.done(), counts, *(each.line() for each in self.slopes), *broken, promises]


class _Forgetful(Script):
    """The server forgets the agent, when told to."""

    is_forgotten = False

    def refuses_resume(self, identity: str) -> bool:
        """Whether *identity* must reconnect in full."""
        return self.is_forgotten


class _Play:
    """One day on one double, heard through one bridge."""

    def __init__(
        self, server: EmbeddedRoom, script: _Forgetful, sidecar: WatchedBridge, handle: Path
    ) -> None:
        self._server = server
        self._script = script
        self._sidecar = sidecar
        self._handle = handle
        self._guests = Guests(server, ROOM)
        self._began_s = time.monotonic()
        self.day = Day()

    async def run(self, seconds: float) -> None:
        """Play the whole day, or as many of its rounds as fit: then the crashes."""
        try:
            await self._play(seconds)
        except (ChildGone, RpcError, TimeoutError) as error:
            self.day.broken.append(f"the day ended early: {error!r}")
        self._note_time()
        self.day.broken += self._broken()

    async def _play(self, seconds: float) -> None:
        until_s = self._began_s + seconds
        calm_until_s = until_s - min(seconds * CRASH_SHARE, CRASHES * CRASH_S)
        await self._connected()
        played = 0
        while played < ROUNDS and time.monotonic() < calm_until_s:
            await self._round(played)
            played += 1
            self._tell_progress(played)
        await self._settled()
        while self.day.crashes < CRASHES and (not self.day.crashes or time.monotonic() < until_s):
            await self._crash()
        await self._settled()

    async def _round(self, number: int) -> None:
        for outage in range(number * OUTAGES // ROUNDS, (number + 1) * OUTAGES // ROUNDS):
            await self._outage(is_full=outage % FULL_EVERY == 0)
        if number % (ROUNDS // RESTARTS) == 0:
            await self._restart()
            await self._settled()
        while len(self._guests.stays) < STAYS * (number + 1) // ROUNDS:
            await self._wave()

    async def _wave(self) -> None:
        """Let people join, speak and go, each in one of the ways."""
        guests = self._guests
        people = [guests.join() for _ in range(WAVE)]
        waits = guests.join(is_active=False)
        await self._shown()
        speaks, is_removed, is_lost, reloads = people[:4]
        for text in ("hello", "goodbye"):
            guests.speak(speaks, text)
        guests.leave(is_lost, DisconnectReason.CONNECTION_TIMEOUT)
        guests.leave(waits, DisconnectReason.JOIN_FAILURE)
        guests.reload(reloads)
        await self._close(is_removed)
        await self._shown()
        guests.leave_all()

    async def _close(self, stay: Stay) -> None:
        """Have the agent remove a person, as the app does."""
        shown = self._sidecar.hearing.shown.values()
        (session_id,) = (each["sessionId"] for each in shown if each["participantSid"] == stay.sid)
        self._guests.removed(stay)
        await self._sidecar.bridge.request("closeSession", {"sessionId": session_id})

    async def _shown(self) -> None:
        await self._heard("the sessions of everybody who is there", self._guests.are_shown)

    async def _settled(self) -> None:
        """Wait until nobody is there and no session is open.

        A session whose end was not heard closes after 3 s without an outage.
        """
        await self._heard("the end of every session", self._guests.are_over)

    async def _connected(self) -> None:
        await self._heard("the agent's return", lambda heard: heard.state == "connected")

    async def _heard(self, what: str, holds: Callable[[Hearing], bool]) -> None:
        try:
            await self._sidecar.until(holds, HEARD_WITHIN_S)
        except TimeoutError:
            raise TimeoutError(f"{what} did not come in {HEARD_WITHIN_S:.0f} s") from None

    async def _outage(self, *, is_full: bool) -> None:
        """Cut the agent's link: meanwhile people leave, reload and come.

        *is_full*: the server has forgotten the agent, whose SDK must reconnect fully.
        """
        guests = self._guests
        leaves, reloads, _ = (guests.join() for _ in range(3))
        await self._shown()
        await self._sample()
        agent = self._server.participant(ROOM, AGENT)
        assert agent is not None
        assert agent.link is not None
        before = len(self._sidecar.hearing.states)
        self._script.is_forgotten = is_full
        agent.link.cut()
        guests.leave_unheard(leaves)
        guests.reload(reloads)
        await self._heard("the outage", lambda heard: len(heard.states) > before)
        await self._wave()
        await self._connected()
        self.day.outages += 1

    async def _restart(self) -> None:
        """Stop the server with people in the room, and start it again; half of them return."""
        guests = self._guests
        for _ in range(RESTARTED):
            guests.join()
        await self._shown()
        gone = guests.lost()
        await self._server.stop()
        await self._heard("the server's stop", lambda heard: heard.state != "connected")
        await self._server.start()
        for stay in gone[::2]:
            guests.return_to(stay)
        await self._connected()
        await self._shown()
        guests.leave_all()
        self.day.restarts += 1

    async def _crash(self) -> None:
        """End the sidecar with people in the room; meanwhile some leave, reload and come."""
        guests = self._guests
        people = [guests.join() for _ in range(CRASHED)]
        await self._shown()
        crash = asyncio.create_task(self._sidecar.crash(0.0))
        guests.leave_unheard(people[0])
        guests.reload(people[1])
        guests.join()
        await crash
        await self._connected()
        await self._shown()
        guests.leave_all()
        self.day.crashes += 1
        self.day.crashed.append(Sample(self.day.crashes, await self._of_bridge()))

    async def _sample(self) -> None:
        client, after = self._sidecar.bridge, len(self._guests.stays)
        (pid,) = client.sidecar_pids()
        self.day.sidecar.append(Sample(after, await resources.of_sidecar(pid, self._handle)))
        self.day.bridge.append(Sample(after, await self._of_bridge()))

    async def _of_bridge(self) -> dict[str, float]:
        client = self._sidecar.bridge
        client.forget()
        return await resources.of_bridge(client)

    def _tell_progress(self, played: int) -> None:
        if played % TOLD_EVERY == 0:
            self._note_time()
            print(self.day.done(), file=sys.stderr, flush=True)

    def _note_time(self) -> None:
        self.day.seconds = time.monotonic() - self._began_s
        self.day.stays = len(self._guests.stays)

    def _broken(self) -> Iterator[str]:
        heard = self._sidecar.hearing
        yield from self._guests.broken(heard)
        yield from (each.words for each in heard.disorders)
        yield from (line for _, line in self._sidecar.errors())
        yield from (words for _, words in self._sidecar.deaths)


async def run_day(
    seconds: float, node: Path, *, driven: Path = DRIVEN, consumer: Sequence[str] = ()
) -> Day:
    """Play a day, or as much of it as fits into *seconds*.

    *driven*: the sidecar's program, *consumer*: arguments of the bridge's; other ones leak.

    What does not come in a minute, a session, its end or the agent's return, ends the day.
    """
    script = _Forgetful()
    async with contextlib.AsyncExitStack() as stage:
        server = await stage.enter_async_context(EmbeddedRoom(script=script))
        folder = Path(stage.enter_context(tempfile.TemporaryDirectory()))
        handle = folder / "room.sock"
        target = {
            "url": server.url,
            "apiKey": server.api_key,
            "apiSecret": server.api_secret,
            "room": ROOM,
            "identity": AGENT,
        }
        sidecar = WatchedBridge(
            node, (sys.executable, str(driven), str(handle)), target, handle, consumer
        )
        await sidecar.start()
        stage.push_async_callback(sidecar.bridge.stop)
        play = _Play(server, script, sidecar, handle)
        await play.run(seconds)
        await sidecar.stop()
    return play.day
