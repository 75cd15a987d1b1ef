"""The room ends under the agent, or the agent is put out of it."""

from __future__ import annotations

import asyncio

import pytest

from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import ANNOUNCED_S, REJOINED_S


@row
async def test_a_room_deleted(stage: Stage) -> None:
    """Accepted: `room-closed`, ROOM_DELETED; the agent is there for who comes next."""
    await stage.serve()
    agent = await stage.agent()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    await agent.sees(bob, puba)
    agent.law.accept({"bob": ["room-closed"], "puba": ["room-closed"]})
    await stage.delete_room()
    await agent.went_through("backoff", "connecting", "connected")
    for identity in ("bob", "puba"):
        assert agent.law.closed(identity) == [("room-closed", "ROOM_DELETED")]
    again = await stage.person("bob")
    await agent.sees(again)
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_room_deleted_during_a_reconnect(stage: Stage) -> None:
    """Accepted: `room-closed` where the server still says so, else `left-during-reconnect`."""
    await stage.serve(far=True)
    agent = await stage.agent()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    await agent.sees(bob, puba)
    fates = ["room-closed", "left-during-reconnect"]
    agent.law.accept({"bob": fates, "puba": fates})
    stage.network.set(Mode.CUT)
    await agent.is_in("reconnecting")
    await stage.delete_room()
    stage.network.set(Mode.PASS)
    await agent.closes(bob, puba, within_s=REJOINED_S)
    await agent.is_in("connected")
    again = await stage.person("bob")
    await agent.sees(again)
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_room_closed_by_its_timeout(stage: Stage) -> None:
    """Accepted: the agent, alone, is put out and back at once; who comes later is seen.

    The timeouts that the agent asks for count only where its join creates the room; here bob does.
    """
    await stage.serve(empty_timeout_s=5, departure_timeout_s=2)
    bob = await stage.person("bob", publishes=True)
    agent = await stage.agent()
    await agent.sees(bob)
    agent.law.accept({"bob": ["left"]})
    await bob.leave()
    await agent.until("put out", lambda law: "backoff" in law.agent_states, REJOINED_S)
    again = await stage.person("bob")  # in the very second in which the room is made anew
    await agent.sees(again)
    assert agent.law.closed("bob") == [("left", "CLIENT_INITIATED")]
    await stage.life_goes_on(agent)


@row
async def test_an_agent_kicked(stage: Stage) -> None:
    """Accepted: `agent-disconnected`, PARTICIPANT_REMOVED; failed, until told to connect anew."""
    await stage.serve()
    agent = await stage.agent()
    bob = await stage.person("bob")
    await agent.sees(bob)
    agent.law.accept({"bob": ["agent-disconnected"]})
    agent.law.accept_reopening("bob")
    await stage.remove("clara-voice-agent")
    await agent.closes(bob)
    assert agent.law.closed("bob") == [("agent-disconnected", "PARTICIPANT_REMOVED")]
    assert agent.law.agent_state == "failed"
    status = await agent.client.call("getStatus")
    assert isinstance(status["lastError"], dict)
    assert status["lastError"]["category"] == "removed"
    assert (await agent.connect())["state"] == "connected"
    await agent.sees(bob)
    assert agent.law.created_sids == [bob.sid, bob.sid]
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_second_agent_with_the_same_identity(stage: Stage) -> None:
    """Accepted: the first says why, `agent-disconnected`; it comes back when the second is gone."""
    await stage.serve()
    first = await stage.agent()
    bob = await stage.person("bob")
    await first.sees(bob)
    first.law.accept({"bob": ["agent-disconnected"]})
    second = await stage.agent()
    await second.sees(bob)
    await first.closes(bob)
    assert first.law.closed("bob") == [("agent-disconnected", "DUPLICATE_IDENTITY")]
    assert first.law.agent_state == "backoff"
    status = await first.client.call("getStatus")
    assert isinstance(status["lastError"], dict)
    assert status["lastError"]["category"] == "identity-taken"
    await stage.life_goes_on(second, leaver=bob)
    assert second.law.agent_states == ["connecting", "connected"]
    second.law.accept({"newcomer": ["agent-disconnected"]})
    await second.client.call("disconnect")
    await first.until(
        "back in the room", lambda law: law.agent_states.count("connected") == 2, within_s=75
    )


@pytest.mark.full
@row
async def test_a_disconnect_and_a_connect(stage: Stage) -> None:
    """Accepted: `agent-disconnected`; who is still there is new, under a new id."""
    await stage.serve()
    agent = await stage.agent()
    bob = await stage.person("bob")
    await agent.sees(bob)
    agent.law.accept({"bob": ["agent-disconnected"]})
    agent.law.accept_reopening("bob")
    assert (await agent.client.call("disconnect"))["state"] == "idle"
    assert agent.fold().closed("bob") == [("agent-disconnected", None)]
    await agent.connect()
    await agent.sees(bob)
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_leave_that_the_sdk_lost(stage: Stage) -> None:
    """Accepted: `left`, reconcile: the server's own list misses the person twice."""
    await stage.serve()
    agent = await stage.agent(driven=True)
    bob, carol = await stage.person("bob"), await stage.person("carol")
    await agent.sees(bob, carol)
    await agent.deafen("participant_disconnected")
    agent.law.accept({"bob": ["left"]})
    await bob.leave()
    await agent.closes(bob, within_s=30.0 + 5.0 + ANNOUNCED_S)
    assert agent.law.closed("bob") == [("left", "reconcile")]
    await agent.deafen()
    await stage.life_goes_on(agent, leaver=carol)


@pytest.mark.full
@row
async def test_a_leave_that_the_sdk_made_up(stage: Stage) -> None:
    """Accepted: nothing ends while the server lists the person; their real leave: `left`.

    Seen in the soak (seed 103): an SDK's first attempt to join, given up, ended after the second
    had begun, and the agent's SDK took that for the end of the second.
    """
    await stage.serve()
    agent = await stage.agent(driven=True)
    bob = await stage.person("bob")
    await agent.sees(bob)
    await agent.lose("bob")
    await asyncio.sleep(3.5)  # the hold of a leave without a reason has run out by then
    assert agent.fold().identities() == ["bob"]
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_join_that_the_sdk_lost(stage: Stage) -> None:
    """Accepted: the agent joins anew and sees who is there; nobody else's session ends."""
    await stage.serve()
    agent = await stage.agent(driven=True)
    bob = await stage.person("bob")
    await agent.sees(bob)
    await agent.deafen("participant_connected", "participant_active")
    carol = await stage.person("carol")
    await asyncio.sleep(3.5)  # the announcement that is lost comes by then
    await agent.deafen()
    await agent.sees(bob, carol, within_s=30.0 + 5.0 + 5.0 + ANNOUNCED_S)
    assert "backoff" in agent.law.agent_states
    await stage.life_goes_on(agent, leaver=bob)
