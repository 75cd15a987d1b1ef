"""The one Room: never two, never cancelled, and what becomes of the agent when a part fails."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ConnectFailed, NotConnected
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import AgentState
from sidecar.core.facts import Reconnecting, RoomEnded
from tests.agent.fakes import turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import someone

ALICE = someone("alice")


@in_virtual_time
async def test_a_new_room_waits_until_the_earlier_one_s_disconnect_has_returned():
    world = World()
    first = await world.joined(ALICE)
    first.may_leave.clear()
    first.emit(RoomEnded(0))
    await world.passes(20)
    assert world.agent.status().state is AgentState.CONNECTING
    assert first.leave_began.is_set()
    assert len(world.rooms.made) == 1
    first.may_leave.set()
    await world.rooms.opened(2)
    assert world.rooms.most_at_once == 1


@in_virtual_time
async def test_a_new_room_waits_until_the_earlier_one_s_connect_has_ended():
    world = World()
    connecting = world.connecting()
    first = await world.rooms.opened()
    await world.agent.disconnect()
    with pytest.raises(NotConnected):
        await connecting
    again = world.connecting()
    await world.passes(10)
    assert len(world.rooms.made) == 1
    await first.joins(ALICE)
    second = await world.rooms.opened(2)
    assert first.has_left
    await second.joins(ALICE)
    assert (await again).state is AgentState.CONNECTED
    assert world.rooms.most_at_once == 1


@pytest.mark.parametrize("by", ["connect", "wake", "timer"])
@in_virtual_time
async def test_a_new_room_waits_until_a_failed_connect_has_come_back(by: str):
    # The failure is told from within `join`, which may have something to put away after it.
    world = World()
    connecting = world.connecting()
    first = await world.rooms.opened()
    first.may_return.clear()
    await first.fails()
    with pytest.raises(ConnectFailed):
        await connecting
    if by == "wake":
        world.agent.wake()
    again = world.connecting() if by == "connect" else None
    await world.passes(5)
    assert len(world.rooms.made) == 1
    first.may_return.set()
    second = await world.rooms.opened(2)
    await second.joins()
    if again is not None:
        await again
    assert world.rooms.most_at_once == 1


@in_virtual_time
async def test_connects_and_disconnects_in_a_row_open_one_room_at_a_time():
    world = World()
    answers = []
    for _ in range(5):
        answers.append(world.connecting())
        await turns(3)
        await world.agent.disconnect()
    last = world.connecting()
    await turns()
    for room in world.rooms.made:
        await room.joins()
    await turns()
    last_room = world.rooms.made[-1]
    if not last_room.has_joined:
        await last_room.joins()
    assert (await last).state is AgentState.CONNECTED
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(each) for each in outcomes] == [NotConnected] * 5
    assert world.rooms.most_at_once == 1
    assert sum(each.exists for each in world.rooms.made) == 1


@in_virtual_time
async def test_a_room_that_nobody_wants_any_more_is_never_made():
    # The disconnect comes while the access token is being made.
    world = World()
    world.api.may_answer.clear()
    connecting = world.connecting()
    await turns()
    await world.agent.disconnect()
    with pytest.raises(NotConnected):
        await connecting
    world.api.may_answer.set()
    await turns()
    assert world.rooms.made == []


@in_virtual_time
async def test_a_room_dropped_by_the_watchdog_is_left_before_the_next_is_made():
    world = World()
    first = await world.joined(ALICE)
    first.may_leave.clear()
    first.emit(Reconnecting())
    await world.passes(35)
    assert first.leave_began.is_set()
    assert len(world.rooms.made) == 1
    first.may_leave.set()
    await world.rooms.opened(2)


@in_virtual_time
async def test_a_stop_that_is_given_up_leaves_the_room_as_it_is():
    world = World()
    room = await world.joined()
    room.may_leave.clear()
    stopping = asyncio.create_task(world.agent.stop())
    await turns()
    stopping.cancel()
    await turns()
    assert stopping.cancelled()
    room.may_leave.set()
    await turns()
    assert room.has_left


@in_virtual_time
async def test_a_broken_installation_is_told_as_one_and_not_tried_again():
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.BROKEN_INSTALL)
    with pytest.raises(ConnectFailed) as failed:
        await connecting
    assert failed.value.data["category"] == "broken-install"
    assert failed.value.data["retryable"] is False
    assert "Reinstall" in str(failed.value.data["fix"])
    await world.passes(600)
    assert world.states[-1] == "failed"
    assert len(world.rooms.made) <= 1


@pytest.mark.parametrize("bug", ["the token", "the join", "what takes the join"])
@in_virtual_time
async def test_a_bug_in_a_join_is_told_as_one_and_the_next_try_is_a_new_one(bug: str):
    world = World()
    if bug == "the token":
        world.api.token_error = ZeroDivisionError()
    elif bug == "the join":
        world.rooms.error = ZeroDivisionError()
    connecting = world.connecting()
    if bug == "what takes the join":
        room = await world.rooms.opened()
        room.emit_error = ZeroDivisionError()
        await room.joins()
    with pytest.raises(ConnectFailed) as failed:
        await connecting
    assert failed.value.data["category"] == "internal"
    assert failed.value.data["retryable"] is True
    world.api.token_error = None
    await world.joined(ALICE)
    assert world.agent.status().state is AgentState.CONNECTED
    assert world.rooms.most_at_once <= 1


@in_virtual_time
async def test_a_token_that_cannot_be_made_is_a_failed_attempt_and_not_the_end():
    world = World()
    world.api.token_error = ValueError("no token today")
    connecting = world.connecting()
    await world.passes(20)
    with pytest.raises(ConnectFailed):
        await connecting
    world.api.token_error = None
    again = world.connecting()
    room = await world.rooms.opened()
    await room.joins(ALICE)
    assert (await again).state is AgentState.CONNECTED


@in_virtual_time
async def test_an_agent_whose_token_could_not_be_made_can_be_stopped():
    world = World()
    world.api.token_error = ValueError("no token today")
    connecting = world.connecting()
    await turns()
    await world.agent.stop()
    await asyncio.wait({connecting})
    assert connecting.exception() is not None


@in_virtual_time
async def test_an_agent_whose_token_could_not_be_made_joins_after_a_disconnect():
    world = World()
    world.api.token_error = ValueError("no token today")
    connecting = world.connecting()
    await turns()
    await world.agent.disconnect()
    await asyncio.wait({connecting})
    assert connecting.exception() is not None
    world.api.token_error = None
    await world.joined(ALICE)
    assert world.agent.status().state is AgentState.CONNECTED


@pytest.mark.parametrize("then", ["connect", "disconnect", "stop"])
@in_virtual_time
async def test_a_room_whose_join_raises_is_a_failed_attempt_and_not_the_end(then: str):
    # Where the native library is broken, say: ctypes has many ways to fail.
    world = World()
    world.rooms.error = OSError("a bug")
    connecting = world.connecting()
    await world.rooms.opened()
    await world.passes(0.01)
    if then == "stop":
        await world.agent.stop()
    elif then == "disconnect":
        await world.agent.disconnect()
    await asyncio.wait({connecting})
    assert connecting.exception() is not None
    if then != "stop":
        await world.joined(ALICE)
        assert world.agent.status().state is AgentState.CONNECTED


@in_virtual_time
async def test_a_change_of_place_after_a_disconnect_waits_for_the_old_room_only():
    world = World()
    first = await world.joined(ALICE)
    await world.agent.disconnect()
    connecting = world.connecting(Settings(room="attic"))
    second = await world.rooms.opened(2)
    assert first.has_left
    assert (first.target.room, second.target.room) == ("den", "attic")
    await second.joins(ALICE)
    assert (await connecting).sessions == 1
    assert world.lines == [
        "created PA_alice",
        "updated PA_alice connected",
        "closed PA_alice agent-disconnected",
        "created PA_alice",
        "updated PA_alice connected",
    ]


@in_virtual_time
async def test_a_failure_of_a_room_that_was_dropped_is_not_told():
    world = World()
    connecting = world.connecting()
    first = await world.rooms.opened()
    await world.agent.disconnect()
    with pytest.raises(NotConnected):
        await connecting
    before = len(world.notify.notifications)
    await first.fails(Category.UNAUTHORIZED)
    await world.passes(60)
    assert len(world.notify.notifications) == before
    assert world.agent.status().state is AgentState.IDLE
