"""A client that gives tokens: when it is asked for the agent's, and what its answers lead to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ConnectFailed, InvalidParams, OtherRoom
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import (
    AgentState,
    AgentStateChanged,
    Status,
    TokenGrants,
    TokenRequest,
)
from sidecar.core.facts import DisconnectReason, RoomEnded
from tests.agent.fakes import START_MS, FakeRoom, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import SETTINGS, URL, World
from tests.core.tokens import agent_claims, token

NOW_S = START_MS // 1000
PLACE = Settings(url=URL, room="den", identity="clara")
LATER_S = 3_600
TRIES = 3


def token_for(expires_in_s: int = LATER_S, **claims: object) -> str:
    """A token for the agent, as of second 0."""
    return token(agent_claims(**{"exp": NOW_S + expires_in_s, **claims}))


def giving(settings: Settings = PLACE) -> World:
    """A world whose client gives tokens; `connect` falls back on *settings*."""
    world = World(settings)
    world.client.gives_tokens = True
    return world


async def connecting(world: World, settings: Settings | None = None) -> asyncio.Task[Status]:
    """A `connect` under way, whose outcome a test need not look at."""
    task = world.connecting(settings)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    await turns()
    return task


async def joined_by(world: World, given: str) -> FakeRoom:
    """The agent joins with the token that the client gives."""
    await connecting(world)
    await world.client.gives(given)
    room = await world.rooms.opened(len(world.rooms.made))
    await room.joins()
    return room


async def refused(world: World, given: str) -> None:
    """The client gives a token, and the server refuses it."""
    await world.client.gives(given)
    await world.rooms.made[-1].fails(Category.UNAUTHORIZED)


@in_virtual_time
async def test_without_a_secret_and_a_token_the_client_is_asked_first_and_its_token_joins():
    world = giving(replace(PLACE, name="Clara"))
    task = await connecting(world)
    assert world.client.asked == [
        TokenRequest("agent", "den", "clara", "Clara", TokenGrants(False, False, False))
    ]
    assert (world.rooms.made, world.states) == ([], ["waiting-for-token"])
    given = token_for()
    await world.client.gives(given)
    room = await world.rooms.opened()
    assert room.token == given
    await room.joins()
    assert (await task).state is AgentState.CONNECTED
    assert world.states == ["waiting-for-token", "connecting", "connected"]
    assert given in world.protected


@in_virtual_time
async def test_with_a_secret_the_client_is_never_asked():
    world = giving(SETTINGS)
    room = await world.joined()
    room.emit(RoomEnded(DisconnectReason.SERVER_SHUTDOWN))
    await world.passes(5)
    await (await world.rooms.opened(2)).fails(Category.UNAUTHORIZED)
    assert (world.client.asked, world.states[-1]) == ([], "failed")


@in_virtual_time
async def test_an_agent_that_subscribes_asks_for_that_right_and_no_other():
    world = giving(replace(PLACE, auto_subscribe=True))
    await connecting(world)
    assert world.client.asked[0].grants == TokenGrants(False, True, False)


@in_virtual_time
async def test_a_client_that_says_nothing_is_not_asked_and_the_lack_is_named():
    world = World(PLACE)
    with pytest.raises(InvalidParams, match="LIVEKIT_API_KEY"):
        await world.connecting()
    assert (world.client.asked, world.states) == ([], [])


@in_virtual_time
async def test_the_url_and_the_identity_of_a_given_token_are_the_ones_that_count():
    world = giving()
    await connecting(world)
    await world.client.gives(token_for(sub="clara-7"), url="ws://nearer:7880")
    room = await world.rooms.opened()
    assert (room.target.url, room.target.identity) == ("ws://nearer:7880", "clara-7")
    assert world.agent.status().identity == "clara-7"
    await room.joins()
    assert (await world.connecting()).state is AgentState.CONNECTED


# The token of `connect`


@in_virtual_time
async def test_a_token_that_connect_has_is_for_the_first_join():
    world = giving()
    given = token_for()
    await connecting(world, Settings(token=given))
    room = await world.rooms.opened()
    assert (room.token, world.client.asked) == (given, [])
    await room.joins()
    await world.agent.disconnect()
    await connecting(world)
    assert len(world.client.asked) == 1


@in_virtual_time
async def test_a_token_that_connect_has_is_not_tried_when_it_is_about_to_expire():
    world = giving()
    await connecting(world, Settings(token=token_for(20)))
    assert (world.rooms.made, len(world.client.asked)) == ([], 1)


@in_virtual_time
async def test_the_tokens_after_a_given_one_are_for_the_same_room_and_identity():
    world = giving(Settings(url=URL))
    await connecting(world, Settings(token=token_for(20, sub="clara-7")))
    assert (world.client.asked[0].room, world.client.asked[0].identity) == ("den", "clara-7")


@in_virtual_time
async def test_a_given_token_that_is_refused_is_followed_by_three_fresh_ones():
    world = giving()
    task = await connecting(world, Settings(token=token_for()))
    await (await world.rooms.opened()).fails(Category.UNAUTHORIZED)
    with pytest.raises(ConnectFailed) as caught:
        await task
    assert caught.value.data["retryable"] is True
    for _ in range(TRIES):
        await world.passes(5)
        await refused(world, token_for())
    await world.passes(600)
    assert (len(world.rooms.made), len(world.client.asked)) == (4, 3)
    assert world.states[-1] == "failed"


@in_virtual_time
async def test_a_connect_to_another_room_asks_for_a_token_of_that_room():
    world = giving()
    await joined_by(world, token_for())
    with pytest.raises(OtherRoom):
        await world.connecting(Settings(room="attic"))
    await world.agent.disconnect()
    await connecting(world, Settings(room="attic"))
    assert world.client.asked[-1].room == "attic"


@in_virtual_time
async def test_a_connect_to_another_room_while_the_client_is_asked_asks_for_that_one_alone():
    world = giving()
    await connecting(world)
    await connecting(world, Settings(room="attic"))
    assert [each.room for each in world.client.asked] == ["den", "attic"]
    await world.client.gives(token_for(video={"room": "attic", "roomJoin": True}))
    assert (await world.rooms.opened()).target.room == "attic"


@in_virtual_time
async def test_a_second_connect_to_the_same_place_does_not_ask_twice():
    world = giving()
    await connecting(world)
    await connecting(world)
    assert len(world.client.asked) == 1


@in_virtual_time
async def test_a_token_that_connect_brings_meanwhile_makes_the_question_moot():
    world = giving()
    await connecting(world)
    await connecting(world, Settings(token=token_for()))
    await world.client.gives(token_for(sub="late"))
    room = await world.rooms.opened()
    assert (room.target.identity, len(world.rooms.made)) == ("clara", 1)


# Refused tokens


@in_virtual_time
async def test_three_fresh_tokens_refused_in_a_row_end_the_asking_with_a_pause_before_each():
    world = giving()
    await connecting(world)
    await refused(world, token_for())
    assert not world.client.is_asked
    for _ in range(TRIES - 1):
        await world.passes(5)
        await refused(world, token_for())
    await world.passes(600)
    assert len(world.client.asked) == TRIES
    last = world.heard(AgentStateChanged)[-1]
    assert (last.state, last.error.retryable) == (AgentState.FAILED, False)
    assert "refused 3 fresh access tokens in a row" in last.error.detail
    assert "getToken" in last.error.fix


@in_virtual_time
async def test_three_expired_tokens_in_a_row_end_it_too_and_the_cause_is_named():
    world = giving()
    await connecting(world)
    for _ in range(TRIES):
        await world.passes(5)
        await refused(world, token_for(-5))
    assert world.states[-1] == "failed"
    assert "has expired" in world.agent.status().last_error.detail


@in_virtual_time
async def test_a_token_that_worked_makes_the_next_refusal_the_first():
    world = giving()
    await connecting(world)
    for _ in range(2 * TRIES):
        await world.passes(60)
        await refused(world, token_for())
        await world.passes(60)
        await world.client.gives(token_for(20))
        room = world.rooms.made[-1]
        await room.joins()
        room.emit(RoomEnded(DisconnectReason.SERVER_SHUTDOWN))
    assert "failed" not in world.states


@in_virtual_time
async def test_once_it_gave_up_a_connect_begins_it_anew():
    world = giving()
    await connecting(world)
    for _ in range(TRIES):
        await world.passes(5)
        await refused(world, token_for())
    await connecting(world)
    assert world.client.is_asked
    await refused(world, token_for())
    assert world.states[-1] == "waiting-for-token"


@in_virtual_time
async def test_a_malformed_url_is_no_token_s_fault():
    world = giving(replace(PLACE, url="ws://user@host"))
    await connecting(world)
    await refused(world, token_for())
    assert world.states[-1] == "failed"


# A client that gives none


@in_virtual_time
async def test_a_client_that_fails_is_asked_again_after_growing_pauses_and_says_so_each_time():
    world = giving()
    task = await connecting(world)
    pauses_ms = []
    for _ in range(7):
        await world.client.fails("getToken failed: down")
        told = world.heard(AgentStateChanged)[-1]
        pauses_ms.append(told.retry_in_ms)
        assert (told.state, told.error.retryable) == (AgentState.WAITING_FOR_TOKEN, True)
        assert "getToken failed: down." in told.error.detail
        assert not world.client.is_asked
        await world.passes(told.retry_in_ms / 1000 + 1)
        assert world.client.is_asked
    assert pauses_ms == [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]
    with pytest.raises(ConnectFailed) as caught:
        await task
    assert (caught.value.data["category"], caught.value.data["retryable"]) == ("unauthorized", True)
    await world.client.gives(token_for())
    await (await world.rooms.opened()).joins()
    assert world.agent.status().last_error is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("garbage", "no access token"),
        (token_for(video={"room": "attic", "roomJoin": True}), "another room"),
        (token_for(video={"room": "den"}), "does not allow joining"),
        (token_for(sub=""), "without an identity"),
    ],
    ids=["no token", "another room", "no join", "no identity"],
)
@in_virtual_time
async def test_a_token_with_which_no_agent_joins_is_no_answer(given: str, why: str):
    world = giving()
    await connecting(world)
    await world.client.gives(given)
    assert world.rooms.made == []
    assert why in world.agent.status().last_error.detail
    await world.passes(5)
    assert world.client.is_asked


@in_virtual_time
async def test_a_url_that_is_none_is_no_answer():
    world = giving()
    await connecting(world)
    await world.client.gives(token_for(), url="ftp://host")
    assert world.rooms.made == []
    assert "a url that must begin with ws://" in world.agent.status().last_error.detail


@in_virtual_time
async def test_a_connect_is_answered_within_15_s_when_the_client_does_not_answer():
    world = giving()
    task = await connecting(world)
    await world.passes(16)
    with pytest.raises(ConnectFailed, match="getToken has not answered within 15 s") as caught:
        await task
    assert caught.value.data["category"] == "timeout"
    await world.client.gives(token_for())
    await (await world.rooms.opened()).joins()
    assert world.states[-1] == "connected"


@in_virtual_time
async def test_a_wake_ends_a_pause_at_once_and_asks_nothing_twice():
    world = giving()
    await connecting(world)
    world.agent.wake()
    await turns()
    assert len(world.client.asked) == 1
    await world.passes(1)  # one wake counts each second
    await world.client.fails()
    world.agent.wake()
    await turns()
    assert len(world.client.asked) == 2


@pytest.mark.parametrize("is_out", [True, False], ids=["asked", "in a pause"])
@in_virtual_time
async def test_after_a_disconnect_nothing_is_asked_and_a_late_token_goes_nowhere(is_out: bool):
    world = giving()
    await connecting(world)
    if not is_out:
        await world.client.fails()
    await world.agent.disconnect()
    if is_out:
        await world.client.gives(token_for())
    world.agent.wake()
    await world.passes(600)
    assert (len(world.client.asked), world.rooms.made) == (1, [])
    assert world.states[-1] == "idle"


# After the first join


@in_virtual_time
async def test_a_rejoin_uses_the_token_while_it_lasts_and_asks_for_another_after_that():
    world = giving()
    given = token_for(100)
    room = await joined_by(world, given)
    room.emit(RoomEnded(DisconnectReason.SERVER_SHUTDOWN))
    again = await world.rooms.opened(2)
    assert (again.token, len(world.client.asked)) == (given, 1)
    await again.joins()
    await world.passes(90)
    again.emit(RoomEnded(DisconnectReason.SERVER_SHUTDOWN))
    await world.passes(5)
    assert (len(world.client.asked), world.states[-1]) == (2, "waiting-for-token")
    await world.client.gives(token_for(1_000))
    await (await world.rooms.opened(3)).joins()
    assert world.states[-1] == "connected"


@in_virtual_time
async def test_a_connect_in_the_room_leaves_the_token_for_the_next_attempt():
    world = giving()
    given = token_for()
    room = await joined_by(world, given)
    await world.agent.connect(Settings())
    room.emit(RoomEnded(DisconnectReason.SERVER_SHUTDOWN))
    again = await world.rooms.opened(2)
    assert (again.token, len(world.client.asked)) == (given, 1)


@in_virtual_time
async def test_an_eviction_is_no_reason_for_a_new_token():
    world = giving()
    room = await joined_by(world, token_for())
    room.emit(RoomEnded(DisconnectReason.PARTICIPANT_REMOVED))
    await world.passes(600)
    assert (len(world.client.asked), world.states[-1]) == (1, "failed")


@in_virtual_time
async def test_a_token_that_is_not_of_kind_agent_is_warned_of():
    world = giving()
    await joined_by(world, token_for(kind="standard"))
    assert any("kind `agent`" in each for each in world.agent.status().warnings)
