"""The sidecar's process is stopped and goes on: what a laptop's sleep looks like to it."""

from __future__ import annotations

import asyncio

import pytest

from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import REJOINED_S

AWAY = ("left-during-reconnect", "left")


async def _sleeps(stage: Stage, seconds: float) -> None:
    """Meanwhile puba leaves, carol joins, and dave reloads his page."""
    await stage.serve()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    dave = await stage.person("dave")
    agent = await stage.agent()
    await agent.sees(bob, puba, dave)
    agent.law.accept({"puba": AWAY, "dave": ["replaced", "left", "left-during-reconnect"]})
    agent.client.freeze()
    await puba.leave()
    await dave.leave()
    carol, dave_again = await stage.person("carol"), await stage.person("dave")
    await asyncio.sleep(seconds)
    agent.client.thaw()
    await agent.closes(puba, dave, within_s=REJOINED_S)
    await agent.sees(bob, carol, dave_again, within_s=REJOINED_S)
    assert agent.law.closed("bob") == []
    await stage.settled(agent, "bob", "carol", "dave")
    await stage.life_goes_on(agent, leaver=bob)


@row
async def test_a_sleep_of_5_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session, the others' true fate is told."""
    await _sleeps(stage, 5.0)


@pytest.mark.full
@row
async def test_a_sleep_of_20_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session, the others' true fate is told."""
    await _sleeps(stage, 20.0)


@pytest.mark.full
@row
async def test_a_sleep_of_60_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session: time that was slept through ends nothing."""
    await _sleeps(stage, 60.0)
