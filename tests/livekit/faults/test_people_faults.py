"""A person's end in every way, and a person who hardly was."""

from __future__ import annotations

import asyncio

import pytest

from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import ANNOUNCED_S, GIVEN_UP_S
from tests.livekit.faults.websocket_only import websocket_only

NEVER_ACTIVE_S = 65.0
"""It removes one who never became active after 60 s (pkg/rtc/room.go)."""


@row
async def test_a_person_who_leaves(stage: Stage) -> None:
    """Accepted: `left`, CLIENT_INITIATED."""
    await stage.serve()
    agent = await stage.agent()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    await agent.sees(bob, puba)
    agent.law.accept({"puba": ["left"]})
    await puba.leave()
    await agent.closes(puba)
    assert agent.law.closed("puba") == [("left", "CLIENT_INITIATED")]
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_person_killed(stage: Stage) -> None:
    """Accepted: `connection-lost`, CONNECTION_TIMEOUT, for the silent and the publishing one."""
    await stage.serve()
    agent = await stage.agent()
    bob, puba = await asyncio.gather(stage.machine("bob"), stage.machine("puba", publishes=True))
    await agent.sees(bob, puba)
    agent.law.accept({"bob": ["connection-lost"], "puba": ["connection-lost"]})
    bob.kill()
    puba.kill()
    await agent.closes(bob, puba, within_s=GIVEN_UP_S + ANNOUNCED_S)
    for identity in ("bob", "puba"):
        assert agent.law.closed(identity) == [("connection-lost", "CONNECTION_TIMEOUT")]


@pytest.mark.full
@row
async def test_a_person_frozen_for_10_s(stage: Stage) -> None:
    """Accepted: no session ends."""
    await stage.serve()
    agent = await stage.agent()
    bob = await stage.machine("bob")
    await agent.sees(bob)
    bob.freeze()
    await asyncio.sleep(10.0)
    bob.thaw()
    await stage.settled(agent, "bob")
    await stage.life_goes_on(agent, leaver=bob)
    assert agent.law.created_sids.count(bob.sid) == 1


@pytest.mark.full
@row
async def test_a_person_frozen_for_40_s(stage: Stage) -> None:
    """Accepted: `connection-lost`, CONNECTION_TIMEOUT; the same person comes back as a new stay."""
    await stage.serve()
    agent = await stage.agent()
    bob = await stage.machine("bob")
    await agent.sees(bob)
    agent.law.accept({"bob": ["connection-lost"]})
    bob.freeze()
    await asyncio.sleep(40.0)
    bob.thaw()
    await agent.closes(bob)
    assert agent.law.closed("bob") == [("connection-lost", "CONNECTION_TIMEOUT")]
    await stage.settled(agent, "bob")
    assert len(agent.law.created_sids) == 2


@row
async def test_a_person_kicked(stage: Stage) -> None:
    """Accepted: `removed`, PARTICIPANT_REMOVED."""
    await stage.serve()
    agent = await stage.agent()
    bob, puba = await stage.person("bob"), await stage.person("puba", publishes=True)
    await agent.sees(bob, puba)
    agent.law.accept({"bob": ["removed"], "puba": ["removed"]})
    await stage.remove("bob")
    await stage.remove("puba")
    await agent.closes(bob, puba)
    for identity in ("bob", "puba"):
        assert agent.law.closed(identity) == [("removed", "PARTICIPANT_REMOVED")]
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_a_silent_person_replaced_by_their_own_identity(stage: Stage) -> None:
    """Accepted: `replaced`, for which third parties are given no reason, then a new session."""
    await stage.serve()
    agent = await stage.agent()
    bob = await stage.person("bob")
    await agent.sees(bob)
    agent.law.accept({"bob": ["replaced"]})
    again = await stage.person("bob")
    await agent.sees(again)
    assert agent.law.closed("bob") == [("replaced", None)]
    assert agent.law.created_sids == [bob.sid, again.sid]
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_publishing_person_replaced_by_their_own_identity(stage: Stage) -> None:
    """Accepted: `replaced`, for which third parties are given no reason, then a new session."""
    await stage.serve()
    agent = await stage.agent()
    puba = await stage.person("puba", publishes=True)
    await agent.sees(puba)
    agent.law.accept({"puba": ["replaced"]})
    again = await stage.person("puba", publishes=True)
    await agent.sees(again)
    assert agent.law.closed("puba") == [("replaced", None)]
    assert agent.law.created_sids == [puba.sid, again.sid]
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_silent_person_who_reloads_the_page(stage: Stage) -> None:
    """Accepted: `replaced` without a reason; `left` where the server's batch fell in between."""
    await stage.serve()
    agent = await stage.agent()
    bob = await stage.person("bob")
    await agent.sees(bob)
    agent.law.accept({"bob": ["replaced", "left"]})
    await bob.leave()
    again = await stage.person("bob")
    await agent.sees(again)
    assert agent.law.closed("bob") in ([("replaced", None)], [("left", "CLIENT_INITIATED")])
    assert agent.law.created_sids == [bob.sid, again.sid]
    await stage.life_goes_on(agent, leaver=again)


