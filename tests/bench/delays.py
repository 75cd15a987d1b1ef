"""How late a session is told, beside the SDK's own callback: `python -m tests.bench.delays`.

Run by hand, on a quiet machine; takes about three minutes. People come and go at random moments of
the server's batches, silent, publishing, or silent with a connection that the sidecar made for
them; they leave, reload, are killed or cut off. In the same room and run sits a plain SDK client;
both are timed with this process's clock. Prints a table in Markdown: each cell is min / median /
max, in ms. `--write` puts it into docs/delays.md. Status 1 where a promised maximum is exceeded.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from livekit import rtc

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.dev.person import Person, end_process
from sidecar.dev.server_build import find_server
from sidecar.dev.stdio_client import JsonObject
from tests.bench.document import DOCUMENT, write_between
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

SILENT, PUBLISHING, EXPECTED = "silent", "publishing", "silent, expected"
"""Who: publishes nothing; publishes as soon as they have joined; publishes nothing and joins with a
connection of `createConnection`."""
AT_ONCE_S = 1.5
"""What the server tells at once, and what the sidecar asks for every 0.5 s."""
BATCHED_S = 4.0
"""What the server tells at its next tick of 3 s."""
UNANSWERED_S = 30.0
"""One who is gone without a word: the server waits for about 20 s (10 s of ICE disconnected, 5 s of
failed, 5 s of its own), and tells at its next tick."""

Case = tuple[str, str]
"""(who, from what to what)."""

PROMISED_S: dict[Case, float] = {
    (SILENT, "join to session-created"): BATCHED_S,
    (EXPECTED, "join to session-created"): AT_ONCE_S,
    (PUBLISHING, "join to session-created"): AT_ONCE_S,
    (SILENT, "leave to session-closed"): BATCHED_S,
    (EXPECTED, "leave to session-closed"): BATCHED_S,
    (PUBLISHING, "leave to session-closed"): AT_ONCE_S,
    (SILENT, "reload: leave to session-closed"): BATCHED_S,
    (SILENT, "reload: join to session-created"): BATCHED_S,
    (PUBLISHING, "reload: leave to session-closed"): AT_ONCE_S,
    (PUBLISHING, "reload: join to session-created"): AT_ONCE_S,
    (SILENT, "killed to session-closed"): UNANSWERED_S,
    (PUBLISHING, "killed to session-closed"): UNANSWERED_S,
    (SILENT, "cut off to session-closed"): UNANSWERED_S,
    (PUBLISHING, "cut off to session-closed"): UNANSWERED_S,
}
"""The rows of the table, and the maxima of the contract."""
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

    async def clean(self, name: str, who: str) -> None:
        """Join, then leave."""
        await self._some_moment()
        began_s = time.monotonic()
        person = await self._arrived(name, who)
        await self._created(who, "join", began_s, person.sid)
        await self._some_moment()
        began_s = time.monotonic()
        await person.leave()
        await self._closed(who, "leave", began_s, person.sid)

    async def reload(self, name: str, who: str) -> None:
        """Leave, and be back at once."""
        old = await self._arrived(name, who)
        await self._agent.sees(old)
        await self._some_moment()
        left_s = time.monotonic()
        await old.leave()
        began_s = time.monotonic()
        new = await self._arrived(name, who)
        await self._closed(who, "reload: leave", left_s, old.sid)
        await self._created(who, "reload: join", began_s, new.sid)
        await new.leave()

    async def killed(self, name: str, who: str) -> None:
        """The process is gone."""
        person = await self.stage.machine(name, publishes=who == PUBLISHING)
        await self._agent.sees(person)
        await self._some_moment()
        began_s = time.monotonic()
        person.kill()
        await self._closed(who, "killed", began_s, person.sid)

    async def cut(self, name: str, who: str) -> None:
        """The network is gone: no more packets, and no end of any connection."""
        way = await self.stage.way(media_far=True)
        person = await self.stage.machine(name, publishes=who == PUBLISHING, url=way.url)
        await self._agent.sees(person)
        await self._some_moment()
        began_s = time.monotonic()
        way.set(Mode.SILENT)
        await self._closed(who, "cut off", began_s, person.sid)
        person.kill()

    async def _arrived(self, name: str, who: str) -> Person:
        if who != EXPECTED:
            return await self.stage.person(name, publishes=who == PUBLISHING)
        details = await self._agent.client.call("createConnection", {"identity": name})
        person = Person(self.stage.server.url, str(details["token"]), name)
        await person.join()
        return person

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


Act = Callable[[Measuring, str, str], Awaitable[None]]
Acts = Sequence[tuple[Act, str, int]]
"""What is done, by whom, and how often."""

IN_ORDER: Acts = (
    (Measuring.clean, SILENT, STAYS),
    (Measuring.clean, EXPECTED, STAYS),
    (Measuring.clean, PUBLISHING, STAYS),
    (Measuring.reload, SILENT, STAYS),
    (Measuring.reload, PUBLISHING, STAYS),
)
KILLED: Acts = tuple((Measuring.killed, who, ACCIDENTS) for who in (SILENT, PUBLISHING))
CUT: Acts = tuple((Measuring.cut, who, ACCIDENTS) for who in (SILENT, PUBLISHING))


async def measure(binary: Path, delays: Delays, acts: Acts, *, media_far: bool) -> None:
    """Let *acts* be done in a room of their own, in any order, some at a time."""
    stays = [
        (f"{act.__name__}-{number}-{who.replace(', ', '-')}", act, who, count)
        for act, who, count in acts
        for number in range(count)
    ]
    random.Random(SEED).shuffle(stays)  # noqa: S311 - not for secrets
    places = asyncio.Semaphore(AT_ONCE)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sidecar"]
        async with Stage(binary, command, Path(folder)) as stage:
            await stage.serve(media_far=media_far)
            agent = await stage.agent(url=stage.server.url)
            agent.law.accept({name: set(CloseReason) for name, _, _, _ in stays})
            observer = Observer()
            await observer.room.connect(stage.server.url, stage.token("observer", "agent"))
            measuring = Measuring(stage, agent, observer, delays)

            async def one(name: str, act: Act, who: str, count: int) -> None:
                # Those whom the server has to notice wait for it all at once.
                async with places if count == STAYS else asyncio.Semaphore():
                    await act(measuring, name, who)

            await asyncio.gather(*(one(*each) for each in stays))
            await stage.judge()
            await observer.room.disconnect()


async def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 where a promised maximum is exceeded."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.delays", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/delays.md")
    told = parser.parse_args(arguments)
    logging.getLogger("livekit").disabled = True  # it tells of every killed person
    binary = await find_server(print, given=os.environ.get("LIVEKIT_SERVER"))
    delays: Delays = defaultdict(list)
    await measure(binary, delays, IN_ORDER, media_far=False)
    await measure(binary, delays, KILLED, media_far=False)
    await measure(binary, delays, CUT, media_far=True)
    lines = table(delays)
    print(lines)
    if told.write:
        write_between(DOCUMENT, "delays", lines)
    broken = [
        f"{who}, {what}: over {PROMISED_S[who, what]:.1f} s"
        for (who, what), figures in delays.items()
        if max(told_ms for _, told_ms in figures) > PROMISED_S[who, what] * 1000
    ]
    print("\n".join(broken) or "within all promised maxima")
    return 1 if broken else 0


def table(delays: Delays) -> str:
    """The figures, in Markdown."""
    lines = [
        "| person | from, to | n | SDK's callback, ms | notification, ms | at most, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case, promised_s in PROMISED_S.items():
        figures = delays[case]
        callback, notification = (_cell([each[column] for each in figures]) for column in (0, 1))
        row = (*case, str(len(figures)), callback, notification, f"{promised_s:.1f}")
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{min(values):.0f} / {statistics.median(values):.0f} / {max(values):.0f}"


def _of(sid: str) -> Callable[[JsonObject], bool]:
    def has(params: JsonObject) -> bool:
        session = params.get("session")
        return isinstance(session, dict) and session.get("participantSid") == sid

    return has


if __name__ == "__main__":
    end_process(asyncio.run(main(sys.argv[1:])))
