"""People come, leave, and return while the agent itself is reconnecting."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.dev.person import Person
from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import ANNOUNCED_S, REJOINED_S, SETTLED_S

AWAY = ("left-during-reconnect", "left")
"""In the reconciler's or the snapshot's words, or the server's own, told late."""
BACK = ("replaced", "left-during-reconnect", "left")


async def _people_move(stage: Stage, kind: str) -> None:
    """bob stays; leaver leaves; joiner joins; returner returns; all around the simulated fault."""
    await stage.serve()
    bob, leaver, returner = await asyncio.gather(
        stage.person("bob"), stage.person("leaver"), stage.person("returner")
    )
    agent = await stage.agent(driven=True)
    await agent.sees(bob, leaver, returner)
    agent.law.accept({"leaver": AWAY, "returner": BACK})
    _, again, joiner, _ = await asyncio.gather(
        leaver.leave(), _return(stage), stage.person("joiner"), agent.simulate(kind)
    )
    await agent.closes(leaver, returner)
    await agent.sees(bob, again, joiner, within_s=REJOINED_S)
    assert agent.law.closed("bob") == []
    await stage.settled(agent, "bob", "joiner", "returner")
    assert "reconnecting" in agent.law.agent_states
    await stage.life_goes_on(agent, leaver=bob)


async def _return(stage: Stage) -> Person:
    return await stage.person("returner")


@row
async def test_people_move_during_a_resume(stage: Stage) -> None:
    """Accepted: who stays keeps the session; each other's true fate, once."""
    await _people_move(stage, "SIGNAL_RECONNECT")


@pytest.mark.full
@row
async def test_people_move_during_a_full_reconnect(stage: Stage) -> None:
    """Accepted: who stays keeps the session; each other's true fate, once."""
    await _people_move(stage, "FULL_RECONNECT")


@pytest.mark.full
@row
async def test_people_move_during_a_node_failure(stage: Stage) -> None:
    """Accepted: who stays keeps the session; each other's true fate, once."""
    await _people_move(stage, "NODE_FAILURE")


@pytest.mark.full
@row
async def test_people_move_during_a_signal_lost_again_on_resume(stage: Stage) -> None:
    """Accepted: who stays keeps the session; each other's true fate, once."""
    await _people_move(stage, "DISCONNECT_SIGNAL_ON_RESUME")


@pytest.mark.full
@row
async def test_people_move_while_the_agent_cannot_reach_the_server(stage: Stage) -> None:
    """Accepted: `left-during-reconnect` or told late; the reload `replaced`; the joiner is seen."""
    await stage.serve(far=True)
    bob, leaver, returner = await asyncio.gather(
        stage.person("bob"), stage.person("leaver", publishes=True), stage.person("returner")
    )
    agent = await stage.agent()
    await agent.sees(bob, leaver, returner)
    agent.law.accept({"leaver": AWAY, "returner": BACK, "visitor": AWAY})
    stage.network.set(Mode.CUT)
    await agent.is_in("reconnecting")
    await asyncio.gather(leaver.leave(), returner.leave())
    visitor = await stage.person("visitor", publishes=True)
    await visitor.leave()
    joiner, again = await asyncio.gather(stage.person("joiner"), stage.person("returner"))
    stage.network.set(Mode.PASS)
    await agent.is_in("connected")
    await agent.closes(leaver, returner)
    await agent.sees(bob, joiner, again)
    await stage.settled(agent, "bob", "joiner", "returner")
    assert len(agent.law.closed("visitor")) <= 1
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_kick_during_a_reconnect(stage: Stage) -> None:
    """Accepted: `left-during-reconnect`, for nobody tells why; or `removed` where it is told."""
    await stage.serve(far=True)
    bob, carol = await asyncio.gather(stage.person("bob"), stage.person("carol"))
    agent = await stage.agent()
    await agent.sees(bob, carol)
    agent.law.accept({"bob": ["left-during-reconnect", "removed", "left"]})
    stage.network.set(Mode.CUT)
    await agent.is_in("reconnecting")
    await stage.remove("bob")
    stage.network.set(Mode.PASS)
    await agent.closes(bob)
    await stage.settled(agent, "carol")
    await stage.life_goes_on(agent, leaver=carol)


@pytest.mark.full
@row
async def test_a_person_who_leaves_between_two_attempts_of_a_full_reconnect(stage: Stage) -> None:
    """Accepted: `left`, reconcile: the SDK keeps a ghost, which the server's list does not hold.

    The SDK's first attempt gets as far as the list of people, and finds no media; of one who leaves
    then, its second attempt, which only adds people, says nothing. `left-during-reconnect` where
    both attempts were in vain and the agent joined anew. A ghost does not come back with a resume.
    """
    await stage.serve(media_far=True)
    bob, carol = await asyncio.gather(stage.person("bob"), stage.person("carol"))
    agent = await stage.agent(driven=True)
    await agent.sees(bob, carol)
    agent.law.accept({"bob": AWAY})
    stage.network.set(Mode.CUT, media_alone=True)
    await agent.simulate("FULL_RECONNECT")
    await agent.is_in("reconnecting")
    await asyncio.sleep(5.0)
    await bob.leave()
    await asyncio.sleep(8.0)  # the SDK gives up on media after 15 s
    stage.network.set(Mode.PASS)
    await agent.is_in("connected")
    await agent.closes(bob, within_s=SETTLED_S + ANNOUNCED_S)
    assert agent.law.closed("bob")[0] in (("left", "reconcile"), ("left-during-reconnect", None))
    await agent.simulate("SIGNAL_RECONNECT")
    await agent.went_through("reconnecting", "connected")
    await agent.sees(carol)
    await stage.life_goes_on(agent, leaver=carol)
    assert len(agent.law.closed("bob")) == 1
