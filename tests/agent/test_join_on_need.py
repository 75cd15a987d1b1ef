"""`join: 'needed'`: the agent is in its room only while a person is there, and loses no person."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from sidecar.core.attendance import EXPECTED_S, EXPECTED_UNSEEN_S
from sidecar.core.config import Settings
from sidecar.core.contract.errors import ApiCallFailed, InvalidParams
from sidecar.core.contract.messages import (
    AgentState,
    AgentStateChanged,
    ConnectionDetails,
    ConnectionParams,
    Status,
)
from sidecar.core.facts import (
    DisconnectReason,
    Left,
    Listed,
    Participant,
    ParticipantKind,
    ParticipantState,
    Reconnected,
    Reconnecting,
    RoomEnded,
    Seen,
)
from sidecar.core.registry.resumption import Inheritance
from tests.agent.fakes import START_MS, FakeRoom, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import SETTINGS, URL, World
from tests.core.played import someone
from tests.core.test_sessions_resume import earlier
from tests.core.tokens import agent_claims, token

ALICE, BOB = someone("alice"), someone("bob")
NEEDED = replace(SETTINGS, join="needed")
NOW_S = START_MS // 1000
LEFT = DisconnectReason.CLIENT_INITIATED
OTHERS = (
    Listed("PA_own", "clara", ParticipantKind.STANDARD, ParticipantState.ACTIVE),
    Listed("PA_bot", "bot", ParticipantKind.AGENT, ParticipantState.ACTIVE),
    Listed("PA_rec", "recorder", ParticipantKind.EGRESS, ParticipantState.ACTIVE),
    Listed("PA_gone", "zoe", ParticipantKind.STANDARD, ParticipantState.DISCONNECTED),
    Listed("PA_spy", "spy", ParticipantKind.STANDARD, ParticipantState.ACTIVE, is_hidden=True),
)
"""Participants for whom the agent does not join."""


def told(world: World) -> list[tuple[str, str | None]]:
    """State and reason of each change of the agent."""
    return [(each.state.value, each.reason) for each in world.heard(AgentStateChanged)]


async def idle(settings: Settings = NEEDED) -> World:
    """An agent that was told to join when needed, and no person is there."""
    world = World(settings)
    world.api.lists_only()
    status = await world.agent.connect(Settings())
    assert (status.state, status.reason) == (AgentState.IDLE, "nobody-there")
    await turns()
    return world


async def with_people(*people: Participant, settings: Settings = NEEDED) -> tuple[World, FakeRoom]:
    """An agent that joined since *people* were there."""
    world = World(settings)
    world.api.lists_only(*people)
    await world.agent.connect(Settings())
    room = await world.rooms.opened()
    await room.joins(*people)
    return world, room


async def leaves(world: World, room: FakeRoom, person: Participant) -> None:
    """*person* leaves."""
    listed = [each for each in world.api.listed if each.sid != person.sid]
    world.api.listed = listed
    room.emit(Left(person.sid, person.identity, LEFT))
    await turns()


def comes(world: World, room: FakeRoom, person: Participant) -> None:
    """*person* comes."""
    world.api.lists_only(person)
    room.emit(Seen(person))


async def page(world: World, identity: str = "alice") -> ConnectionDetails:
    """A page gets its token."""
    return await world.agent.create_connection(ConnectionParams(identity=identity), "person-1")


@in_virtual_time
async def test_without_people_connect_answers_idle_and_looks_at_once_after_5_s_and_every_30_s():
    world = await idle()
    assert told(world) == [("idle", "nobody-there")]
    assert world.api.lists == 1
    await world.passes(94)
    assert world.api.lists == 4
    assert (world.rooms.made, told(world)) == ([], [("idle", "nobody-there")])


@in_virtual_time
async def test_a_person_whom_the_server_lists_is_joined_within_30_s():
    world = await idle()
    await world.passes(6)
    world.api.lists_only(ALICE)
    await world.passes(30)
    await (await world.rooms.opened()).joins(ALICE)
    assert world.lines[0] == "created PA_alice"
    assert told(world)[1:] == [("connecting", "needed"), ("connected", "joined")]
    assert world.agent.status().reason == "joined"


@in_virtual_time
async def test_a_person_who_is_there_already_is_joined_at_once():
    world, _ = await with_people(ALICE)
    assert world.lines[0] == "created PA_alice"


@in_virtual_time
async def test_agents_hidden_and_gone_participants_are_no_people():
    world = await idle()
    world.api.listed = list(OTHERS)
    await world.passes(95)
    assert world.rooms.made == []


@in_virtual_time
async def test_a_token_for_a_page_brings_the_agent_at_once_and_has_the_page_announced():
    world = await idle()
    assert (await page(world)).token == "page-token-of-alice"
    room = await world.rooms.opened()
    await room.joins()
    world.api.lists_only(ALICE)
    await world.passes(1)
    assert world.api.announced == ["alice"]
    room.emit(Seen(ALICE))
    await world.passes(120)
    assert world.agent.status().state is AgentState.CONNECTED


@in_virtual_time
async def test_a_page_that_never_comes_is_waited_for_20_s():
    world = await idle(replace(NEEDED, leave_after_ms=0))
    await page(world)
    await (await world.rooms.opened()).joins()
    await world.passes(EXPECTED_S - 1)
    assert world.agent.status().state is AgentState.CONNECTED
    await world.passes(1.5)
    assert world.agent.status().reason == "nobody-there"


@in_virtual_time
async def test_a_token_for_a_page_in_the_empty_room_makes_the_agent_wait_20_s_and_no_longer():
    world, room = await with_people(ALICE, settings=replace(NEEDED, leave_after_ms=1_000))
    await leaves(world, room, ALICE)
    await page(world, "bob")
    await world.passes(EXPECTED_S - 1)
    assert world.agent.status().state is AgentState.CONNECTED
    await world.passes(1.5)
    assert world.agent.status().reason == "nobody-there"


@pytest.mark.parametrize("after_ms", [None, 0, 3_000])
@in_virtual_time
async def test_the_agent_leaves_after_the_last_person(after_ms: int | None):
    world, room = await with_people(ALICE, BOB, settings=replace(NEEDED, leave_after_ms=after_ms))
    await leaves(world, room, ALICE)
    await world.passes(60)
    await leaves(world, room, BOB)
    after_s = 20.0 if after_ms is None else after_ms / 1000
    if after_s:
        await world.passes(after_s - 0.5)
        assert world.agent.status().state is AgentState.CONNECTED
    await world.passes(1)
    assert told(world)[-1] == ("idle", "nobody-there")
    assert room.has_left
    await world.passes(60)
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_a_person_who_comes_in_time_keeps_the_agent_and_the_wait_begins_anew():
    world, room = await with_people(ALICE)
    await leaves(world, room, ALICE)
    await world.passes(19)
    comes(world, room, BOB)
    await world.passes(60)
    assert world.agent.status().state is AgentState.CONNECTED
    await leaves(world, room, BOB)
    await world.passes(19)
    assert world.agent.status().state is AgentState.CONNECTED
    await world.passes(2)
    assert world.agent.status().state is AgentState.IDLE


@in_virtual_time
async def test_a_page_that_came_and_left_is_expected_no_more():
    world = await idle(replace(NEEDED, leave_after_ms=1_000))
    await page(world)
    room = await world.rooms.opened()
    await room.joins(ALICE)
    await leaves(world, room, ALICE)
    await world.passes(2)
    assert told(world)[-1] == ("idle", "nobody-there")


@in_virtual_time
async def test_a_token_for_a_page_in_the_last_second_keeps_the_agent():
    world, room = await with_people(ALICE)
    await leaves(world, room, ALICE)
    await world.passes(19)
    await page(world, "bob")
    await world.passes(EXPECTED_S - 1)
    comes(world, room, BOB)
    await world.passes(60)
    assert world.lines[-1].startswith(("created PA_bob", "updated PA_bob"))
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_a_person_who_came_unannounced_while_the_agent_left_is_found_at_once():
    world, room = await with_people(ALICE)
    await leaves(world, room, ALICE)
    await world.passes(19.9)
    world.api.lists_only(BOB)
    await world.passes(0.5)
    await (await world.rooms.opened(2)).joins(BOB)
    assert "created PA_bob" in world.lines


@in_virtual_time
async def test_a_token_for_a_page_during_the_leave_opens_a_room_once_the_leave_has_ended():
    world, room = await with_people(ALICE)
    await leaves(world, room, ALICE)
    room.may_leave.clear()
    await world.passes(21)
    assert room.leave_began.is_set()
    await page(world)
    await world.passes(5)
    assert (world.agent.status().state, len(world.rooms.made)) == (AgentState.CONNECTING, 1)
    room.may_leave.set()
    again = replace(ALICE, sid="PA_alice2")
    await (await world.rooms.opened(2)).joins(again)
    assert "created PA_alice2" in world.lines
    assert world.rooms.most_at_once == 1


@in_virtual_time
async def test_a_stay_that_has_ended_is_no_reason_to_come_back_although_it_is_listed():
    world, room = await with_people(ALICE, settings=replace(NEEDED, leave_after_ms=0))
    room.emit(Left(ALICE.sid, ALICE.identity, LEFT))
    await world.passes(95)
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_a_list_that_cannot_be_read_is_warned_of_once_and_read_again(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.WARNING)
    world = World(NEEDED)
    world.api.error = ApiCallFailed("The server refused.", "Look at it.")
    await world.agent.connect(Settings())
    await world.passes(95)
    world.api.error = ApiCallFailed("The server did not answer.", "Look at it.")
    await world.passes(60)
    (warning,) = world.agent.status().warnings
    assert "The server refused." in warning
    assert [each.getMessage() for each in caplog.records] == [warning]
    assert world.agent.status().state is AgentState.IDLE
    world.api.error = None
    world.api.lists_only(ALICE)
    await world.passes(30)
    await (await world.rooms.opened()).joins(ALICE)
    assert world.agent.status().warnings == ()


@in_virtual_time
async def test_an_empty_room_that_the_server_closes_is_not_joined_anew():
    world, room = await with_people(ALICE)
    await leaves(world, room, ALICE)
    await world.passes(19)
    room.emit(RoomEnded(DisconnectReason.ROOM_CLOSED))
    await world.passes(40)
    assert told(world)[-2:] == [("backoff", "ROOM_CLOSED"), ("idle", "nobody-there")]
    world.api.lists_only(BOB)
    await world.passes(30)
    assert len(world.rooms.made) == 2


@in_virtual_time
async def test_a_room_that_is_deleted_with_its_people_closes_their_sessions_as_always():
    world, room = await with_people(ALICE)
    world.api.listed = []
    room.emit(RoomEnded(DisconnectReason.ROOM_DELETED))
    await world.passes(5)
    assert world.lines[-1] == "closed PA_alice room-closed"
    assert world.agent.status().reason == "nobody-there"


@in_virtual_time
async def test_an_outage_with_people_there_is_tried_again_until_the_agent_is_back():
    world, room = await with_people(ALICE)
    world.api.error = ApiCallFailed("The server is down.", "Wait.")
    room.emit(RoomEnded(DisconnectReason.UNKNOWN_REASON))
    for number in range(2, 8):
        await (await world.rooms.opened(number)).fails()
    assert world.lines[-1] == "updated PA_alice reconnecting"
    await world.passes(50)
    assert world.lines[-1] == "closed PA_alice connection-lost"
    assert world.agent.status().state in (AgentState.BACKOFF, AgentState.CONNECTING)
    assert ("idle", "nobody-there") not in told(world)[1:]


@in_virtual_time
async def test_an_outage_of_an_empty_room_ends_in_idle():
    world, room = await with_people(ALICE)
    await leaves(world, room, ALICE)
    room.emit(RoomEnded(DisconnectReason.UNKNOWN_REASON))
    await world.passes(5)
    assert told(world)[-1] == ("idle", "nobody-there")
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_the_wait_begins_anew_when_the_agent_was_not_told_who_is_there():
    world, room = await with_people(ALICE)
    await leaves(world, room, ALICE)
    await world.passes(15)
    room.emit(Reconnecting())
    await world.passes(10)
    assert world.agent.status().state is AgentState.RECONNECTING
    room.emit(Reconnected(()))
    await world.passes(15)
    assert world.agent.status().state is AgentState.CONNECTED
    await world.passes(6)
    assert world.agent.status().state is AgentState.IDLE


@in_virtual_time
async def test_sessions_of_an_earlier_process_bring_the_agent_at_once():
    world = World(NEEDED)
    session = earlier("alice")
    world.agent.resume(Inheritance((session,)))
    connecting = world.connecting()
    await (await world.rooms.opened()).joins(ALICE)
    assert (await connecting).sessions == 1


@in_virtual_time
async def test_disconnect_ends_the_looks_and_a_token_for_a_page_no_longer_brings_the_agent():
    world = await idle()
    status = await world.agent.disconnect()
    assert (status.state, status.reason) == (AgentState.IDLE, "disconnect")
    assert told(world) == [("idle", "nobody-there"), ("idle", "disconnect")]
    await page(world)
    world.api.lists_only(ALICE)
    await world.passes(95)
    assert (world.api.lists, world.rooms.made) == (1, [])
    connecting = world.connecting()
    await (await world.rooms.opened()).joins(ALICE)
    assert (await connecting).state in (AgentState.IDLE, AgentState.CONNECTED)


@in_virtual_time
async def test_connect_again_looks_at_once_and_tells_nothing_new():
    world = await idle()
    assert (await world.agent.connect(Settings())).reason == "nobody-there"
    await turns()
    assert (world.api.lists, len(told(world))) == (2, 1)
    world.api.lists_only(ALICE)
    await world.agent.connect(Settings())
    await (await world.rooms.opened()).joins(ALICE)
    assert world.lines[0] == "created PA_alice"


@in_virtual_time
async def test_a_switch_of_rooms_leaves_the_one_and_looks_into_the_other():
    world, room = await with_people(ALICE)
    world.api.listed = []
    status = await world.agent.connect(Settings(room="attic", switch=True))
    assert (status.state, status.room, status.reason) == (AgentState.IDLE, "attic", "nobody-there")
    assert world.lines[-1] == "closed PA_alice agent-disconnected"
    await world.passes(1)
    assert (room.has_left, world.api.rooms_asked[-1]) == (True, "attic")


@in_virtual_time
async def test_another_room_while_idle_needs_no_switch_and_forgets_who_was_expected():
    world = await idle()
    await page(world)
    await (await world.rooms.opened()).fails()
    await world.agent.disconnect()
    status = await world.agent.connect(Settings(room="attic"))
    assert (status.room, status.reason) == ("attic", "nobody-there")


@in_virtual_time
async def test_join_and_leave_after_count_at_once_in_the_room():
    world = World()
    await world.joined()
    await world.passes(60)
    await world.agent.connect(Settings(join="needed", leave_after_ms=5_000))
    await world.passes(1)
    assert world.agent.status().reason == "nobody-there"
    connecting = world.connecting(Settings(join="always"))
    await (await world.rooms.opened(2)).joins()
    assert (await connecting).state is AgentState.CONNECTED
    await world.passes(120)
    assert world.agent.status().state is AgentState.CONNECTED


@in_virtual_time
async def test_wake_looks_at_once():
    world = await idle()
    world.api.lists_only(ALICE)
    world.agent.wake()
    await world.passes(0.1)
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_a_shutdown_while_idle_ends_the_looks():
    world = await idle()
    await world.agent.stop()
    world.api.lists_only(ALICE)
    await world.passes(95)
    assert (world.api.lists, world.agent.status().state) == (1, AgentState.STOPPING)


@in_virtual_time
async def test_a_failed_join_is_tried_again_while_a_person_is_there():
    world = await idle()
    world.api.lists_only(ALICE)
    await world.passes(30)
    for number in (1, 2, 3):
        await (await world.rooms.opened(number)).fails()
    await (await world.rooms.opened(4)).joins(ALICE)
    assert {state for state, _ in told(world)[1:]} == {"connecting", "backoff", "connected"}


@in_virtual_time
async def test_diagnose_finds_nothing_wrong_with_an_agent_that_is_not_needed():
    world = await idle()
    room = (await world.agent.diagnose()).checks[-1]
    assert (room.name, room.ok) == ("room", True)


async def of_client(**more: object) -> tuple[World, FakeRoom]:
    """An agent whose client gives the tokens, and which has joined to see who is there."""
    world = World(Settings(url=URL, room="den", identity="clara", join="needed"))
    world.client.gives_tokens = True
    connecting = world.connecting()
    await turns()
    await world.client.gives(token(agent_claims(exp=NOW_S + 7_200, sub="clara", **more)))
    room = await world.rooms.opened()
    await room.joins()
    assert (await connecting).state is AgentState.CONNECTED
    return world, room


async def page_of_client(world: World) -> None:
    """A page gets the token that the client gives."""
    creating = asyncio.create_task(page(world))
    await turns()
    await world.client.gives(token(agent_claims(exp=NOW_S + 7_200, sub="alice", kind="")))
    await creating


@in_virtual_time
async def test_an_agent_that_cannot_look_joins_once_to_see_and_then_for_each_token_of_a_page():
    world, _ = await of_client()
    await world.passes(21)
    assert told(world)[-1] == ("idle", "nobody-there")
    assert not [each for each in world.agent.status().warnings if "room" in each]
    await world.passes(600)
    assert (world.api.lists, len(world.rooms.made)) == (0, 1)
    await page_of_client(world)
    await (await world.rooms.opened(2)).joins(ALICE)
    assert world.lines[0] == "created PA_alice"


@in_virtual_time
async def test_an_agent_that_cannot_look_waits_for_a_slow_page_for_10_minutes():
    world, room = await of_client()
    await page_of_client(world)
    await world.passes(EXPECTED_UNSEEN_S - 10)
    room.emit(Seen(ALICE))
    await world.passes(30)
    room.emit(Left(ALICE.sid, ALICE.identity, LEFT))
    await world.passes(19)
    assert world.agent.status().state is AgentState.CONNECTED
    await world.passes(2)
    assert world.agent.status().state is AgentState.IDLE


@in_virtual_time
async def test_a_token_of_an_administrator_looks_until_it_expires_and_then_a_join_does():
    exp = NOW_S + 300
    admin = {"room": "den", "roomJoin": True, "roomAdmin": True}
    world = World(Settings(url=URL, token=token(agent_claims(exp=exp, video=admin)), join="needed"))
    world.api.lists_only()
    assert (await world.agent.connect(Settings())).reason == "nobody-there"
    await world.passes(280)
    assert world.rooms.made == []
    await world.passes(60)
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_with_a_token_that_allows_neither_the_agent_stays_and_says_so():
    world = World(Settings(url=URL, token=token(agent_claims(exp=NOW_S + 300)), join="needed"))
    connecting = world.connecting()
    await (await world.rooms.opened()).joins()
    status = await connecting
    (warning,) = status.warnings
    assert "in the room all the time" in warning
    await world.passes(120)
    assert world.agent.status().state is AgentState.CONNECTED


@pytest.mark.parametrize("leave_after_ms", [-1, 86_400_001])
@in_virtual_time
async def test_a_leave_after_out_of_range_is_refused_and_changes_nothing(leave_after_ms: int):
    world = await idle()
    with pytest.raises(InvalidParams, match="leaveAfterMs"):
        await world.agent.connect(Settings(leave_after_ms=leave_after_ms))
    await page(world)
    await (await world.rooms.opened()).joins()


@in_virtual_time
async def test_an_operator_who_removes_the_agent_keeps_it_out():
    world, room = await with_people(ALICE)
    room.emit(RoomEnded(DisconnectReason.PARTICIPANT_REMOVED))
    await page(world, "bob")
    await world.passes(95)
    status: Status = world.agent.status()
    assert (status.state, len(world.rooms.made)) == (AgentState.FAILED, 1)
