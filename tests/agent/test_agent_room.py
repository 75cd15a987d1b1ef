"""The agent and its Room: our own reconnects, the end of a room, and facts that come too late."""

from __future__ import annotations

import pytest

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.failures import Category, failure
from sidecar.core.contract.messages import AgentState, AgentStateChanged, SessionClosed
from sidecar.core.facts import (
    DisconnectReason,
    Joined,
    Left,
    Reconnected,
    Reconnecting,
    RoomEnded,
    Seen,
    TextReceived,
)
from sidecar.core.registry.resumption import Inheritance
from tests.agent.fakes import START_MS
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.played import earlier, someone

ALICE = someone("alice")
BOB = someone("bob")


@in_virtual_time
async def test_a_reconnect_of_our_own_is_reconnecting_and_connected_again():
    world = World()
    room = await world.joined(ALICE)
    for fact in (Left("PA_alice", "alice", None), Reconnecting(), Reconnected((ALICE,))):
        room.emit(fact)
    await world.passes(60)
    assert world.lines[2:] == ["updated PA_alice reconnecting", "updated PA_alice connected"]
    assert world.states == ["connecting", "connected", "reconnecting", "connected"]
    assert world.agent.status().counters.reconnects == 1


@in_virtual_time
async def test_one_who_is_gone_after_a_reconnect_closes_left_during_reconnect():
    world = World()
    room = await world.joined(ALICE)
    world.api.lists_only()
    room.emit(Reconnecting())
    room.emit(Reconnected(()))
    await world.passes(4)
    assert world.lines[-1] == "closed PA_alice left-during-reconnect"


@in_virtual_time
async def test_reconnecting_for_thirty_seconds_ends_in_a_new_room_at_once():
    world = World()
    first = await world.joined(ALICE)
    first.emit(Reconnecting())
    await world.passes(29)
    assert len(world.rooms.made) == 1
    second = await world.rooms.opened(2)
    assert first.has_left
    await second.joins(ALICE)
    assert world.agent.status().state is AgentState.CONNECTED
    assert "closed PA_alice" not in " ".join(world.lines)


@in_virtual_time
async def test_an_outage_of_45_seconds_closes_connection_lost_and_the_agent_goes_on_trying():
    world = World()
    room = await world.joined(ALICE)
    room.emit(RoomEnded(0))
    await world.passes(44)
    assert world.lines[-1] == "updated PA_alice reconnecting"
    await world.passes(3)
    assert world.lines[-1] == "closed PA_alice connection-lost"
    assert world.agent.status().state is AgentState.CONNECTING


@in_virtual_time
async def test_a_room_that_ends_by_the_server_s_shutdown_closes_so_after_45_seconds():
    world = World()
    room = await world.joined(ALICE)
    room.emit(RoomEnded(int(DisconnectReason.SERVER_SHUTDOWN)))
    await world.passes(47)
    assert world.lines[-1] == "closed PA_alice server-shutdown"


@pytest.mark.parametrize("reason", [0, 1, 3, 6, 7, 8, 9, 11, 14, 15, 99])
@in_virtual_time
async def test_a_room_that_ends_for_a_retryable_reason_is_joined_again(reason: int):
    # 1 is CLIENT_INITIATED that was not ours: livekit-behaviour 12, surprise 3.
    world = World()
    first = await world.joined(ALICE)
    first.emit(RoomEnded(reason))
    assert world.states[-1] == "backoff"
    assert world.agent.session_list().sessions[0].connection_state == "reconnecting"
    second = await world.rooms.opened(2)
    await second.joins(ALICE)
    await world.passes(60)
    assert world.lines[-1] == "updated PA_alice connected"
    assert world.rooms.most_at_once == 1


@pytest.mark.parametrize("reason", [5, 10])
@in_virtual_time
async def test_a_room_that_is_closed_closes_all_and_is_joined_again_at_once(reason: int):
    world = World()
    first = await world.joined(ALICE)
    await world.passes(5.5)
    first.emit(RoomEnded(reason))
    closed = world.heard(SessionClosed)[-1]
    assert (closed.reason, closed.detail) == (
        CloseReason.ROOM_CLOSED,
        DisconnectReason(reason).name,
    )
    before_s = world.clock.tick().attended_s
    second = await world.rooms.opened(2)
    assert world.clock.tick().attended_s - before_s < 0.5
    await second.joins(someone("alice", "PA_2"))
    assert world.lines[-1] == "updated PA_2 connected"


