"""What tests with a real room share: a room of their own, tokens for it, and people."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token

Arrive = Callable[[str], Person]


@pytest.fixture
def room() -> str:
    """The name of a room that no other test uses; the first to join creates it."""
    return f"room-{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def person(server: DevServer, room: str) -> AsyncIterator[Arrive]:
    """Make people by identity, who have yet to join(); all have left when the test ends."""
    made: list[Person] = []

    def make(identity: str) -> Person:
        token = mint_token(server.api_key, server.api_secret, room, identity)
        made.append(Person(server.url, token, identity))
        return made[-1]

    yield make
    for each in made:
        await each.leave()
