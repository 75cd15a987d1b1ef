"""The agent's `disconnect` and end: nobody waits for a connect in flight, and nothing is left."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ConnectFailed, NotConnected, ShuttingDown
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import AgentState
from tests.agent.fakes import turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import someone

ALICE = someone("alice")


@in_virtual_time
async def test_a_disconnect_answers_who_waits_and_does_not_wait_for_the_connect_in_flight():
    world = World()
    connecting = world.connecting()
    room = await world.rooms.opened()
    status = await world.agent.disconnect()
    assert status.state is AgentState.IDLE
    with pytest.raises(NotConnected):
        await connecting
    assert not room.leave_began.is_set()
    await room.joins(ALICE)
    assert room.has_left
    assert world.lines == []


@in_virtual_time
async def test_a_disconnect_while_idle_changes_nothing():
    world = World()
    assert (await world.agent.disconnect()).state is AgentState.IDLE
    assert world.notify.notifications == []


@pytest.mark.parametrize("stage", ["backoff", "failed"])
@in_virtual_time
async def test_a_disconnect_ends_all_trying(stage: str):
    world = World()
    connecting = world.connecting()
    category = Category.UNREACHABLE if stage == "backoff" else Category.UNAUTHORIZED
    await (await world.rooms.opened()).fails(category)
    with pytest.raises(ConnectFailed):
        await connecting
    assert (await world.agent.disconnect()).state is AgentState.IDLE
    await world.passes(120)
    assert (world.agent.status().attempt, len(world.rooms.made)) == (0, 1)


@in_virtual_time
async def test_a_stop_answers_who_waits_with_1005_and_takes_no_more():
    world = World()
    connecting = world.connecting()
    room = await world.rooms.opened()
    stopping = asyncio.create_task(world.agent.stop())
    await turns()
    with pytest.raises(ShuttingDown):
        await connecting
    assert not stopping.done()
    with pytest.raises(ShuttingDown):
        await world.agent.connect(Settings())
    await room.joins()
    await stopping
    assert room.has_left
