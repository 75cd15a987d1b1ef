"""How late a session is told, beside the SDK's own callback: `python -m tests.bench.delays`.

Run by hand, on a quiet machine; takes about two minutes. People come and go at random moments of
the server's batches, some silent, some publishing; they leave, reload, are killed or cut off. In
the same room and run sits a plain SDK client; both are timed with this process's clock. Prints a
table in Markdown: each cell is min / median / max, in ms.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from livekit import rtc

from sidecar.core.close_reasons import CloseReason
from sidecar.dev.person import end_process
from sidecar.dev.server_build import find_server
from sidecar.dev.stdio_client import JsonObject
from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import Agent

SEED = 1
STAYS = 24
"""Of each kind, that end in order; several at a time."""
ACCIDENTS = 6
"""Of each kind, that the server has to notice: about 20 s each, all at once."""
AT_ONCE = 4
BATCH_S = 3.0
"""livekit-server pkg/rtc/room.go, subscriberUpdateInterval."""
NOTICED_S = 60.0

Case = tuple[str, str]
"""(who, from what to what)."""
Delays = dict[Case, list[tuple[float, float]]]
"""Milliseconds, of the SDK's callback and of the sidecar's notification."""


class Observer:
    """A plain SDK client: when its callbacks came, by sid, as time.monotonic()."""

    def __init__(self) -> None:
        """Inside the running loop."""
        self.room = rtc.Room()
        self.joined: dict[str, float] = {}
        self.left: dict[str, float] = {}
        self.news = asyncio.Event()
        self.room.on("participant_connected", lambda who: self._note(self.joined, who.sid))
        self.room.on("participant_disconnected", lambda who: self._note(self.left, who.sid))

    async def of(self, times: dict[str, float], sid: str) -> float:
        """When the callback came, waiting for it."""
        async with asyncio.timeout(NOTICED_S):
            while sid not in times:
                await self.news.wait()
        return times[sid]

    def _note(self, times: dict[str, float], sid: str) -> None:
        times[sid] = time.monotonic()
        self.news.set()
        self.news = asyncio.Event()


class Measuring:
    """One room, the sidecar and the observer in it, and what was measured there."""

    def __init__(self, stage: Stage, agent: Agent, observer: Observer, delays: Delays) -> None:
        """*delays* takes the figures."""
        self.stage = stage
        self._agent = agent
        self._observer = observer
        self._delays = delays
        self._chance = random.Random(SEED)  # noqa: S311 - not for secrets

    async def clean(self, name: str, publishes: bool) -> None:
        """Join, then leave."""
        await self._some_moment()
        began_s = time.monotonic()
        person = await self.stage.person(name, publishes=publishes)
        await self._created(_who(publishes), "join", began_s, person.sid)
        await self._some_moment()
        began_s = time.monotonic()
        await person.leave()
        await self._closed(_who(publishes), "leave", began_s, person.sid)

    async def reload(self, name: str, publishes: bool) -> None:
        """Leave, and be back at once."""
        old = await self.stage.person(name, publishes=publishes)
        await self._agent.sees(old)
        await self._some_moment()
        left_s = time.monotonic()
        await old.leave()
        began_s = time.monotonic()
        new = await self.stage.person(name, publishes=publishes)
        await self._closed(_who(publishes), "reload: leave", left_s, old.sid)
        await self._created(_who(publishes), "reload: join", began_s, new.sid)
        await new.leave()

    async def killed(self, name: str, publishes: bool) -> None:
        """The process is gone."""
        person = await self.stage.machine(name, publishes=publishes)
        await self._agent.sees(person)
        await self._some_moment()
        began_s = time.monotonic()
        person.kill()
        await self._closed(_who(publishes), "killed", began_s, person.sid)

    async def cut(self, name: str, publishes: bool) -> None:
        """The network is gone: no more packets, and no end of any connection."""
        way = await self.stage.way(media_far=True)
        person = await self.stage.machine(name, publishes=publishes, url=way.url)
        await self._agent.sees(person)
        await self._some_moment()
        began_s = time.monotonic()
        way.set(Mode.SILENT)
        await self._closed(_who(publishes), "cut off", began_s, person.sid)
        person.kill()

    async def _created(self, who: str, what: str, began_s: float, sid: str) -> None:
        told = await self._agent.client.notified("session-created", _of(sid), timeout_s=NOTICED_S)
        heard_s = await self._observer.of(self._observer.joined, sid)
        self._keep(who, f"{what} to session-created", began_s, heard_s, told.at_s)

    async def _closed(self, who: str, what: str, began_s: float, sid: str) -> None:
        told = await self._agent.client.notified("session-closed", _of(sid), timeout_s=NOTICED_S)
        heard_s = await self._observer.of(self._observer.left, sid)
        self._keep(who, f"{what} to session-closed", began_s, heard_s, told.at_s)

    def _keep(self, who: str, what: str, began_s: float, heard_s: float, told_s: float) -> None:
        figures = ((heard_s - began_s) * 1000, (told_s - began_s) * 1000)
        self._delays[who, what].append(figures)

    async def _some_moment(self) -> None:
        """Any moment of the server's batch."""
        await asyncio.sleep(self._chance.uniform(0, BATCH_S))


