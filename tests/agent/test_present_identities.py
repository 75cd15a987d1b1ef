"""Whoever is in the room under an identity keeps it, unless the app says otherwise."""

from __future__ import annotations

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ApiCallFailed, ErrorCode, IdentityPresent, InvalidParams
from sidecar.core.contract.messages import ConnectionParams
from sidecar.core.facts import (
    DisconnectReason,
    Left,
    Listed,
    ParticipantKind,
    ParticipantState,
    RoomEnded,
    Seen,
)
from tests.agent.fakes import START_MS, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.played import someone
from tests.core.tokens import agent_claims, token

ALICE = someone("alice")
NOW_S = START_MS // 1000


async def asked(world: World, identity: str, **more: bool) -> str:
    """The token of a page that asked for *identity*."""
    details = await world.agent.create_connection(ConnectionParams(identity, **more), "person-1")
    return details.token


@in_virtual_time
async def test_a_page_cannot_have_the_identity_of_a_person_who_is_in_the_room():
    world = World()
    await world.joined(ALICE)
    with pytest.raises(IdentityPresent) as refusal:
        await asked(world, "alice")
    assert refusal.value.code is ErrorCode.IDENTITY_PRESENT
    assert "alice" in refusal.value.message
    assert "replace" in str(refusal.value.data["fix"])


@in_virtual_time
async def test_nor_that_of_a_participant_who_has_no_session():
    """Another app's agent, a recorder, or a person who is not announced yet."""
    world = World()
    await world.joined()
    world.api.listed.append(
        Listed("PA_x", "helper", ParticipantKind.AGENT, ParticipantState.ACTIVE)
    )
    with pytest.raises(IdentityPresent):
        await asked(world, "helper")


@in_virtual_time
async def test_the_app_can_let_a_page_take_it():
    world = World()
    await world.joined(ALICE)
    assert await asked(world, "alice", replace=True) == "page-token-of-alice"


@in_virtual_time
async def test_a_page_that_was_reloaded_gets_its_own_identity_again():
    """Its earlier stay is in the room until the server has announced its end."""
    world = World()
    room = await world.joined()
    await asked(world, "alice")
    room.emit(Seen(ALICE))
    assert await asked(world, "alice") == "page-token-of-alice"


@in_virtual_time
async def test_an_identity_is_free_once_its_participant_has_left():
    world = World()
    room = await world.joined(ALICE)
    world.api.lists_only()
    room.emit(Left("PA_alice", "alice", DisconnectReason.CLIENT_INITIATED))
    assert await asked(world, "alice") == "page-token-of-alice"


@in_virtual_time
async def test_a_server_that_does_not_answer_keeps_no_page_out():
    world = World()
    await world.joined()
    world.api.present_error = ApiCallFailed("No answer.", "Check it.")
    assert await asked(world, "alice") == "page-token-of-alice"


@pytest.mark.parametrize("identity", ["clara-voice-agent", "clara-voice-agent-0123abcd", "clara"])
@in_virtual_time
async def test_the_identities_of_agents_are_for_agents(identity: str):
    """Also those of other installations, and also when the app asks for it."""
    world = World()
    await world.joined()
    with pytest.raises(InvalidParams, match="identity"):
        await asked(world, identity, replace=True)


@in_virtual_time
async def test_the_client_is_not_asked_for_a_token_of_a_person_who_is_in_the_room():
    world = await _by_tokens()
    with pytest.raises(IdentityPresent):
        await asked(world, "alice")
    assert len(world.client.asked) == 1


@in_virtual_time
async def test_a_token_for_the_agent_with_a_person_s_identity_is_refused():
    world = await _by_tokens()
    world.rooms.made[-1].emit(RoomEnded(0))
    await world.passes(2)
    await world.client.gives(token(agent_claims(exp=NOW_S + 3_600, sub="alice")))
    assert len(world.rooms.made) == 1
    last_error = world.agent.status().last_error
    assert last_error is not None
    assert "the identity of a person in the room" in last_error.detail


@pytest.mark.parametrize(
    ("claims", "url", "words"),
    [
        ({"sub": "other"}, None, "the identity 'other', and 'clara' was asked for"),
        ({"exp": NOW_S + 366 * 86_400}, None, "366 more days"),
        ({}, "wss://elsewhere", "another server, elsewhere"),
        ({"video": {"room": "den", "roomJoin": True, "roomAdmin": True}}, None, "roomAdmin"),
        ({"nbf": NOW_S + 300}, None, "not valid yet"),
    ],
    ids=["identity", "years", "server", "wider", "early"],
)
@in_virtual_time
async def test_an_odd_token_for_the_agent_is_in_the_warnings(
    claims: dict[str, object], url: str | None, words: str
):
    world = await _asking()
    said = {"exp": NOW_S + 3_600, "sub": "clara", **claims}
    await world.client.gives(token(agent_claims(**said)), url)
    assert any(words in each for each in world.agent.status().warnings)


@in_virtual_time
async def test_a_url_without_tls_in_the_place_of_one_with_it_is_refused():
    world = await _asking(Settings(url="wss://host", room="den", identity="clara"))
    await world.client.gives(token(agent_claims(exp=NOW_S + 3_600, sub="clara")), "ws://host")
    last_error = world.agent.status().last_error
    assert last_error is not None
    assert "ws://" in last_error.detail
    assert world.rooms.made == []


async def _asking(settings: Settings | None = None) -> World:
    world = World(settings or Settings(url=URL, room="den", identity="clara"))
    world.client.gives_tokens = True
    world.connecting().add_done_callback(lambda done: done.exception())
    await turns()
    return world


async def _by_tokens() -> World:
    """An agent that joined with a short token of its client, with alice there."""
    world = await _asking()
    await world.client.gives(token(agent_claims(exp=NOW_S + 20, sub="clara")))
    await (await world.rooms.opened()).joins(ALICE)
    return world