@row
async def test_a_publishing_person_who_reloads_the_page(stage: Stage) -> None:
    """Accepted: `left`, CLIENT_INITIATED, at once; then a new session."""
    await stage.serve()
    agent = await stage.agent()
    puba = await stage.person("puba", publishes=True)
    await agent.sees(puba)
    agent.law.accept({"puba": ["left"]})
    await puba.leave()
    again = await stage.person("puba", publishes=True)
    await agent.sees(again)
    assert agent.law.closed("puba") == [("left", "CLIENT_INITIATED")]
    assert agent.law.created_sids == [puba.sid, again.sid]
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_page_reloaded_five_times_in_a_row(stage: Stage) -> None:
    """Accepted: each stay that is announced has its pair; the last one is open."""
    await stage.serve()
    agent = await stage.agent()
    person = await stage.person("bob")
    agent.law.accept({"bob": ["replaced", "left"]})
    for _ in range(5):
        await person.leave()
        person = await stage.person("bob")
    await agent.sees(person)
    await stage.settled(agent, "bob")
    await stage.life_goes_on(agent, leaver=person)


@pytest.mark.full
@row
async def test_people_in_the_room_for_under_a_second(stage: Stage) -> None:
    """Accepted: none or exactly one pair each."""
    await stage.serve()
    agent = await stage.agent()
    names = [f"guest-{number}" for number in range(8)]
    agent.law.accept({name: ["left", "join-failed"] for name in names})
    for name in names:
        guest = await stage.person(name)
        await guest.leave()
    await stage.life_goes_on(agent)
    await stage.settled(agent, "newcomer")
    for name in names:
        assert len(agent.law.closed(name)) <= 1


@pytest.mark.full
@row
async def test_publishing_people_in_the_room_for_under_a_second(stage: Stage) -> None:
    """Accepted: exactly one pair each, `left`; who publishes is announced and gone at once."""
    await stage.serve()
    agent = await stage.agent()
    names = [f"guest-{number}" for number in range(4)]
    agent.law.accept({name: ["left"] for name in names})
    for name in names:
        guest = await stage.person(name, publishes=True)
        await agent.until(f"{name}", lambda law: name in law.identities(), ANNOUNCED_S)  # noqa: B023
        await guest.leave()
        await agent.closes(guest)
        assert agent.law.closed(name) == [("left", "CLIENT_INITIATED")]
    assert len(agent.law.created_sids) == len(names)


@pytest.mark.full
@row
async def test_a_person_dropped_at_once_who_never_was_active(stage: Stage) -> None:
    """Accepted: nothing, or one pair that ends `join-failed`, SIGNAL_CLOSE."""
    await stage.serve()
    agent = await stage.agent()
    agent.law.accept({"ghost": ["join-failed"]})
    async with websocket_only(stage.server.url, stage.token("ghost")):
        pass
    await stage.life_goes_on(agent)
    assert agent.law.closed("ghost") in ([], [("join-failed", "SIGNAL_CLOSE")])


@pytest.mark.full
@row
async def test_a_person_announced_who_is_dropped_and_never_was_active(stage: Stage) -> None:
    """Accepted: `join-failed`, SIGNAL_CLOSE; the session never said `connected`."""
    await stage.serve()
    agent = await stage.agent()
    agent.law.accept({"ghost": ["join-failed"]})
    async with websocket_only(stage.server.url, stage.token("ghost")):
        await agent.until("a ghost", lambda law: "ghost" in law.identities(), ANNOUNCED_S)
        (session,) = agent.law.open.values()
        assert session["connectionState"] == "connecting"
    await agent.until("no ghost", lambda law: not law.open, ANNOUNCED_S)
    assert agent.law.closed("ghost") == [("join-failed", "SIGNAL_CLOSE")]
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_a_person_who_is_never_active_for_a_minute(stage: Stage) -> None:
    """Accepted: `error` after 30 s, then `join-failed`, JOIN_FAILURE, after 60 s."""
    await stage.serve()
    agent = await stage.agent()
    agent.law.accept({"ghost": ["join-failed"]})
    async with websocket_only(stage.server.url, stage.token("ghost")):
        await agent.until(
            "an error",
            lambda law: [s["connectionState"] for s in law.open.values()] == ["error"],
            30.0 + ANNOUNCED_S,
        )
        await agent.until("no ghost", lambda law: not law.open, NEVER_ACTIVE_S)
    assert agent.law.closed("ghost") == [("join-failed", "JOIN_FAILURE")]
    await stage.life_goes_on(agent)
