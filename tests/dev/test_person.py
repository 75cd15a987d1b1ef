"""A Person is a participant of a real room, in this process or in one of its own."""

from __future__ import annotations

import asyncio

import pytest
from livekit import rtc

from sidecar.dev.person import CHAT_TOPIC, Person
from sidecar.dev.person_process import PersonFailed, PersonProcess
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token

WAIT_S = 15.0
ROOM = "dev-person"


class Watcher:
    """A participant of kind agent that writes down what the room tells it."""

    def __init__(self, server: DevServer) -> None:
        token = mint_token(server.api_key, server.api_secret, ROOM, "watcher", kind="agent")
        self.person = Person(server.url, token, "watcher")
        self.seen: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._reading: set[asyncio.Task[None]] = set()
        room = self.person.room
        room.on("participant_connected", lambda p: self.seen.put_nowait(("came", p.sid)))
        room.on("participant_disconnected", lambda p: self.seen.put_nowait(("went", p.sid)))
        room.register_text_stream_handler(CHAT_TOPIC, self._on_text)

    def _on_text(self, reader: rtc.TextStreamReader, identity: str) -> None:
        reading = asyncio.ensure_future(self._read(reader, identity))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    async def _read(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self.seen.put_nowait(("said", f"{identity}: {await reader.read_all()}"))

    async def until(self, fact: tuple[str, str]) -> None:
        """Wait for the fact, dropping those before it."""
        async with asyncio.timeout(WAIT_S):
            while await self.seen.get() != fact:
                pass


@pytest.fixture
async def watcher(server: DevServer):
    watcher = Watcher(server)
    await watcher.person.join()
    yield watcher
    await watcher.person.leave()


def token_for(server: DevServer, identity: str) -> str:
    return mint_token(server.api_key, server.api_secret, ROOM, identity)


async def test_a_person_in_this_process_comes_says_something_and_goes(server, watcher):
    anna = Person(server.url, token_for(server, "anna"), "anna")
    await anna.join()
    await anna.publish()
    await watcher.until(("came", anna.sid))
    await anna.chat("hello")
    await watcher.until(("said", "anna: hello"))
    sid = anna.sid
    await anna.leave()
    await watcher.until(("went", sid))


async def test_a_person_in_a_process_comes_says_something_and_goes(server, watcher):
    async with PersonProcess(server.url, token_for(server, "bob"), "bob") as bob:
        await bob.join()
        await bob.set_attributes({"mood": "fine"})
        await watcher.until(("came", bob.sid))
        await bob.chat("hello")
        await watcher.until(("said", "bob: hello"))
        await bob.leave()
        await watcher.until(("went", bob.sid))
        assert await bob.gone == "CLIENT_INITIATED"


async def test_a_person_leaves_when_its_process_is_ended(server, watcher):
    async with PersonProcess(server.url, token_for(server, "carl"), "carl") as carl:
        await carl.join()
        await carl.publish()
        await watcher.until(("came", carl.sid))
        assert await carl.stop() == 0
    await watcher.until(("went", carl.sid))


async def test_a_killed_person_tells_nobody_and_its_acts_fail(server):
    async with PersonProcess(server.url, token_for(server, "dora"), "dora") as dora:
        await dora.join()
        dora.kill()
        async with asyncio.timeout(WAIT_S):
            assert await dora.gone is None
        with pytest.raises(PersonFailed, match="process ended before chat"):
            await dora.chat("too late")


async def test_a_refused_person_says_why_without_its_token(server):
    token = mint_token(server.api_key, "x" * 40, ROOM, "eve")
    async with PersonProcess(server.url, token, "eve") as eve:
        with pytest.raises(PersonFailed, match="401 Unauthorized") as failure:
            await eve.join()
    assert token not in str(failure.value)
