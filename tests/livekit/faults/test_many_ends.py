"""The end of the process, many times: status 0 each within 3 s, and its last words in order.

A plain interpreter exit aborts in 2 to 5 % of runs once the SDK was used, hence the counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import ended_after_s, on_frozen, row, row_within
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import ENDED_S, Agent

WAYS = ("end of input", "SIGTERM", "SIGINT", "shutdown")
"""One of each in a round."""
ROUNDS = 3
"""12 ends."""
MANY_ROUNDS = 15
"""60 ends."""
MANY_LIMIT_S = 600.0

Trouble = Callable[[Stage, list[Agent]], Awaitable[None]]


async def _nothing(stage: Stage, agents: list[Agent]) -> None:
    """The room is joined, and all is well."""


async def _reconnecting(stage: Stage, agents: list[Agent]) -> None:
    """The server refuses."""
    stage.network.set(Mode.CUT)
    await asyncio.gather(*(agent.is_in("reconnecting") for agent in agents))


async def _reconnecting_in_vain(stage: Stage, agents: list[Agent]) -> None:
    """The server takes connections, and says nothing."""
    await _reconnecting(stage, agents)
    stage.network.set(Mode.SILENT)


async def _hung(stage: Stage, agents: list[Agent]) -> None:
    """The server hangs, which nobody knows yet."""
    stage.server.freeze()


async def _end(agent: Agent, way: str) -> None:
    began_s = asyncio.get_running_loop().time()
    if way == "end of input":
        agent.client.close_stdin()
    elif way == "shutdown":
        assert await agent.client.request("shutdown") is None
    else:
        agent.client.signal_group(way)
    assert await agent.client.wait(timeout_s=ENDED_S) == 0
    ended_after_s.append(asyncio.get_running_loop().time() - began_s)
    assert agent.fold().closed("bob") == [("sidecar-shutdown", None)]
    agent.law.check_end()


async def _ends(stage: Stage, rounds: int, *troubles: Trouble) -> None:
    await stage.serve(far=True)
    bob = await stage.person("bob")
    for number in range(rounds):
        agents = await asyncio.gather(
            *(stage.agent(identity=f"clara-{number}-{way}") for way in range(len(WAYS)))
        )
        await asyncio.gather(*(agent.sees(bob) for agent in agents))
        await troubles[number % len(troubles)](stage, agents)
        await asyncio.gather(*(agent.look_away() for agent in agents))
        await asyncio.gather(*map(_end, agents, WAYS))
        for agent in agents:
            stage.forget(agent)
        stage.server.thaw()
        stage.network.set(Mode.PASS)


@row
async def test_ends_with_a_joined_room(stage: Stage) -> None:
    """Accepted: `sidecar-shutdown`, status 0, each of 12 times."""
    await _ends(stage, ROUNDS, _nothing)


@pytest.mark.full
@row
async def test_ends_in_trouble(stage: Stage) -> None:
    """Accepted: `sidecar-shutdown`, status 0, each of 12 times."""
    await _ends(stage, ROUNDS, _reconnecting, _reconnecting_in_vain, _hung)


@pytest.mark.full
@row_within(MANY_LIMIT_S)
async def test_60_ends_with_a_joined_room(stage: Stage) -> None:
    """Accepted: `sidecar-shutdown`, status 0, each of 60 times."""
    await _ends(stage, MANY_ROUNDS, _nothing)


@pytest.mark.full
@row_within(MANY_LIMIT_S)
async def test_60_ends_in_trouble(stage: Stage) -> None:
    """Accepted: `sidecar-shutdown`, status 0, each of 60 times."""
    await _ends(stage, MANY_ROUNDS, _reconnecting, _reconnecting_in_vain, _hung)


test_frozen_ends_with_a_joined_room = on_frozen(test_ends_with_a_joined_room)
test_frozen_ends_in_trouble = on_frozen(test_ends_in_trouble)
test_frozen_60_ends_with_a_joined_room = on_frozen(test_60_ends_with_a_joined_room)
test_frozen_60_ends_in_trouble = on_frozen(test_60_ends_in_trouble)
