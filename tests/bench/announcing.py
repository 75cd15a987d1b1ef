"""What makes the server announce a silent person at once: `python -m tests.bench.announcing`.

Run by hand; takes about two minutes. People who publish nothing join at random moments of the
server's batches, each way a number of times; an SDK client in the room notes when it hears of
them. Prints a table in Markdown: from the moment the person's own connect() returned to the
callback, min / median / max in ms. `--write` puts it into docs/delays.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from livekit import api, rtc

from sidecar.dev.person import Person, end_process
from sidecar.dev.server import DevServer
from sidecar.dev.server_build import find_server
from sidecar.dev.tokens import mint_token
from tests.bench.document import DOCUMENT, write_between

TIMES = 16
AT_ONCE = 4
BATCH_S = 3.0
"""livekit-server pkg/rtc/room.go, subscriberUpdateInterval."""
HEARD_S = 20.0
ROOM = "announcing"
ABSENT = "clara.announce"
"""An attribute that nobody has."""

Way = Callable[["Measuring", Person], Awaitable[None]]


class Measuring:
    """One room, and who listens there."""

    def __init__(self, server: DevServer) -> None:
        """Inside the running loop."""
        self.server = server
        self.observer = rtc.Room()
        self._heard: dict[str, float] = {}
        self._news = asyncio.Event()
        self._chance = random.Random(1)  # noqa: S311 - not for secrets
        self.observer.on("participant_connected", self._note)

    async def start(self) -> None:
        """Listen."""
        await self.observer.connect(self.server.url, self._token("observer", kind="agent"))

    async def ms(self, identity: str, way: Way, attributes: dict[str, str]) -> float:
        """How long after its connect() returned *identity* was announced, joining *way*."""
        await asyncio.sleep(self._chance.uniform(0, BATCH_S))
        person = Person(self.server.url, self._token(identity, attributes=attributes), identity)
        beside = asyncio.create_task(knocking(self, identity)) if way is knock else None
        await person.join()
        joined_s = time.monotonic()
        await way(self, person)
        async with asyncio.timeout(HEARD_S):
            while person.sid not in self._heard:
                self._news.clear()
                await self._news.wait()
        if beside is not None:
            await beside
        await person.leave()
        return (self._heard[person.sid] - joined_s) * 1000

    async def update(self, identity: str, **what: Any) -> bool:
        """UpdateParticipant; whether the server knew the person."""
        server = self.server
        url = server.url.replace("ws", "http", 1)
        async with api.LiveKitAPI(url, server.api_key, server.api_secret) as there:
            with contextlib.suppress(api.ServerError):
                wanted = api.UpdateParticipantRequest(room=ROOM, identity=identity, **what)
                await there.room.update_participant(wanted)
                return True
        return False

    def _note(self, person: rtc.RemoteParticipant) -> None:
        self._heard[person.sid] = time.monotonic()
        self._news.set()

    def _token(self, identity: str, **more: object) -> str:
        key, secret = self.server.api_key, self.server.api_secret
        return mint_token(key, secret, ROOM, identity, **more)  # type: ignore[arg-type]


async def nothing(_: Measuring, person: Person) -> None:
    """Join, and no more."""


async def set_one(_: Measuring, person: Person) -> None:
    """With the grant to do so."""
    await person.set_attributes({"a": "1"})


async def drop_absent(_: Measuring, person: Person) -> None:
    """Which changes nothing."""
    await person.set_attributes({ABSENT: ""})


async def data_track(_: Measuring, person: Person) -> None:
    """Which makes a publisher of them."""
    await person.room.local_participant.publish_data_track(name="here")


async def api_set(there: Measuring, person: Person) -> None:
    """From outside, with the API secret."""
    await there.update(person.identity, attributes={"a": "1"})


async def api_drop_absent(there: Measuring, person: Person) -> None:
    """From outside, and changing nothing."""
    await there.update(person.identity, attributes={ABSENT: ""})


async def knock(_: Measuring, person: Person) -> None:
    """What knocking() does beside the join is enough."""


async def knocking(there: Measuring, identity: str) -> None:
    """Ask until the server knows *identity*."""
    async with asyncio.timeout(HEARD_S):
        while True:
            if await there.update(identity, attributes={ABSENT: ""}):
                return
            await asyncio.sleep(0.1)


WAYS: dict[str, tuple[Way, dict[str, str]]] = {
    "nothing": (nothing, {}),
    "attributes in the token": (nothing, {"a": "1"}),
    "page: sets an attribute": (set_one, {}),
    "page: takes away an attribute it does not have": (drop_absent, {}),
    "page: publishes a data track": (data_track, {}),
    "API: sets an attribute": (api_set, {}),
    "API: takes away an attribute nobody has": (api_drop_absent, {}),
    "API: the same, tried every 0.1 s from before the join": (knock, {}),
}


async def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.announcing", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/delays.md")
    told = parser.parse_args(arguments)
    lines = ["| what is done | n | ms |", "| --- | --- | --- |"]
    logging.getLogger("livekit").disabled = True
    binary = await find_server(print, given=os.environ.get("LIVEKIT_SERVER"))
    async with DevServer(binary) as server:
        there = Measuring(server)
        await there.start()
        places = asyncio.Semaphore(AT_ONCE)

        async def one(identity: str, way: Way, attributes: dict[str, str]) -> float:
            async with places:
                return await there.ms(identity, way, attributes)

        for name, (way, attributes) in WAYS.items():
            slug = f"p{list(WAYS).index(name)}"
            all_ms = await asyncio.gather(
                *(one(f"{slug}-{number}", way, attributes) for number in range(TIMES))
            )
            figures = f"{min(all_ms):.0f} / {statistics.median(all_ms):.0f} / {max(all_ms):.0f}"
            lines.append(f"| {name} | {TIMES} | {figures} |")
            print(lines[-1], flush=True)
        await there.observer.disconnect()
    if told.write:
        write_between(DOCUMENT, "announcing", "\n".join(lines))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
    end_process(0)