Act = Callable[[Measuring, str, bool], Awaitable[None]]


async def _measure(
    binary: Path, delays: Delays, acts: Mapping[str, tuple[Act, int]], *, media_far: bool
) -> None:
    names = [
        (f"{act}-{number}-{publishes}", act, publishes)
        for act, (_, count) in acts.items()
        for number in range(count)
        for publishes in (False, True)
    ]
    places = asyncio.Semaphore(AT_ONCE)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sidecar"]
        async with Stage(binary, command, Path(folder)) as stage:
            await stage.serve(media_far=media_far)
            agent = await stage.agent(url=stage.server.url)
            agent.law.accept({name: set(CloseReason) for name, _, _ in names})
            observer = Observer()
            await observer.room.connect(stage.server.url, stage.token("observer", "agent"))
            measuring = Measuring(stage, agent, observer, delays)

            async def one(name: str, act: str, publishes: bool) -> None:
                # Those whom the server has to notice wait for it all at once.
                async with places if acts[act][1] == STAYS else asyncio.Semaphore():
                    await acts[act][0](measuring, name, publishes)

            await asyncio.gather(*(one(*each) for each in names))
            await stage.judge()
            await observer.room.disconnect()


async def main() -> None:
    """Measure, and print."""
    logging.getLogger("livekit").disabled = True  # it tells of every killed person
    binary = await find_server(print, given=os.environ.get("LIVEKIT_SERVER"))
    delays: Delays = defaultdict(list)
    in_order = {"clean": (Measuring.clean, STAYS), "reload": (Measuring.reload, STAYS)}
    await _measure(binary, delays, in_order, media_far=False)
    await _measure(binary, delays, {"killed": (Measuring.killed, ACCIDENTS)}, media_far=False)
    await _measure(binary, delays, {"cut": (Measuring.cut, ACCIDENTS)}, media_far=True)
    print(table(delays))


def table(delays: Delays) -> str:
    """The figures, in Markdown."""
    lines = [
        "| person | from, to | n | SDK's callback, ms | notification, ms |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (who, what), figures in delays.items():
        cells = [_cell([each[column] for each in figures]) for column in (0, 1)]
        lines.append(f"| {who} | {what} | {len(figures)} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{min(values):.0f} / {statistics.median(values):.0f} / {max(values):.0f}"


def _who(publishes: bool) -> str:
    return "publishing" if publishes else "silent"


def _of(sid: str) -> Callable[[JsonObject], bool]:
    def has(params: JsonObject) -> bool:
        session = params.get("session")
        return isinstance(session, dict) and session.get("participantSid") == sid

    return has


if __name__ == "__main__":
    asyncio.run(main())
    end_process(0)
