"""`createConnection` where the client gives the token: what it is asked, what may come of it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import InvalidParams, NotAllowed
from sidecar.core.contract.messages import (
    ConnectionDetails,
    ConnectionParams,
    TokenGrants,
    TokenRequest,
)
from tests.agent.fakes import START_MS, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import SETTINGS, URL, World
from tests.core.tokens import agent_claims, token

NOW_S = START_MS // 1000
ALL = TokenGrants(True, True, True)
IN_THE_DEN = {"room": "den", "roomJoin": True}
EXPIRES_AT = "2026-01-01T01:00:00.000Z"


def person_s(**claims: object) -> str:
    """A token for a page, as of second 0; alice's unless it says otherwise."""
    said = {"sub": "alice", "kind": "", "exp": NOW_S + 3_600, **claims}
    return token(agent_claims(**said))


async def joined() -> World:
    """An agent that joined with a token of its client."""
    world = World(Settings(url=URL, room="den", identity="clara"))
    world.client.gives_tokens = True
    connecting = world.connecting()
    await turns()
    await world.client.gives(token(agent_claims(exp=NOW_S + 3_600, sub="clara-7")))
    await (await world.rooms.opened()).joins()
    await connecting
    world.client.asked.clear()
    return world


async def creating(world: World, **params: object) -> asyncio.Task[ConnectionDetails]:
    """A `createConnection` under way."""
    asked = ConnectionParams(**params)  # type: ignore[arg-type]
    task = asyncio.create_task(world.agent.create_connection(asked, "person-1"))
    await turns()
    return task


@in_virtual_time
async def test_the_client_is_asked_for_exactly_what_the_page_asked_for():
    world = await joined()
    more = {"metadata": "m", "attributes": {"a": "b"}, "ttl_seconds": 60}
    await creating(world, identity="alice", name="Alice", can_publish=False, **more)
    grants = TokenGrants(False, True, True, "m", {"a": "b"}, 60)
    assert world.client.asked == [TokenRequest("connection", "den", "alice", "Alice", grants)]


@in_virtual_time
async def test_the_page_gets_the_token_with_its_own_expiry():
    world = await joined()
    creation = await creating(world, identity="alice")
    given = person_s()
    await world.client.gives(given)
    assert await creation == ConnectionDetails(URL, "den", "alice", given, EXPIRES_AT)


@in_virtual_time
async def test_without_an_identity_the_token_s_own_identity_and_name_are_taken():
    world = await joined()
    creation = await creating(world)
    assert world.client.asked == [TokenRequest("connection", "den", None, None, ALL)]
    given = person_s(sub="ada@example.org", name="Ada")
    await world.client.gives(given, url="wss://nearer")
    expected = ConnectionDetails("wss://nearer", "den", "ada@example.org", given, EXPIRES_AT, "Ada")
    assert await creation == expected


@pytest.mark.parametrize("identity", [None, "alice"])
@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"video": {"room": "attic", "roomJoin": True}}, "for another room"),
        ({"video": {"roomJoin": True}}, "for another room"),
        ({"video": {"room": "den"}}, "does not allow joining"),
        ({"sub": ""}, "without an identity"),
        ({"sub": "clara"}, "identity"),
        ({"sub": "clara-7"}, "identity"),
        ({"kind": "agent"}, "of kind `agent`"),
        ({"exp": None}, "without an expiry"),
        ({"exp": 1e300}, "without an expiry"),
    ],
    ids=str,
)
@in_virtual_time
async def test_a_token_that_is_not_for_this_person_is_1006_and_is_not_shown(
    claims: dict[str, object], why: str, identity: str | None
):
    world = await joined()
    creation = await creating(world, identity=identity)
    given = person_s(**claims)
    await world.client.gives(given)
    with pytest.raises(NotAllowed, match=why) as caught:
        await creation
    assert given not in str(caught.value)
    assert "getToken" in caught.value.data["fix"]


