"""The server crashes, hangs, or is told to end."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.dev.person import Person
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import ANNOUNCED_S, OUTAGE_S, REJOINED_S, Agent

CAME_BACK = ("replaced", "left-during-reconnect")
"""A server that forgot everybody gives each a new sid: announced before the snapshot's hold is
over, or after it."""


async def _two_people(stage: Stage) -> tuple[Agent, Person, Person]:
    await stage.serve()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    agent = await stage.agent()
    await agent.sees(bob, puba)
    return agent, bob, puba


async def _killed_for(stage: Stage, seconds: float) -> None:
    agent, bob, puba = await _two_people(stage)
    agent.law.accept({"bob": CAME_BACK, "puba": CAME_BACK})
    before = (bob.sid, puba.sid)
    await stage.server.kill()
    await asyncio.sleep(seconds)
    await stage.server.start()
    await agent.closes_all(*before)
    await stage.returned(bob, puba)
    await stage.settled(agent, "bob", "puba", within_s=REJOINED_S)
    await stage.life_goes_on(agent)


@row
async def test_a_server_killed_and_back_after_1_s(stage: Stage) -> None:
    """Accepted: each session ends once, `replaced` or `left-during-reconnect`, and all return."""
    await _killed_for(stage, 1.0)


@pytest.mark.full
@row
async def test_a_server_killed_and_back_after_10_s(stage: Stage) -> None:
    """Accepted: each session ends once, `replaced` or `left-during-reconnect`, and all return."""
    await _killed_for(stage, 10.0)


@pytest.mark.full
@row
async def test_a_server_killed_and_back_after_60_s(stage: Stage) -> None:
    """Accepted: `connection-lost` after 45 s; who comes back afterwards is new."""
    agent, bob, puba = await _two_people(stage)
    agent.law.accept({"bob": ["connection-lost"], "puba": ["connection-lost"]})
    await stage.server.kill()
    await agent.closes(bob, puba, within_s=OUTAGE_S + ANNOUNCED_S)
    await asyncio.sleep(15.0)
    await stage.server.start()
    await agent.is_in("connected")
    again = await stage.person("bob")
    await agent.sees(again)
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_server_frozen_for_8_s(stage: Stage) -> None:
    """Accepted: nothing at all is told."""
    agent, _, puba = await _two_people(stage)
    told = agent.fold().seq
    stage.server.freeze()
    await asyncio.sleep(8.0)
    stage.server.thaw()
    await agent.client.call("getStatus")
    assert agent.fold().seq == told
    await stage.life_goes_on(agent, leaver=puba)


@pytest.mark.full
@row
async def test_a_server_frozen_for_25_s(stage: Stage) -> None:
    """Accepted: each session ends at most once, as the server says everybody's sid is new."""
    agent, _, _ = await _two_people(stage)
    agent.law.accept({"bob": [*CAME_BACK, "left"], "puba": [*CAME_BACK, "left"]})
    stage.server.freeze()
    await asyncio.sleep(25.0)
    stage.server.thaw()
    await agent.is_in("connected")
    await stage.settled(agent, "bob", "puba", within_s=REJOINED_S)
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_a_server_told_twice_to_end(stage: Stage) -> None:
    """Accepted: `server-shutdown`, SERVER_SHUTDOWN, 45 s later or told before.

    `connection-lost` where the server was gone before its last word was out.
    """
    agent, bob, puba = await _two_people(stage)
    fates = ("server-shutdown", "connection-lost")
    agent.law.accept({"bob": fates, "puba": fates})
    await stage.server.stop()
    await agent.closes(bob, puba, within_s=OUTAGE_S + ANNOUNCED_S)
    for identity in ("bob", "puba"):
        assert agent.law.closed(identity) in (
            [("server-shutdown", "SERVER_SHUTDOWN")],
            [("connection-lost", None)],
        )


@pytest.mark.full
@row
async def test_a_server_told_twice_to_end_that_returns(stage: Stage) -> None:
    """Accepted: the true fate: who came back first was `replaced`, who did not has left.

    `server-shutdown` where the server still told of that person's end before the agent's own.
    """
    agent, _, _ = await _two_people(stage)
    agent.law.accept(
        {
            "bob": ["replaced", "server-shutdown"],
            "puba": ["left-during-reconnect", "server-shutdown"],
        }
    )
    await stage.server.stop()
    await agent.is_in("backoff")
    await stage.server.start()
    again = await stage.person("bob", publishes=True)
    await agent.sees(again, within_s=REJOINED_S)
    await stage.settled(agent, "bob")
    await stage.life_goes_on(agent, leaver=again)
