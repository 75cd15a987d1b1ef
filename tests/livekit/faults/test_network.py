"""The network between the sidecar and the server fails, and comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sidecar.dev.person import Person
from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import rows_of
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import REJOINED_S, Agent

AWAY = ("left-during-reconnect", "left")
"""Of one who leaves while the agent does not hear it: the SDK tells some of them itself."""


@dataclass(frozen=True)
class Fault:
    """How the network fails, and for how many seconds."""

    mode: Mode
    seconds: float
    media_far: bool = False
    """Whether the media goes the same way as the signal; else the signal alone fails."""
    media_alone: bool = False
    """Whether the signal lives on."""


SHORTER_THAN_THE_LIMIT = {
    "signal cut 5 s": Fault(Mode.CUT, 5.0),
    "signal cut 25 s": Fault(Mode.CUT, 25.0),
    "signal silent 5 s": Fault(Mode.SILENT, 5.0),
    "signal silent 25 s": Fault(Mode.SILENT, 25.0),
    "network cut 5 s": Fault(Mode.CUT, 5.0, media_far=True),
    "network cut 25 s": Fault(Mode.CUT, 25.0, media_far=True),
    "network silent 5 s": Fault(Mode.SILENT, 5.0, media_far=True),
    "network silent 25 s": Fault(Mode.SILENT, 25.0, media_far=True),
    "media silent 25 s": Fault(Mode.SILENT, 25.0, media_far=True, media_alone=True),
    "media cut 5 s": Fault(Mode.CUT, 5.0, media_far=True, media_alone=True),
}
LONGER_THAN_THE_LIMIT = {
    "signal cut 60 s": Fault(Mode.CUT, 60.0),
    "signal silent 60 s": Fault(Mode.SILENT, 60.0),
    "network cut 60 s": Fault(Mode.CUT, 60.0, media_far=True),
    "network silent 60 s": Fault(Mode.SILENT, 60.0, media_far=True),
    "media silent 60 s": Fault(Mode.SILENT, 60.0, media_far=True, media_alone=True),
}


async def _two_people(stage: Stage, *, media_far: bool) -> tuple[Agent, Person, Person]:
    await stage.serve(far=True, media_far=media_far)
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    agent = await stage.agent()
    await agent.sees(bob, puba)
    return agent, bob, puba


@rows_of(SHORTER_THAN_THE_LIMIT, by_default="signal cut 5 s")
async def test_a_participant_who_stays_keeps_the_session_and_one_who_leaves_has_left(
    stage: Stage, fault: Fault
) -> None:
    """Accepted: puba, who leaves meanwhile, closes in one of two words; carol is new."""
    agent, bob, puba = await _two_people(stage, media_far=fault.media_far)
    agent.law.accept({"puba": AWAY})
    stage.network.set(fault.mode, media_alone=fault.media_alone)
    leaving, joining = asyncio.create_task(puba.leave()), asyncio.create_task(stage.person("carol"))
    await asyncio.sleep(fault.seconds)
    await leaving
    carol = await joining
    stage.network.set(Mode.PASS)
    await agent.closes(puba, within_s=REJOINED_S)
    await agent.sees(bob, carol, within_s=REJOINED_S)
    await stage.settled(agent, "bob", "carol")
    assert agent.law.closed("bob") == []
    await stage.life_goes_on(agent, leaver=bob)


@rows_of(LONGER_THAN_THE_LIMIT, by_default="")
async def test_an_outage_over_45_s_ends_the_sessions_and_those_still_there_are_new(
    stage: Stage, fault: Fault
) -> None:
    """Accepted: `connection-lost`. A silence is known after about 15 s: 45 s later, or just not."""
    agent, bob, puba = await _two_people(stage, media_far=fault.media_far)
    agent.law.accept({"bob": ["connection-lost"], "puba": ["connection-lost"]})
    agent.law.accept_reopening("bob", "puba")
    stage.network.set(fault.mode, media_alone=fault.media_alone)
    await asyncio.sleep(fault.seconds)
    stage.network.set(Mode.PASS)
    await agent.is_in("connected")
    await stage.settled(agent, "bob", "puba", within_s=REJOINED_S)
    if fault.mode is Mode.CUT:
        assert agent.law.closed("bob") == [("connection-lost", None)]
        assert agent.law.created_sids.count(bob.sid) == 2
    assert len(agent.law.closed("puba")) == agent.law.created_sids.count(puba.sid) - 1
    await stage.life_goes_on(agent, leaver=bob)
