"""Two faults at once: the second comes before the first is over."""

from __future__ import annotations

import asyncio

import pytest

from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import REJOINED_S

NEW = ("replaced", "left-during-reconnect", "left", "connection-lost")
"""Of a stay that the server itself forgot: in the snapshot's words, or the server's own."""


@pytest.mark.full
@row
async def test_a_server_killed_while_a_page_reloads_and_the_sidecar_sleeps(stage: Stage) -> None:
    """Accepted: each stay that was announced ends once; who is there afterwards has a session."""
    await stage.serve()
    bob, dave = await stage.person("bob"), await stage.person("dave", publishes=True)
    agent = await stage.agent()
    await agent.sees(bob, dave)
    agent.law.accept({"bob": NEW, "dave": NEW})
    before = agent.law.sids()
    agent.client.freeze()
    await dave.leave()
    await stage.server.kill()
    await stage.server.start()
    again = await stage.person("dave", publishes=True)
    await asyncio.sleep(2.0)
    agent.client.thaw()
    await agent.closes_all(*before)
    await stage.returned(bob)
    await stage.settled(agent, "bob", "dave", within_s=REJOINED_S)
    await stage.life_goes_on(agent, leaver=again)


@row
async def test_a_room_deleted_while_the_sidecar_sleeps(stage: Stage) -> None:
    """Accepted: `room-closed`; who came to the new room meanwhile has a session."""
    await stage.serve()
    bob = await stage.person("bob")
    agent = await stage.agent()
    await agent.sees(bob)
    agent.law.accept({"bob": ["room-closed"]})
    agent.client.freeze()
    await stage.delete_room()
    again = await stage.person("bob")
    agent.client.thaw()
    await agent.sees(again, within_s=REJOINED_S)
    assert agent.law.closed("bob") == [("room-closed", "ROOM_DELETED")]
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_server_that_restarts_behind_a_network_that_is_cut(stage: Stage) -> None:
    """Accepted: each stay that the server forgot ends once; who is there has a session."""
    await stage.serve(far=True)
    bob, carol = await stage.person("bob"), await stage.person("carol")
    agent = await stage.agent()
    await agent.sees(bob, carol)
    agent.law.accept({"bob": NEW, "carol": NEW})
    before = agent.law.sids()
    stage.network.set(Mode.CUT)
    await agent.is_in("reconnecting")
    await stage.server.kill()
    await carol.leave()
    await stage.server.start()
    stage.network.set(Mode.PASS)
    await agent.closes_all(*before)
    await stage.returned(bob)
    await stage.settled(agent, "bob", within_s=REJOINED_S)
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_an_agent_killed_while_the_server_restarts(stage: Stage) -> None:
    """Accepted: what was resumed ends once, `replaced` or `left-during-reconnect`."""
    await stage.serve()
    bob, carol = await stage.person("bob"), await stage.person("carol")
    first = await stage.agent()
    await first.sees(bob, carol)
    before = list(first.fold().open.values())
    stage.forget(first)
    await stage.server.kill()
    first.client.kill()
    second = await stage.agent(connects=False, resumes=before)
    second.law.accept({"bob": NEW, "carol": NEW})
    connecting = asyncio.create_task(second.tries())
    await carol.leave()
    await stage.server.start()
    await connecting
    await second.closes_all(*(str(each["participantSid"]) for each in before))
    await stage.returned(bob)
    await stage.settled(second, "bob", within_s=REJOINED_S)
    await stage.life_goes_on(second)


@pytest.mark.full
@row
async def test_a_sleep_in_the_middle_of_a_reconnect(stage: Stage) -> None:
    """Accepted: who stays keeps the session: neither the watchdog nor the outage counts sleep."""
    await stage.serve(far=True)
    bob, carol = await stage.person("bob"), await stage.person("carol")
    agent = await stage.agent()
    await agent.sees(bob, carol)
    agent.law.accept({"carol": ["left", "left-during-reconnect"]})
    stage.network.set(Mode.CUT)
    await agent.is_in("reconnecting")
    agent.client.freeze()
    await carol.leave()
    await asyncio.sleep(15.0)
    stage.network.set(Mode.PASS)
    agent.client.thaw()
    await agent.closes(carol, within_s=REJOINED_S)
    await agent.sees(bob, within_s=REJOINED_S)
    await stage.life_goes_on(agent, leaver=bob)
