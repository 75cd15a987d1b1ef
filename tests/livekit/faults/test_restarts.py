"""The sidecar's process is killed, and another takes its place."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.dev.stdio_client import JsonObject
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import OUTAGE_S


async def _killed(stage: Stage) -> list[JsonObject]:
    """bob stays; leaver leaves, joiner joins, returner returns while there is no sidecar."""
    await stage.serve()
    bob, leaver, returner = await asyncio.gather(
        stage.person("bob"), stage.person("leaver"), stage.person("returner")
    )
    first = await stage.agent()
    await first.sees(bob, leaver, returner)
    stage.forget(first)
    first.client.kill()
    open_sessions = list(first.fold().open.values())
    await asyncio.gather(leaver.leave(), returner.leave())
    await asyncio.gather(stage.person("joiner"), stage.person("returner"))
    return open_sessions


@row
async def test_a_restart_that_resumes(stage: Stage) -> None:
    """Accepted: who stayed keeps the session and its id; each other's fate, and no second word."""
    before = await _killed(stage)
    second = await stage.agent(connects=False, resumes=before)
    second.law.accept({"leaver": ["left-during-reconnect"], "returner": ["replaced"]})
    await second.connect()
    await stage.settled(second, "bob", "joiner", "returner")
    kept = {str(each["sessionId"]) for each in before} & set(second.law.open)
    assert [session_id.rpartition("_")[2] for session_id in kept] == ["bob"]
    assert len(second.law.created_sids) == 2
    assert second.law.closed("leaver") == [("left-during-reconnect", None)]
    assert second.law.closed("returner") == [("replaced", None)]
    await stage.life_goes_on(second)


@pytest.mark.full
@row
async def test_a_restart_that_does_not_resume(stage: Stage) -> None:
    """Accepted: a session for each who is there; no word of the others."""
    before = await _killed(stage)
    second = await stage.agent()
    await stage.settled(second, "bob", "joiner", "returner")
    assert len(second.law.created_sids) == 3
    bob = next(each for each in before if each["participantId"] == "bob")
    assert bob["startTime"] in {each["startTime"] for each in second.law.open.values()}
    await stage.life_goes_on(second)


@pytest.mark.full
@row
async def test_a_restart_that_resumes_and_finds_no_server(stage: Stage) -> None:
    """Accepted: `connection-lost` for all, 45 s after the resume."""
    before = await _killed(stage)
    await stage.server.kill()
    second = await stage.agent(connects=False, resumes=before)
    second.law.accept(dict.fromkeys(("bob", "leaver", "returner"), ["connection-lost"]))
    await second.until("all closed", lambda law: not law.open, OUTAGE_S + 15.0)
    assert len(second.law.closes) == 3
