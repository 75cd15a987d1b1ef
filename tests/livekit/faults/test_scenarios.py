"""Every fault that LiveKit itself can simulate of the agent's Room."""

from __future__ import annotations

import contextlib

import pytest
from livekit import rtc

from sidecar.dev.stdio_client import RpcError
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import ANNOUNCED_S, OUTAGE_S

SIMULATED = (
    *("SIGNAL_RECONNECT", "SPEAKER", "NODE_FAILURE", "SERVER_LEAVE", "MIGRATION"),
    *("FORCE_TCP", "FORCE_TLS", "FULL_RECONNECT", "DISCONNECT_SIGNAL_ON_RESUME"),
)
"""A row each, below."""


def test_every_scenario_that_the_sdk_can_simulate_has_its_row() -> None:
    kinds = rtc.SimulateScenarioKind.keys()
    assert {each.removeprefix("SIMULATE_") for each in kinds} == set(SIMULATED)


async def _nobody_is_lost(stage: Stage, kind: str, *states: str) -> None:
    await stage.serve(ice_tcp=kind == "FORCE_TCP")
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    agent = await stage.agent(driven=True)
    await agent.sees(bob, puba)
    await agent.simulate(kind)
    if states:
        await agent.went_through(*states)
    await agent.sees(bob, puba)
    await stage.life_goes_on(agent, leaver=bob)
    assert set(agent.law.created_sids[:2]) == {bob.sid, puba.sid}
    assert len(agent.law.created_sids) == 3


@pytest.mark.full
@row
async def test_a_lost_signal_is_resumed(stage: Stage) -> None:
    """Accepted: no session ends."""
    await _nobody_is_lost(stage, "SIGNAL_RECONNECT", "reconnecting", "connected")


@pytest.mark.full
@row
async def test_a_speaker_update_changes_nothing(stage: Stage) -> None:
    """Accepted: no session ends, the agent stays connected."""
    await _nobody_is_lost(stage, "SPEAKER")


@pytest.mark.full
@row
async def test_a_node_failure(stage: Stage) -> None:
    """Accepted: no session ends, though the SDK says that everybody left."""
    await _nobody_is_lost(stage, "NODE_FAILURE", "reconnecting", "connected")


@pytest.mark.full
@row
async def test_a_server_leave(stage: Stage) -> None:
    """Accepted: no session ends; the agent joins anew."""
    await _nobody_is_lost(stage, "SERVER_LEAVE", "backoff", "connecting", "connected")


@pytest.mark.full
@row
async def test_a_migration(stage: Stage) -> None:
    """Accepted: no session ends, though the SDK says that everybody left."""
    await _nobody_is_lost(stage, "MIGRATION", "reconnecting", "connected")


@pytest.mark.full
@row
async def test_media_forced_onto_tcp(stage: Stage) -> None:
    """Accepted: no session ends, though the SDK says that everybody left."""
    await _nobody_is_lost(stage, "FORCE_TCP", "reconnecting", "connected")


@row
async def test_a_full_reconnect(stage: Stage) -> None:
    """Accepted: no session ends, though the SDK says that everybody left."""
    await _nobody_is_lost(stage, "FULL_RECONNECT", "reconnecting", "connected")


@pytest.mark.full
@row
async def test_a_signal_lost_again_on_resume(stage: Stage) -> None:
    """Accepted: no session ends, though the SDK says that everybody left."""
    await _nobody_is_lost(stage, "DISCONNECT_SIGNAL_ON_RESUME", "reconnecting", "connected")


@pytest.mark.full
@row
async def test_media_forced_onto_tls_that_is_not_there(stage: Stage) -> None:
    """Accepted: `connection-lost` after 45 s; back, under another identity, with a new session.

    The server remembers for 5 minutes that this identity wants TLS (livekit-server
    pkg/utils/iceconfigcache.go), so that the same one cannot come back.
    """
    await stage.serve()
    bob = await stage.person("bob")
    agent = await stage.agent(driven=True)
    await agent.sees(bob)
    agent.law.accept({"bob": ["connection-lost"]})
    agent.law.accept_reopening("bob")
    await agent.simulate("FORCE_TLS")
    await agent.closes(bob, within_s=OUTAGE_S + ANNOUNCED_S)
    # A join that finds no media is given up by the SDK after 60 s, and cannot be cancelled.
    await agent.until("a failed join", lambda law: law.agent_states.count("backoff") == 2, 90.0)
    failed = await agent.client.call("getStatus")
    assert isinstance(failed["lastError"], dict)
    assert failed["lastError"]["category"] == "media-blocked"
    await agent.client.call("disconnect")
    with contextlib.suppress(RpcError):  # 1002 timeout: the join under way must end first
        await agent.client.call("connect", {**agent.connect_params, "identity": "clara-2"})
    await agent.is_in("connected", within_s=90.0)
    await agent.sees(bob)
    await stage.life_goes_on(agent, leaver=bob)
