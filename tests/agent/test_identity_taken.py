"""An agent that its own identity put out: looks on a slow ladder, never fights, and comes back."""

from __future__ import annotations

import logging

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.messages import AgentState, AgentStateChanged
from sidecar.core.facts import DisconnectReason, RoomEnded
from tests.agent.fakes import START_MS, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.played import someone
from tests.core.tokens import agent_claims, token

ALICE = someone("alice")
TAKEN = RoomEnded(DisconnectReason.DUPLICATE_IDENTITY)


async def put_out(world: World) -> None:
    """The agent joins, and another participant takes its identity; the list still has it."""
    room = await world.joined(ALICE)
    room.emit(TAKEN)
    await turns()


def waits(world: World) -> list[int | None]:
    """The announced milliseconds before each look or join."""
    return [each.retry_in_ms for each in world.heard(AgentStateChanged) if each.retry_in_ms]


@in_virtual_time
async def test_it_looks_after_30_s_and_then_ever_more_rarely_up_to_5_minutes():
    world = World()
    await put_out(world)
    lists = world.api.lists
    await world.passes(1_655)
    assert waits(world) == [30_000, 60_000, 120_000, 240_000, *[300_000] * 5]
    assert world.api.lists - lists == 8
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_it_comes_back_when_no_participant_has_its_identity():
    world = World()
    await put_out(world)
    assert world.lines[-1] == "closed PA_alice agent-disconnected"
    await world.passes(40)
    world.api.listed = []
    room = await world.rooms.opened(2)
    await room.joins(ALICE)
    status = world.agent.status()
    assert (status.state, status.last_error, status.sessions) == (AgentState.CONNECTED, None, 1)


@in_virtual_time
async def test_state_status_and_log_say_why_and_what_comes_next(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "sidecar")
    world = World()
    await put_out(world)
    told = world.heard(AgentStateChanged)[-1]
    assert (told.state, told.reason, told.retry_in_ms) == (
        AgentState.BACKOFF,
        "DUPLICATE_IDENTITY",
        30_000,
    )
    assert told.error is not None
    assert told.error == world.agent.status().last_error
    assert (told.error.category, told.error.retryable) == ("identity-taken", True)
    assert "every 5 minutes" in told.error.fix
    assert "`app.requestSingleInstanceLock()`" in told.error.fix
    assert any("identity-taken" in record.getMessage() for record in caplog.records)


@in_virtual_time
async def test_a_list_that_does_not_come_is_no_free_identity():
    world = World()
    await put_out(world)
    world.api.error = ApiCallFailed("No answer.", "Check it.")
    await world.passes(40)
    assert len(world.rooms.made) == 1
    world.api.error = None
    world.api.listed = []
    await world.rooms.opened(2)


@in_virtual_time
async def test_a_wake_looks_at_once_and_does_not_join():
    world = World()
    await put_out(world)
    lists = world.api.lists
    world.agent.wake()
    await turns()
    assert world.api.lists == lists + 1
    assert world.agent.status().state is AgentState.BACKOFF
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_once_back_in_the_room_a_later_wake_joins_and_does_not_look():
    world = World()
    await put_out(world)
    connecting = world.connecting()
    room = await world.rooms.opened(2)
    await room.joins()
    await connecting
    room.emit(RoomEnded(0))
    await turns()
    world.agent.wake()
    await (await world.rooms.opened(3)).joins()
    assert world.agent.status().state is AgentState.CONNECTED


@in_virtual_time
async def test_a_connect_joins_at_once():
    world = World()
    await put_out(world)
    connecting = world.connecting()
    await (await world.rooms.opened(2)).joins()
    assert (await connecting).state is AgentState.CONNECTED


@in_virtual_time
async def test_two_agents_put_out_in_turns_wait_longer_each_time():
    world = World()
    await put_out(world)
    for number in (2, 3):
        world.api.listed = []
        room = await world.rooms.opened(number)
        world.api.lists_only()
        await room.joins()
        room.emit(TAKEN)
        await turns()
    assert waits(world) == [30_000, 60_000, 120_000, 240_000, 300_000]


@in_virtual_time
async def test_a_disconnect_ends_the_looks():
    world = World()
    await put_out(world)
    await world.agent.disconnect()
    lists = world.api.lists
    await world.passes(1_000)
    assert (world.api.lists, len(world.rooms.made)) == (lists, 1)


@in_virtual_time
async def test_with_a_token_alone_it_stays_out_and_says_the_way_back():
    claims = agent_claims(exp=START_MS // 1000 + 3_600)
    world = World(Settings(url=URL, token=token(claims)))
    room = await world.joined()
    room.emit(TAKEN)
    await world.passes(1_000)
    status = world.agent.status()
    assert (status.state, len(world.rooms.made)) == (AgentState.FAILED, 1)
    assert status.last_error is not None
    assert "send `connect`" in status.last_error.fix


@in_virtual_time
async def test_an_agent_that_an_operator_removed_stays_out_with_the_reason_and_the_way_back():
    world = World()
    room = await world.joined(ALICE)
    room.emit(RoomEnded(DisconnectReason.PARTICIPANT_REMOVED))
    world.api.listed = []
    await world.passes(1_000)
    status = world.agent.status()
    assert (status.state, len(world.rooms.made)) == (AgentState.FAILED, 1)
    assert status.last_error is not None
    assert status.last_error.category == "removed"
    assert "Send `connect`" in status.last_error.fix