@in_virtual_time
async def test_a_token_for_another_identity_than_asked_is_refused():
    world = await joined()
    creation = await creating(world, identity="bob")
    await world.client.gives(person_s())
    with pytest.raises(NotAllowed, match="for another identity"):
        await creation


@in_virtual_time
async def test_what_is_no_token_is_refused():
    world = await joined()
    creation = await creating(world)
    await world.client.gives("garbage")
    with pytest.raises(NotAllowed, match="no access token"):
        await creation


@in_virtual_time
async def test_an_error_in_the_code_of_get_token_is_not_blamed_on_the_endpoint():
    world = await joined()
    creation = await creating(world)
    await world.client.fails("getToken failed: fetch is not defined")
    with pytest.raises(NotAllowed) as caught:
        await creation
    assert caught.value.data["fix"] == (
        "Correct the app's `getToken`: its own code fails with this error."
    )


@in_virtual_time
async def test_a_client_that_fails_is_asked_once_and_its_reason_told():
    world = await joined()
    creation = await creating(world, identity="alice")
    await world.client.fails("getToken failed: signed out")
    with pytest.raises(NotAllowed, match=r"that this page can use: getToken failed: signed out\.$"):
        await creation
    await world.passes(600)
    assert len(world.client.asked) == 1


@pytest.mark.parametrize("identity", ["clara", "clara-7"])
@in_virtual_time
async def test_the_agent_s_own_identities_are_nobody_else_s(identity: str):
    world = await joined()
    with pytest.raises(InvalidParams, match="identity"):
        await world.agent.create_connection(ConnectionParams(identity=identity), "person-1")
    assert world.client.asked == []


@in_virtual_time
async def test_before_any_connect_there_is_no_room_to_join():
    world = World(Settings())
    world.client.gives_tokens = True
    with pytest.raises(NotAllowed, match="has no room yet") as caught:
        await world.agent.create_connection(ConnectionParams(), "person-1")
    assert caught.value.data["fix"] == "Send `connect` first."


@in_virtual_time
async def test_a_secret_makes_the_token_and_the_client_is_not_asked():
    world = World(SETTINGS)
    world.client.gives_tokens = True
    await world.joined()
    details = await world.agent.create_connection(ConnectionParams(name="Ada"), "person-1")
    assert (details.identity, details.name, world.client.asked) == ("person-1", "Ada", [])


@in_virtual_time
async def test_the_capabilities_say_that_connections_can_be_made():
    world = await joined()
    capabilities = world.agent.status().capabilities
    assert (capabilities.create_connection, capabilities.close_session) == (True, False)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"video": {**IN_THE_DEN, "roomAdmin": True}}, ["roomAdmin", "canPublish"]),
        ({"video": {**IN_THE_DEN, "canPublish": False, "hidden": True}}, ["hidden"]),
        ({"exp": NOW_S - 5, "video": {**IN_THE_DEN, "canPublish": False}}, ["has expired"]),
        (
            {"exp": NOW_S + 10 * 86_400, "video": {**IN_THE_DEN, "canPublish": False}},
            ["10 more days"],
        ),
        ({"nbf": NOW_S + 500, "video": {**IN_THE_DEN, "canPublish": False}}, ["not valid yet"]),
        ({"video": {**IN_THE_DEN, "canPublish": False}}, []),
    ],
    ids=str,
)
@in_virtual_time
async def test_what_is_wider_or_out_of_time_is_given_and_warned_of(
    claims: dict[str, object], words: list[str], caplog: pytest.LogCaptureFixture
):
    world = await joined()
    creation = await creating(world, identity="alice", can_publish=False)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "sidecar.agent"):
        await world.client.gives(person_s(**claims))
        assert (await creation).identity == "alice"
    assert bool(caplog.messages) is bool(words)
    assert all(each in " ".join(caplog.messages) for each in words)
