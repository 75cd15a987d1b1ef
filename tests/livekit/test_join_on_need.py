"""`join: 'needed'` on the real server: the agent comes for people and loses none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, SidecarClient
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import closes, connect_params, identities, session_of

FOUND_WITHIN_S = 45.0
"""The agent looks every 30 s; the rest is the join."""


@pytest_asyncio.fixture
async def sidecar(source_command: list[str]) -> AsyncIterator[SidecarClient]:
    async with SidecarClient([*source_command, "--wait"]) as running:
        yield running
        assert await running.stop() == 0


def needed(server: DevServer, room: str, leave_after_ms: int = 500) -> JsonObject:
    """The params of a `connect` for an agent that is in the room only with people."""
    return connect_params(server, room, join="needed", leaveAfterMs=leave_after_ms)


async def becomes(
    sidecar: SidecarClient, state: str, *, since: int = 0, timeout_s: float = 10.0
) -> object:
    """Wait until the agent is in *state*, *since* this notification; give the reason."""
    changed = await sidecar.notified(
        "agent-state-changed",
        lambda params: params["state"] == state,
        since=since,
        timeout_s=timeout_s,
    )
    return changed.params["reason"]


async def page(server: DevServer, sidecar: SidecarClient, identity: str) -> Person:
    """A page with a token of `createConnection`, about to join."""
    details = await sidecar.call("createConnection", {"identity": identity})
    return Person(server.url, str(details["token"]), identity)


async def hears(
    sidecar: SidecarClient, method: str, identity: str, timeout_s: float = 10.0
) -> JsonObject:
    """Wait for this notification about *identity*; give its session."""
    heard = await sidecar.notified(
        method,
        lambda params: session_of(params)["participantId"] == identity,
        timeout_s=timeout_s,
    )
    return session_of(heard.params)


async def leaves(sidecar: SidecarClient, who: Person) -> int:
    """*who* leaves; give the number of notifications up to the end of their session."""
    await who.leave()
    await hears(sidecar, "session-closed", who.identity)
    return len(sidecar.notifications) - 1


async def test_a_call_brings_the_agent_and_its_end_takes_it_out_of_a_room_that_was_not_there(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    status = await sidecar.call("connect", needed(server, room))
    assert (status["state"], status["reason"]) == ("idle", "nobody-there")
    assert await becomes(sidecar, "idle") == "nobody-there"
    bob = await page(server, sidecar, "bob")
    await bob.join()
    await hears(sidecar, "session-created", "bob")
    since = await leaves(sidecar, bob)
    assert await becomes(sidecar, "idle", since=since) == "nobody-there"
    assert closes(sidecar) == [("bob", "left")]
    assert (await sidecar.call("getStatus"))["warnings"] == []


@pytest.mark.full
async def test_a_person_with_a_token_from_elsewhere_is_found_within_30_s(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", needed(server, room))
    bob = person("bob")
    await bob.join()
    await hears(sidecar, "session-created", "bob", FOUND_WITHIN_S)
    since = await leaves(sidecar, bob)
    assert await becomes(sidecar, "idle", since=since) == "nobody-there"


@pytest.mark.full
async def test_people_who_come_while_the_agent_leaves_have_one_session_each(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", needed(server, room, 0))
    expected = []
    for number in range(4):
        bob = await page(server, sidecar, f"bob-{number}")
        await bob.join()
        await hears(sidecar, "session-created", bob.identity)
        since = await leaves(sidecar, bob)
        await becomes(sidecar, "idle", since=since)
        # The agent is on its way out, and the next page comes at this moment.
        expected.append((bob.identity, "left"))
    assert closes(sidecar) == expected


@pytest.mark.full
async def test_a_crash_in_the_room_brings_the_next_process_back_and_one_while_idle_leaves_it_out(
    server: DevServer, room: str, person: Arrive, source_command: list[str]
) -> None:
    bob = person("bob")
    await bob.join()
    command = [*source_command, "--wait"]
    async with SidecarClient(command) as first:
        assert (await first.call("connect", needed(server, room)))["state"] == "idle"
        resume = [await hears(first, "session-created", "bob")]  # looked up at once
        first.kill()
    async with SidecarClient(command) as second:
        await second.call("initialize", {"protocolVersion": 1, "resume": resume})
        status = await second.call("connect", needed(server, room))
        assert status["state"] == "connected"
        assert await identities(second) == ["bob"]
        since = await leaves(second, bob)
        await becomes(second, "idle", since=since)
        second.kill()
    async with SidecarClient(command) as third:
        await third.call("initialize", {"protocolVersion": 1})
        assert (await third.call("connect", needed(server, room)))["reason"] == "nobody-there"
        assert await third.stop() == 0


@pytest.mark.full
async def test_a_room_that_the_server_closes_for_want_of_people_is_left_alone(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    bob = person("bob")
    await bob.join()  # the room has the server's own timeouts: 20 s after the last person
    await sidecar.call("connect", needed(server, room, 60_000))
    await hears(sidecar, "session-created", "bob")
    since = await leaves(sidecar, bob)
    assert await becomes(sidecar, "backoff", since=since, timeout_s=40) == "ROOM_CLOSED"
    assert await becomes(sidecar, "idle", since=since) == "nobody-there"


@pytest.mark.full
async def test_a_server_that_is_down_is_warned_of_and_a_call_is_joined_once_it_is_up(
    server_binary: Path, room: str, sidecar: SidecarClient
) -> None:
    server = DevServer(server_binary)
    assert (await sidecar.call("connect", needed(server, room)))["state"] == "idle"
    await sidecar.logged("The agent is out of its room, and cannot look")
    async with server:
        bob = await page(server, sidecar, "bob")
        await bob.join()
        await hears(sidecar, "session-created", "bob")
        assert (await sidecar.call("getStatus"))["warnings"] == []
        await leaves(sidecar, bob)
        await sidecar.stop()
