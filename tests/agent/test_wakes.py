"""Any number of wakes: the first at once, then one each second."""

from __future__ import annotations

from tests.agent.fakes import turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World


@in_virtual_time
async def test_500_wakes_in_a_second_ask_the_server_twice():
    world = World()
    await world.joined()
    await turns()
    before = world.api.lists
    for _ in range(500):
        world.agent.wake()
        await world.passes(0.001)
    assert world.api.lists - before == 1
    await world.passes(1)
    assert world.api.lists - before == 2


@in_virtual_time
async def test_a_lone_wake_counts_at_once_each_time():
    world = World()
    await world.joined()
    for number in (1, 2, 3):
        before = world.api.lists
        world.agent.wake()
        await turns()
        assert world.api.lists == before + 1, number
        await world.passes(2)
