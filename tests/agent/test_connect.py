"""The agent's `connect` and `disconnect`: what is answered, when, and what goes on by itself."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import (
    ConnectFailed,
    ErrorCode,
    InvalidParams,
    NotConnected,
    OtherRoom,
)
from sidecar.core.contract.failures import FATAL, Category
from sidecar.core.contract.messages import AgentState, AgentStateChanged, SessionClosed
from sidecar.core.facts import DisconnectReason, Reconnecting, RoomEnded
from tests.agent.fakes import START_MS, turns
from tests.agent.virtual_time import VirtualTimeLoop, in_virtual_time
from tests.agent.world import SETTINGS, URL, World
from tests.core.played import someone

ALICE = someone("alice")
NOW_S = START_MS // 1000
CRITICAL = (
    "Critical: ClaraVoiceAgent failed to connect to the LiveKit server."
    " Voice features will be unavailable."
)
RETRYABLE = sorted(set(Category) - FATAL)


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sidecar")


@in_virtual_time
async def test_connect_answers_the_status_after_the_snapshot():
    world = World()
    connecting = world.connecting()
    room = await world.rooms.opened()
    assert not connecting.done()
    await room.joins(ALICE)
    status = await connecting
    assert (status.state, status.sessions, status.room) == (AgentState.CONNECTED, 1, "den")
    assert status.seq == len(world.notify.notifications)
    assert world.states == ["connecting", "connected"]


@in_virtual_time
async def test_all_who_connect_while_it_is_undecided_are_answered_together():
    world = World()
    waiting = [world.connecting() for _ in range(3)]
    room = await world.rooms.opened()
    await room.joins()
    states = [(await each).state for each in waiting]
    assert states == [AgentState.CONNECTED] * 3
    assert len(world.rooms.made) == 1


@pytest.mark.parametrize("is_reconnecting", [False, True])
@in_virtual_time
async def test_a_connect_to_the_same_place_is_answered_at_once(is_reconnecting: bool):
    world = World()
    room = await world.joined()
    if is_reconnecting:
        room.emit(Reconnecting())
    status = await world.agent.connect(Settings())
    expected = AgentState.RECONNECTING if is_reconnecting else AgentState.CONNECTED
    assert (status.state, len(world.rooms.made)) == (expected, 1)


@pytest.mark.parametrize(
    "elsewhere",
    [Settings(room="attic"), Settings(identity="ada"), Settings(url="ws://other")],
    ids=["room", "identity", "url"],
)
@pytest.mark.parametrize("stage", ["connecting", "connected", "reconnecting"])
@in_virtual_time
async def test_a_connect_to_another_place_is_1007_and_changes_nothing(
    elsewhere: Settings, stage: str
):
    world = World()
    connecting = world.connecting()
    room = await world.rooms.opened()
    if stage != "connecting":
        await room.joins(ALICE)
    if stage == "reconnecting":
        room.emit(Reconnecting())
    before = world.agent.status()
    with pytest.raises(OtherRoom) as refusal:
        await world.agent.connect(elsewhere)
    assert refusal.value.code is ErrorCode.OTHER_ROOM
    assert world.agent.status() == before
    if stage == "connecting":
        await room.joins()
    await connecting
    assert (await world.agent.connect(Settings())).room == "den"


@pytest.mark.parametrize("stage", ["connecting", "connected", "reconnecting"])
@in_virtual_time
async def test_a_switch_to_another_room_closes_the_sessions_and_joins_that_room(stage: str):
    world = World()
    connecting = world.connecting()
    first = await world.rooms.opened()
    if stage != "connecting":
        await first.joins(ALICE)
    if stage == "reconnecting":
        first.emit(Reconnecting())
    switching = asyncio.ensure_future(world.agent.connect(Settings(room="attic", switch=True)))
    if stage == "connecting":
        with pytest.raises(NotConnected):
            await connecting
        await first.joins()
    second = await world.rooms.opened(2)
    await second.joins()
    status = await switching
    assert (status.state, status.room, status.sessions) == (AgentState.CONNECTED, "attic", 0)
    closed = [each.reason for each in world.heard(SessionClosed)]
    assert closed == ([] if stage == "connecting" else [CloseReason.AGENT_DISCONNECTED])


@in_virtual_time
async def test_a_switch_to_the_present_room_keeps_the_sessions_and_an_invalid_one_changes_nothing():
    world = World()
    await world.joined(ALICE)
    assert (await world.agent.connect(Settings(room="den", switch=True))).sessions == 1
    with pytest.raises(InvalidParams):
        await world.agent.connect(Settings(room="attic", token="", switch=True))
    assert (world.agent.status().room, len(world.rooms.made)) == ("den", 1)


@in_virtual_time
async def test_invalid_params_change_nothing():
    world = World(Settings())
    for settings in (Settings(), Settings(url=URL), Settings(url=URL, token="")):
        before = world.agent.status()
        with pytest.raises(InvalidParams):
            await world.agent.connect(settings)
        assert world.agent.status() == before
    assert world.notify.notifications == []
    assert world.rooms.made == []


@in_virtual_time
async def test_settings_of_one_connect_are_the_defaults_of_the_next():
    world = World(Settings())
    connecting = world.connecting(SETTINGS)
    await (await world.rooms.opened()).joins()
    await connecting
    await world.agent.disconnect()
    connecting = world.connecting(Settings(room="attic"))
    second = await world.rooms.opened(2)
    assert second.target.server_room_identity == (URL, "attic", "clara")
    await second.joins()
    await connecting


@pytest.mark.parametrize("category", RETRYABLE)
@in_virtual_time
async def test_a_retryable_failure_is_1002_and_the_agent_goes_on_by_itself(category: Category):
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(category)
    with pytest.raises(ConnectFailed) as failure:
        await connecting
    assert failure.value.code is ErrorCode.CONNECT_FAILED
    assert failure.value.data["category"] == category.value
    assert failure.value.data["retryable"] is True
    assert {"detail", "fix"} <= set(failure.value.data)
    status = world.agent.status()
    assert (status.state, status.attempt) == (AgentState.BACKOFF, 1)
    assert status.last_error is not None
    assert status.last_error.category is category
    second = await world.rooms.opened(2)
    await second.joins(ALICE)
    status = world.agent.status()
    assert (status.state, status.attempt, status.last_error) == (AgentState.CONNECTED, 0, None)


@pytest.mark.parametrize("category", sorted(FATAL))
@in_virtual_time
async def test_a_failure_that_waiting_does_not_cure_is_failed_until_the_next_connect(
    category: Category,
):
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(category)
    with pytest.raises(ConnectFailed) as failure:
        await connecting
    assert failure.value.data["retryable"] is False
    await world.passes(600)
    assert (world.agent.status().state, len(world.rooms.made)) == (AgentState.FAILED, 1)
    connecting = world.connecting(Settings(api_secret="better"))
    second = await world.rooms.opened(2)
    assert second.target.api_secret == "better"
    await second.joins()
    assert (await connecting).state is AgentState.CONNECTED


@in_virtual_time
async def test_a_connect_undecided_after_15_s_is_1002_timeout_and_may_still_join():
    world = World()
    connecting = world.connecting()
    room = await world.rooms.opened()
    await world.passes(14.5)
    assert not connecting.done()
    await world.passes(1)
    with pytest.raises(ConnectFailed) as failure:
        await connecting
    assert failure.value.data["category"] == "timeout"
    assert failure.value.data["retryable"] is True
    assert world.agent.status().state is AgentState.CONNECTING
    await world.passes(40)
    await room.joins(ALICE)
    assert world.agent.status().state is AgentState.CONNECTED
    assert world.agent.status().last_error is None
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_a_stop_of_the_process_does_not_use_up_the_15_s():
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    world = World()
    connecting = world.connecting()
    room = await world.rooms.opened()
    loop.now_s += 3_600.0
    await world.passes(0.5)
    assert not connecting.done()
    await room.joins()
    assert (await connecting).state is AgentState.CONNECTED


@in_virtual_time
async def test_one_who_connects_late_in_a_long_attempt_waits_15_s_of_their_own():
    world = World()
    first = world.connecting()
    room = await world.rooms.opened()
    await world.passes(10)
    second = world.connecting()
    await world.passes(6)
    with pytest.raises(ConnectFailed):
        await first
    assert not second.done()
    await room.joins()
    assert (await second).state is AgentState.CONNECTED


@pytest.mark.parametrize("wait_s", [0.0, 0.1])
@in_virtual_time
async def test_a_connect_in_a_backoff_tries_at_once_and_with_what_it_brings(wait_s: float):
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails()
    with pytest.raises(ConnectFailed):
        await connecting
    await world.passes(wait_s)
    connecting = world.connecting(Settings(room="attic"))
    second = await world.rooms.opened(2)
    assert second.target.room == "attic"
    await second.joins()
    assert (await connecting).room == "attic"
    await world.passes(60)
    assert len(world.rooms.made) == 2


@in_virtual_time
async def test_a_wake_up_call_ends_a_backoff_at_once():
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails()
    with pytest.raises(ConnectFailed):
        await connecting
    assert world.agent.status().state is AgentState.BACKOFF
    world.agent.wake()
    assert world.agent.status().state is AgentState.CONNECTING
    await turns()
    assert len(world.rooms.made) == 2


@in_virtual_time
async def test_a_backoff_says_when_it_tries_again():
    world = World()
    connecting = world.connecting()
    for number in (1, 2, 3):
        await (await world.rooms.opened(number)).fails()
    with pytest.raises(ConnectFailed):
        await connecting
    waits = [each for each in world.heard(AgentStateChanged) if each.state == "backoff"]
    # Half of 1, 2, 4 s: `chance` says 0.5.
    assert [(each.attempt, each.retry_in_ms) for each in waits] == [(1, 500), (2, 1000), (3, 2000)]
    assert all(each.error is not None for each in waits)


# What counts later


@pytest.mark.parametrize("later", [Settings(name="Ada"), Settings(auto_subscribe=True)], ids=repr)
@in_virtual_time
async def test_another_name_or_auto_subscribe_in_the_room_is_warned_of_and_counts_at_the_next_join(
    later: Settings,
):
    world = World()
    room = await world.joined()
    assert world.agent.status().warnings == ()
    await world.connecting(later)
    (warning,) = world.agent.status().warnings
    assert "next join" in warning
    assert "`disconnect`" in warning
    await world.connecting(Settings())
    assert world.agent.status().warnings == (warning,)
    room.emit(RoomEnded(DisconnectReason.SERVER_SHUTDOWN))
    await world.passes(5)
    again = await world.rooms.opened(2)
    assert (again.target.name, again.target.auto_subscribe) == (
        later.name or room.target.name,
        bool(later.auto_subscribe),
    )
    assert world.agent.status().warnings == ()


@in_virtual_time
async def test_the_same_name_and_auto_subscribe_again_take_the_warning_back():
    world = World()
    room = await world.joined()
    await world.connecting(Settings(name="Ada", auto_subscribe=True))
    await world.connecting(Settings(name=room.target.name, auto_subscribe=False))
    assert world.agent.status().warnings == ()


@in_virtual_time
async def test_a_disconnect_and_a_connect_have_the_new_name_at_once():
    world = World()
    await world.joined()
    await world.connecting(Settings(name="Ada"))
    await world.agent.disconnect()
    world.connecting()
    assert (await world.rooms.opened(2)).target.name == "Ada"
    assert world.agent.status().warnings == ()


@in_virtual_time
async def test_a_server_is_not_blamed_for_an_earlier_attempt_at_another_that_has_not_ended():
    world = World()
    silent = world.connecting(Settings(url="ws://silent"))
    first = await world.rooms.opened()
    await world.agent.disconnect()
    healthy = world.connecting(SETTINGS)
    with pytest.raises(ConnectFailed) as refusal:
        await healthy
    data = refusal.value.data
    assert (data["category"], data["retryable"]) == ("earlier-attempt", True)
    assert "ws://silent" in str(data["detail"])
    assert world.agent.status().state is AgentState.CONNECTING
    with pytest.raises(NotConnected):
        await silent
    await first.fails(Category.TIMEOUT)
    await (await world.rooms.opened(2)).joins()
    assert world.agent.status().state is AgentState.CONNECTED


@in_virtual_time
async def test_what_answered_in_place_of_the_server_is_told():
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.SERVER_DOWN, "502 Bad Gateway - nginx")
    with pytest.raises(ConnectFailed) as refusal:
        await connecting
    assert str(refusal.value.data["detail"]).endswith("It answered: 502 Bad Gateway - nginx.")
