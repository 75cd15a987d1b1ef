"""The agent's `closeSession`, `createConnection` and `resume`."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import (
    ApiCallFailed,
    ErrorCode,
    InvalidParams,
    InvalidRequest,
    NotAllowed,
    ShuttingDown,
    UnknownSession,
)
from sidecar.core.contract.messages import AgentSession, ConnectionParams, SessionClosed
from sidecar.core.facts import Left, RoomEnded, Seen
from sidecar.core.registry.resumption import Inheritance
from tests.agent.fakes import START_MS, FakeClock, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.played import earlier, someone
from tests.core.tokens import agent_claims, token

ALICE = someone("alice")
BY_TOKEN = Settings(url=URL, token=token(agent_claims(exp=START_MS)))


def closing(world: World, session_id: str = "") -> asyncio.Task[AgentSession]:
    """A `closeSession` under way, of the first session unless said otherwise."""
    return asyncio.create_task(
        world.agent.close_session(session_id or next(iter(world.agent.sessions)))
    )


@in_virtual_time
async def test_the_leave_that_the_removal_brings_answers_with_the_closed_session():
    world = World()
    room = await world.joined(ALICE, someone("bob"))
    answer = closing(world)
    await turns()
    assert world.api.removed == ["alice"]
    assert not answer.done()
    room.emit(Left("PA_alice", "alice", 4))
    closed = world.heard(SessionClosed)[-1]
    assert (closed.reason, closed.detail) == ("removed", "PARTICIPANT_REMOVED")
    assert await answer == closed.session


@in_virtual_time
async def test_a_removal_without_a_leave_is_answered_after_five_seconds():
    world = World()
    await world.joined(ALICE)
    answer = closing(world)
    await world.passes(4.5)
    assert not answer.done()
    await world.passes(1.5)
    assert (await answer).connection_state == "closed"
    assert world.lines[-1] == "closed PA_alice removed"


@in_virtual_time
async def test_one_whom_the_server_does_not_list_is_left_and_nobody_is_removed():
    world = World()
    await world.joined(ALICE)
    world.api.lists_only()
    await closing(world)
    assert world.lines[-1] == "closed PA_alice left"
    assert world.api.removed == []


@in_virtual_time
async def test_one_whom_the_server_knows_and_does_not_list_stays_and_it_is_1004():
    # It looks for whom to remove on its list: they cannot be removed, and have not left.
    world = World()
    await world.joined(ALICE)
    world.api.lists_only()
    world.api.there = {"alice"}
    with pytest.raises(ApiCallFailed):
        await closing(world)
    assert "closed" not in " ".join(world.lines)
    world.api.there = set()
    assert (await closing(world)).connection_state == "closed"


@in_virtual_time
async def test_one_who_is_back_under_another_sid_is_replaced_and_nobody_is_removed():
    world = World()
    await world.joined(ALICE)
    world.api.lists_only(someone("alice", "PA_2"))
    await closing(world)
    assert world.lines[-1] == "closed PA_alice replaced"
    assert world.api.removed == []


@in_virtual_time
async def test_a_participant_back_under_a_new_sid_before_the_server_answered_was_removed():
    world = World()
    room = await world.joined(ALICE)
    world.api.may_remove.clear()
    answer = closing(world)
    await turns()
    room.emit(Left("PA_alice", "alice", None))
    room.emit(Seen(someone("alice", "PA_2")))
    assert world.lines[-3] == "closed PA_alice removed"
    assert (await answer).participant_sid == "PA_alice"
    world.api.may_remove.set()
    await world.passes(6)
    assert world.lines[-1] == "updated PA_2 connected"


@in_virtual_time
async def test_a_participant_who_reloads_while_they_are_looked_up_is_replaced_and_not_removed():
    world = World()
    room = await world.joined(ALICE)
    world.api.may_answer.clear()
    answer = closing(world)
    await turns()
    room.emit(Seen(someone("alice", "PA_2")))
    assert world.lines[-3] == "closed PA_alice replaced"
    world.api.may_answer.set()  # with the list from before
    assert (await answer).participant_sid == "PA_alice"
    await turns()
    assert world.api.removed == []


@in_virtual_time
async def test_a_leave_without_a_reason_while_a_participant_is_looked_up_is_no_removal():
    world = World()
    room = await world.joined(ALICE)
    world.api.may_answer.clear()
    answer = closing(world)
    await turns()
    room.emit(Left("PA_alice", "alice", None))
    await answer
    assert world.lines[-1] == "closed PA_alice left"
    world.api.may_answer.set()
    await turns()
    assert world.api.removed == []


@in_virtual_time
async def test_a_person_is_removed_from_their_own_room_while_the_agent_is_on_its_way_elsewhere():
    world = World()
    room = await world.joined(ALICE)
    room.emit(RoomEnded(0))
    connecting = world.connecting(Settings(room="another"))
    await world.rooms.opened(2)
    world.api.rooms_asked.clear()
    answer = closing(world)
    await world.passes(6)
    assert (world.api.rooms_asked, world.api.removed) == (["den", "den"], ["alice"])
    assert (await answer).connection_state == "closed"
    assert world.lines[-1] == "closed PA_alice removed"
    connecting.cancel()


@in_virtual_time
async def test_those_who_ask_for_the_same_session_share_one_removal():
    world = World()
    room = await world.joined(ALICE)
    answers = [closing(world) for _ in range(3)]
    await turns()
    room.emit(Left("PA_alice", "alice", 4))
    closed = [await each for each in answers]
    assert closed[0] == closed[1] == closed[2]
    assert world.api.removed == ["alice"]
    assert len(world.heard(SessionClosed)) == 1


@in_virtual_time
async def test_a_session_that_is_not_open_is_1003():
    world = World()
    await world.joined(ALICE)
    with pytest.raises(UnknownSession) as refusal:
        await world.agent.close_session("session_1_nobody")
    assert refusal.value.code is ErrorCode.UNKNOWN_SESSION


@in_virtual_time
async def test_without_a_secret_it_is_1006():
    world = World(BY_TOKEN)
    await world.joined(ALICE)
    with pytest.raises(NotAllowed):
        await closing(world)
    with pytest.raises(NotAllowed):
        await world.agent.create_connection(ConnectionParams(), "person-1")
    assert world.api.removed == []


@in_virtual_time
async def test_a_server_that_refuses_is_1004_and_the_session_stays_open():
    world = World()
    room = await world.joined(ALICE)
    world.api.error = ApiCallFailed("No.", "Look.")
    with pytest.raises(ApiCallFailed):
        await closing(world)
    assert len(world.agent.sessions) == 1
    world.api.error = None
    answer = closing(world)
    await turns()
    room.emit(Left("PA_alice", "alice", 4))
    assert (await answer).connection_state == "closed"


@in_virtual_time
async def test_after_a_refused_removal_a_leave_without_a_reason_is_left():
    world = World()
    room = await world.joined(ALICE)
    world.api.error = ApiCallFailed("No.", "Look.")
    with pytest.raises(ApiCallFailed):
        await closing(world)
    room.emit(Left("PA_alice", "alice", None))
    await world.passes(3)
    assert world.lines[-1] == "closed PA_alice left"


@in_virtual_time
async def test_a_bug_on_the_way_is_answered_too():
    world = World()
    await world.joined(ALICE)
    world.api.error = RuntimeError("a bug")
    answer = closing(world)
    await world.passes(60)
    assert answer.done()
    assert answer.exception() is not None
    assert len(world.agent.sessions) == 1


@in_virtual_time
async def test_a_stop_during_a_removal_answers_1005():
    world = World()
    await world.joined(ALICE)
    world.api.may_answer.clear()
    answer = closing(world)
    await turns()
    await world.agent.stop()
    with pytest.raises(ShuttingDown):
        await answer
    world.api.may_answer.set()
    await turns()
    assert len(world.heard(SessionClosed)) == 1


@in_virtual_time
async def test_a_disconnect_during_a_removal_answers_the_session_that_it_closed():
    world = World()
    await world.joined(ALICE)
    answer = closing(world)
    await turns()
    await world.agent.disconnect()
    assert (await answer).connection_state == "closed"
    assert world.lines[-1] == "closed PA_alice agent-disconnected"


@in_virtual_time
async def test_one_who_gives_up_waiting_does_not_end_the_removal():
    world = World()
    room = await world.joined(ALICE)
    first, second = closing(world), closing(world)
    await turns()
    first.cancel()
    await turns()
    room.emit(Left("PA_alice", "alice", 4))
    assert (await second).connection_state == "closed"


# createConnection


@in_virtual_time
async def test_a_connection_is_for_the_agent_s_room_and_a_person_of_its_own():
    clock = FakeClock()
    world = World(clock=clock)
    await world.joined()
    details = await world.agent.create_connection(ConnectionParams(ttl_seconds=60), "person-1")
    assert (details.url, details.room, details.identity) == (URL, "den", "person-1")
    assert details.token == "page-token-of-person-1"  # noqa: S105 - a fake
    assert details.expires_at == "2026-01-01T00:01:00.000Z"
    assert details.token not in repr(details)


@in_virtual_time
async def test_a_connection_never_claims_to_last_longer_than_its_token():
    clock = FakeClock()
    world = World(clock=clock)
    await world.joined()
    # Making the first token takes a while: a library is imported for it.
    world.api.after_token = lambda: clock.advance(2)
    details = await world.agent.create_connection(ConnectionParams(ttl_seconds=60), "person-1")
    assert details.expires_at <= "2026-01-01T00:01:00.000Z"


@in_virtual_time
async def test_a_connection_in_the_agent_s_name_is_refused():
    world = World()
    await world.joined()
    with pytest.raises(InvalidParams):
        await world.agent.create_connection(ConnectionParams(identity="clara"), "person-1")


@in_virtual_time
async def test_before_any_connect_there_is_nothing_to_make_a_connection_with():
    world = World()
    with pytest.raises(NotAllowed):
        await world.agent.create_connection(ConnectionParams(), "person-1")


# resume


@in_virtual_time
async def test_resumed_sessions_go_on_without_being_created_again():
    world = World()
    world.agent.resume(Inheritance((earlier("alice"), earlier("bob"))))
    assert world.notify.notifications == []
    assert len(world.agent.sessions) == 2
    room = await world.joined(ALICE)
    await world.passes(4)
    assert [each for each in world.lines if "PA_alice" in each] == ["updated PA_alice connected"]
    assert world.lines[-1] == "closed PA_bob left-during-reconnect"
    room.emit(Left("PA_alice", "alice", 1))
    assert world.lines[-1] == "closed PA_alice left"


@in_virtual_time
async def test_resumed_sessions_close_when_no_join_succeeds_in_45_seconds():
    world = World()
    world.agent.resume(Inheritance((earlier("alice"),)))
    await world.passes(44)
    assert world.lines == []
    await world.passes(2)
    assert world.lines == ["closed PA_alice connection-lost"]


@in_virtual_time
async def test_a_resume_after_a_session_was_created_is_refused():
    world = World()
    await world.joined(ALICE)
    with pytest.raises(InvalidRequest):
        world.agent.resume(Inheritance((earlier("bob"),)))
    assert list(world.agent.sessions) == [earlier("alice").session_id]
