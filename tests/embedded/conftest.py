"""The double beside the real server: what their tests share.

`any_server` runs a test on both. The tests of tests/livekit that are taken over here (see
test_contract_sidecar.py) find the double under the name of `server`; on the real one they run
where they are at home.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sidecar.core.config import Target
from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from sidecar.rtc.interfaces import has_interface_beside_loopback
from tests import parts
from tests.embedded.held import Held
from tests.livekit.stdio import connect_params

try:
    from sidecar.dev.embedded.script import Script
    from sidecar.dev.embedded_room import EmbeddedRoom
except ImportError as missing:
    if missing.name not in ("aiortc", "aioice"):
        raise
    collect_ignore_glob = ["test_*.py"]
    parts.not_run["embedded room"] = "aiortc is not installed; uv pip install '.[demo]'"
    if parts.REQUIRE_ALL:
        raise

Arrive = Callable[..., Person]
"""Makes a person of a server and an identity, or of an identity alone."""
AnyServer = DevServer | EmbeddedRoom
StartSidecar = Callable[..., Awaitable[Held]]


@pytest_asyncio.fixture
async def embedded() -> AsyncIterator[EmbeddedRoom]:
    """The double, by the book."""
    _require()
    async with EmbeddedRoom() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_server(server_binary: Path) -> AsyncIterator[DevServer]:
    """One real LiveKit server for all of this folder."""
    async with DevServer(server_binary) as running:
        yield running


@pytest.fixture(params=[pytest.param("real_server", marks=pytest.mark.full), "embedded"])
def any_server(request: pytest.FixtureRequest) -> AnyServer:
    """The real server, and the double."""
    chosen: AnyServer = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def server(embedded: EmbeddedRoom) -> EmbeddedRoom:
    """The double, for tests that know it as the server."""
    return embedded


@pytest.fixture
def room() -> str:
    """The name of a room that no other test uses."""
    return f"room-{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def people(room: str) -> AsyncIterator[Callable[..., Person]]:
    """Make people of any server; all have left when the test ends."""
    made: list[Person] = []

    def make(server: AnyServer, identity: str, **token: Any) -> Person:
        signed = mint_token(server.api_key, server.api_secret, room, identity, **token)
        made.append(Person(server.url, signed, identity))
        return made[-1]

    yield make
    for each in made:
        await each.leave()


@pytest.fixture
def person(people: Callable[..., Person], server: EmbeddedRoom) -> Arrive:
    """Make people of the double by identity, who have yet to join()."""
    return lambda identity: people(server, identity)


@pytest.fixture
def sidecar_command(source_command: list[str]) -> list[str]:
    """The sidecar's source alone: the frozen one is held against the real server."""
    return source_command


@pytest_asyncio.fixture
async def sidecar_at(
    room: str, source_command: list[str], people: Callable[..., Person]
) -> AsyncIterator[StartSidecar]:
    """Start sidecars for a server, under the law; not connected yet.

    When the test ends, each is ended in order and held to the law once more, while the people are
    still there.
    """
    started: list[Held] = []
    async with contextlib.AsyncExitStack() as stack:

        async def start(server: AnyServer, **params: object) -> Held:
            secrets = (server.api_secret,)
            held = Held(source_command, connect_params(server, room, **params), secrets)
            await stack.enter_async_context(held.client)
            started.append(held)
            return held

        yield start
        for held in started:
            if held.client.returncode is None:
                await held.end()


def target_at(server: AnyServer, room: str) -> Target:
    """Where an agent with the server's own key and secret is to be."""
    return Target(
        url=server.url,
        room=room,
        identity="clara",
        name="Clara",
        auto_subscribe=False,
        api_key=server.api_key,
        api_secret=server.api_secret,
        token=None,
    )


def scripted(script: Script) -> EmbeddedRoom:
    """Make a double that follows *script*."""
    _require()
    return EmbeddedRoom(script=script)


def _require() -> None:
    why_not = "only loopback is up; bring up any other interface"
    parts.require("embedded room", None if has_interface_beside_loopback() else why_not)
