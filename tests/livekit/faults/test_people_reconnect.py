"""A person's own link fails, as LiveKit simulates it, and their SDK brings them back, or not."""

from __future__ import annotations

import pytest
from livekit import rtc

from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage


async def _returns(
    stage: Stage, kind: str, *fates: tuple[str, str | None], are_sure: bool = True
) -> None:
    """bob is silent, puba publishes; each sid that ends does so in one of *fates*."""
    await stage.serve()
    agent = await stage.agent()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    await agent.sees(bob, puba)
    reasons = [reason for reason, _ in fates]
    agent.law.accept({"bob": reasons, "puba": reasons})
    for each in (bob, puba):
        await each.room.simulate_scenario(rtc.SimulateScenarioKind.Value(f"SIMULATE_{kind}"))
    if are_sure:
        await agent.until("two ends", lambda law: len(law.closes) == 2, 20.0)
    assert {(close.reason, close.detail) for close in agent.law.closes} <= set(fates)
    await stage.settled(agent, "bob", "puba")
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_a_person_who_resumes(stage: Stage) -> None:
    """Accepted: nothing is told.

    Where a busy machine lets the resume fail, their SDK reconnects in full, as in the next row.
    """
    fates = (("replaced", None), ("left", "CLIENT_INITIATED"))
    await _returns(stage, "SIGNAL_RECONNECT", *fates, are_sure=False)


@row
async def test_a_person_who_reconnects_in_full(stage: Stage) -> None:
    """Accepted: the old stay ends `replaced` or `left`, and a new one begins."""
    await _returns(stage, "FULL_RECONNECT", ("replaced", None), ("left", "CLIENT_INITIATED"))


@pytest.mark.full
@row
async def test_a_person_whose_node_fails(stage: Stage) -> None:
    """Accepted: `server-shutdown`, as LiveKit says, or `replaced`; and a new stay begins."""
    await _returns(
        stage, "NODE_FAILURE", ("replaced", None), ("server-shutdown", "SERVER_SHUTDOWN")
    )


@pytest.mark.full
@row
async def test_a_person_who_is_migrated(stage: Stage) -> None:
    """Accepted: `connection-lost`, MIGRATION, or `replaced`; and a new stay begins."""
    await _returns(stage, "MIGRATION", ("replaced", None), ("connection-lost", "MIGRATION"))


@pytest.mark.full
@row
async def test_a_person_told_by_the_server_to_leave(stage: Stage) -> None:
    """Accepted: `server-shutdown`, SERVER_SHUTDOWN, and nobody comes back."""
    await stage.serve()
    agent = await stage.agent()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    await agent.sees(bob, puba)
    agent.law.accept({"bob": ["server-shutdown"], "puba": ["server-shutdown"]})
    for each in (bob, puba):
        await each.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SERVER_LEAVE)
    await agent.closes(bob, puba)
    for identity in ("bob", "puba"):
        assert agent.law.closed(identity) == [("server-shutdown", "SERVER_SHUTDOWN")]
    await stage.life_goes_on(agent)
