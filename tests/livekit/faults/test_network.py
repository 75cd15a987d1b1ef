"""The network between the sidecar and the server fails, and comes back."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.dev.person import Person
from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import REJOINED_S, Agent

AWAY = ("left-during-reconnect", "left")
"""Of one who leaves while the agent does not hear it: the SDK tells some of them itself."""


async def _two_people(stage: Stage, *, media_far: bool) -> tuple[Agent, Person, Person]:
    await stage.serve(far=True, media_far=media_far)
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    agent = await stage.agent()
    await agent.sees(bob, puba)
    return agent, bob, puba


async def _nobody_is_lost(
    stage: Stage, mode: Mode, seconds: float, *, media_far: bool, media_alone: bool = False
) -> None:
    """The network fails; meanwhile puba leaves and carol joins; it is back within 45 s."""
    agent, bob, puba = await _two_people(stage, media_far=media_far)
    agent.law.accept({"puba": AWAY})
    stage.network.set(mode, media_alone=media_alone)
    leaving, joining = asyncio.create_task(puba.leave()), asyncio.create_task(stage.person("carol"))
    await asyncio.sleep(seconds)
    await leaving
    carol = await joining
    stage.network.set(Mode.PASS)
    await agent.closes(puba, within_s=REJOINED_S)
    await agent.sees(bob, carol, within_s=REJOINED_S)
    await stage.settled(agent, "bob", "carol")
    assert agent.law.closed("bob") == []
    await stage.life_goes_on(agent, leaver=bob)


@row
async def test_a_signal_cut_for_5_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.CUT, 5.0, media_far=False)


@pytest.mark.full
@row
async def test_a_signal_cut_for_25_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.CUT, 25.0, media_far=False)


@pytest.mark.full
@row
async def test_a_signal_silent_for_5_s(stage: Stage) -> None:
    """Accepted: as if nothing had been: the leave is told late, and as it was."""
    await _nobody_is_lost(stage, Mode.SILENT, 5.0, media_far=False)


@pytest.mark.full
@row
async def test_a_signal_silent_for_25_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.SILENT, 25.0, media_far=False)


@pytest.mark.full
@row
async def test_a_network_cut_for_5_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.CUT, 5.0, media_far=True)


@pytest.mark.full
@row
async def test_a_network_cut_for_25_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.CUT, 25.0, media_far=True)


@pytest.mark.full
@row
async def test_a_network_silent_for_5_s(stage: Stage) -> None:
    """Accepted: as if nothing had been: the leave is told late, and as it was."""
    await _nobody_is_lost(stage, Mode.SILENT, 5.0, media_far=True)


@pytest.mark.full
@row
async def test_a_network_silent_for_25_s(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.SILENT, 25.0, media_far=True)


@pytest.mark.full
@row
async def test_media_silent_for_25_s_while_the_signal_lives(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.SILENT, 25.0, media_far=True, media_alone=True)


@pytest.mark.full
@row
async def test_media_cut_for_5_s_while_the_signal_lives(stage: Stage) -> None:
    """Accepted: who stays keeps the session; who left has left, in one of two words."""
    await _nobody_is_lost(stage, Mode.CUT, 5.0, media_far=True, media_alone=True)


async def _everybody_is_lost(
    stage: Stage, mode: Mode, *, media_far: bool, media_alone: bool = False
) -> None:
    agent, bob, puba = await _two_people(stage, media_far=media_far)
    agent.law.accept({"bob": ["connection-lost"], "puba": ["connection-lost"]})
    agent.law.accept_reopening("bob", "puba")
    stage.network.set(mode, media_alone=media_alone)
    await asyncio.sleep(60.0)
    stage.network.set(Mode.PASS)
    await agent.is_in("connected")
    await stage.settled(agent, "bob", "puba", within_s=REJOINED_S)
    if mode is Mode.CUT:
        assert agent.law.closed("bob") == [("connection-lost", None)]
        assert agent.law.created_sids.count(bob.sid) == 2
    assert len(agent.law.closed("puba")) == agent.law.created_sids.count(puba.sid) - 1
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_signal_cut_for_60_s(stage: Stage) -> None:
    """Accepted: `connection-lost` after 45 s; who is still there is new, under a new id."""
    await _everybody_is_lost(stage, Mode.CUT, media_far=False)


@pytest.mark.full
@row
async def test_a_signal_silent_for_60_s(stage: Stage) -> None:
    """Accepted: the silence is known after about 15 s, so 45 s later all end, or just not."""
    await _everybody_is_lost(stage, Mode.SILENT, media_far=False)


@pytest.mark.full
@row
async def test_a_network_cut_for_60_s(stage: Stage) -> None:
    """Accepted: `connection-lost` after 45 s; who is still there is new, under a new id."""
    await _everybody_is_lost(stage, Mode.CUT, media_far=True)


@pytest.mark.full
@row
async def test_a_network_silent_for_60_s(stage: Stage) -> None:
    """Accepted: the silence is known after about 15 s, so 45 s later all end, or just not."""
    await _everybody_is_lost(stage, Mode.SILENT, media_far=True)


@pytest.mark.full
@row
async def test_media_silent_for_60_s_while_the_signal_lives(stage: Stage) -> None:
    """Accepted: the silence is known after about 15 s, so 45 s later all end, or just not."""
    await _everybody_is_lost(stage, Mode.SILENT, media_far=True, media_alone=True)