@pytest.mark.parametrize(("reason", "category"), [(4, Category.REMOVED)])
@in_virtual_time
async def test_an_agent_that_was_put_out_says_why_and_does_not_fight(
    reason: int, category: Category, caplog: pytest.LogCaptureFixture
):
    world = World()
    room = await world.joined(ALICE)
    room.emit(RoomEnded(reason))
    closed = world.heard(SessionClosed)[-1]
    assert closed.reason is CloseReason.AGENT_DISCONNECTED
    await world.passes(300)
    status = world.agent.status()
    assert (status.state, len(world.rooms.made)) == (AgentState.FAILED, 1)
    told = world.heard(AgentStateChanged)[-1]
    assert told.error == status.last_error == failure(category, URL)
    assert told.reason == DisconnectReason(reason).name
    (line,) = (each for each in caplog.messages if category in each)
    assert told.error.detail in line
    assert told.error.fix in line
    room_check = (await world.agent.diagnose()).checks[-1]
    assert (room_check.name, room_check.ok, room_check.fix) == ("room", False, told.error.fix)
    assert status.counters.errors == 0


@in_virtual_time
async def test_an_agent_that_was_put_out_and_joins_again_has_no_error_any_more():
    world = World()
    (await world.joined(ALICE)).emit(RoomEnded(DisconnectReason.PARTICIPANT_REMOVED))
    await world.joined()
    assert world.agent.status().last_error is None


@in_virtual_time
async def test_facts_of_an_earlier_room_are_dropped():
    world = World()
    first = await world.joined(ALICE)
    first.emit(RoomEnded(0))
    second = await world.rooms.opened(2)
    await second.joins(ALICE)
    lines, states = list(world.lines), list(world.states)
    for fact in (
        Seen(BOB),
        Left("PA_alice", "alice", 1),
        Left("PA_alice", "alice", None),
        Reconnecting(),
        Reconnected(()),
        RoomEnded(2),
        TextReceived("alice", 0.0),
        Joined("den", "clara", ()),
    ):
        first.emit(fact)
    await world.passes(20)
    assert (world.lines, world.states) == (lines, states)


@in_virtual_time
async def test_a_room_that_was_left_is_heard_no_more():
    world = World()
    room = await world.joined(ALICE)
    await world.agent.disconnect()
    before = len(world.notify.notifications)
    for fact in (Seen(BOB), Left("PA_alice", "alice", 1), RoomEnded(1)):
        room.emit(fact)
    await world.passes(60)
    assert len(world.notify.notifications) == before
    assert world.agent.status().state is AgentState.IDLE


@in_virtual_time
async def test_a_room_that_ends_twice_ends_once():
    world = World()
    room = await world.joined(ALICE)
    room.emit(RoomEnded(0))
    room.emit(RoomEnded(2))
    assert world.states[-1] == "backoff"


@in_virtual_time
async def test_sessions_stay_in_an_agent_that_was_refused_until_the_outage_is_over():
    world = World()
    first = await world.joined(ALICE)
    first.emit(RoomEnded(0))
    await (await world.rooms.opened(2)).fails(Category.UNAUTHORIZED)
    assert world.agent.status().state is AgentState.FAILED
    await world.passes(40)
    assert world.agent.status().sessions == 1
    await world.passes(7)
    assert world.lines[-1] == "closed PA_alice connection-lost"


@in_virtual_time
async def test_every_change_of_state_says_what_the_credentials_allow():
    world = World()
    await world.joined()
    changes = world.heard(AgentStateChanged)
    assert [each.capabilities for each in changes] == [world.agent.status().capabilities] * 2
    assert changes[0].capabilities.create_connection
    assert (changes[1].previous_state, changes[1].state) == ("connecting", "connected")


@in_virtual_time
async def test_from_the_join_on_each_change_of_state_says_how_far_the_server_s_clock_is_ahead():
    world = World()
    connecting = world.connecting()
    room = await world.rooms.opened()
    await room.joins(server_ms=START_MS - 60_000)
    await connecting
    await world.passes(5)
    room.emit(Reconnecting())
    told = [(each.state, each.server_ahead_ms) for each in world.heard(AgentStateChanged)]
    assert told == [("connecting", None), ("connected", -60_000), ("reconnecting", -60_000)]


@in_virtual_time
async def test_a_clock_that_an_earlier_process_knew_is_handed_on_before_any_join():
    world = World()
    world.agent.resume(Inheritance((earlier("alice"),), server_ahead_ms=60_000))
    world.connecting()
    await world.rooms.opened()
    assert [each.server_ahead_ms for each in world.heard(AgentStateChanged)] == [60_000]
