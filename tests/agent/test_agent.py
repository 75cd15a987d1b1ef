"""The agent in its room: sessions, the customer's lines, and what the outside is told."""

from __future__ import annotations

import logging

import pytest

from sidecar.core.contract.errors import InvalidParams, UnknownSession
from sidecar.core.contract.messages import (
    ListParams,
    SessionClosed,
    SessionCreated,
    SessionUpdated,
)
from sidecar.core.facts import (
    DisconnectReason,
    Left,
    Participant,
    ParticipantKind,
    Reconnected,
    Reconnecting,
    Seen,
    TextReceived,
)
from tests.agent.fakes import FakeClock, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import START_MS, joining, someone

ALICE = someone("alice")
BOB = someone("bob")
ALICE_ID = f"session_{START_MS - 1_000}_alice"


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sidecar")


def info_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of people at INFO and above."""
    return [
        each.getMessage()
        for each in caplog.records
        if each.levelno >= logging.INFO
        and each.name.startswith("sidecar")
        and not each.getMessage().startswith("Connected to room ")
    ]


@in_virtual_time
async def test_the_customer_s_checklist(caplog: pytest.LogCaptureFixture):
    world = World()
    room = await world.joined()
    assert world.agent.sessions == {}
    room.emit(Seen(ALICE))
    assert list(world.agent.sessions) == [ALICE_ID]
    room.emit(Left("PA_alice", "alice", int(DisconnectReason.CLIENT_INITIATED)))
    assert world.agent.sessions == {}
    assert info_lines(caplog) == [
        "🎤 Participant joined: alice",
        f"✅ Session {ALICE_ID} initialized successfully",
        f"🧹 Cleaning up session {ALICE_ID}",
    ]
    assert world.lines == [
        "created PA_alice",
        "updated PA_alice connected",
        "closed PA_alice left",
    ]


@in_virtual_time
async def test_people_who_were_there_before_the_agent_are_announced_at_the_join(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    await world.joined(ALICE, joining("bob"))
    assert world.lines == ["created PA_alice", "updated PA_alice connected", "created PA_bob"]
    assert [each.connection_state for each in world.agent.session_list().sessions] == [
        "connected",
        "connecting",
    ]
    assert sum(line.startswith("🎤") for line in info_lines(caplog)) == 2


@pytest.mark.parametrize(
    "thing",
    [
        *(
            someone("thing", kind=kind)
            for kind in (
                ParticipantKind.AGENT,
                ParticipantKind.EGRESS,
                ParticipantKind.INGRESS,
                ParticipantKind.UNKNOWN,
            )
        ),
        someone("clara"),
    ],
    ids=lambda thing: f"{thing.identity}-{thing.kind}",
)
@in_virtual_time
async def test_what_is_no_person_gets_no_session_and_no_line(
    thing: Participant, caplog: pytest.LogCaptureFixture
):
    world = World()
    room = await world.joined(thing)
    room.emit(Seen(thing))
    room.emit(Left(thing.sid, thing.identity, 1))
    await world.passes(10)
    assert world.lines == []
    assert info_lines(caplog) == []


@in_virtual_time
async def test_every_close_has_its_line_whatever_its_reason(caplog: pytest.LogCaptureFixture):
    world = World()
    room = await world.joined(ALICE, BOB, someone("cid"), someone("dan"))
    ids = list(world.agent.sessions)
    room.emit(Left("PA_alice", "alice", 1))
    world.api.lists_only()
    room.emit(Left("PA_bob", "bob", None))
    await world.passes(3)
    room.emit(Seen(someone("cid", "PA_2")))
    ids.append(list(world.agent.sessions)[-1])
    assert len(set(ids)) == 5
    await world.agent.disconnect()
    assert [line for line in info_lines(caplog) if line.startswith("🧹")] == [
        f"🧹 Cleaning up session {each}" for each in ids
    ]
    assert [each.reason for each in world.heard(SessionClosed)] == [
        "left",
        "left",
        "replaced",
        "agent-disconnected",
        "agent-disconnected",
    ]


@in_virtual_time
async def test_a_follower_that_fails_costs_nobody_their_session(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    world.follower.fails_for["alice"] = RuntimeError("no ears")
    room = await world.joined(ALICE, BOB)
    alice_id, bob_id = world.agent.sessions
    assert info_lines(caplog) == [
        "🎤 Participant joined: alice",
        "Failed to initialize session for participant alice. Error: no ears",
        "🎤 Participant joined: bob",
        f"✅ Session {bob_id} initialized successfully",
    ]
    tracebacks = [each.exc_info for each in caplog.records if each.exc_info]
    assert [error for _, error, _ in tracebacks] == [world.follower.fails_for["alice"]]
    assert alice_id.endswith("_alice")
    assert world.agent.status().counters.errors == 1
    room.emit(Left("PA_alice", "alice", 1))
    assert world.lines == [
        "created PA_alice",
        "updated PA_alice connected",
        "created PA_bob",
        "updated PA_bob connected",
        "closed PA_alice left",
    ]


@in_virtual_time
async def test_a_follower_is_told_after_the_creation_and_before_the_close():
    world = World()
    room = await world.joined(ALICE)
    room.emit(Left("PA_alice", "alice", 1))
    assert world.follower.told == [
        "joined",
        "opened PA_alice 0",
        "changed PA_alice connected",
        "closed PA_alice",
    ]


@in_virtual_time
async def test_seq_starts_at_one_and_grows_by_one_over_all_notifications():
    world = World()
    room = await world.joined(ALICE, joining("bob"))
    room.emit(TextReceived("alice", world.clock.tick().attended_s))
    room.emit(Seen(BOB))
    room.emit(Reconnecting())
    room.emit(Reconnected((ALICE, BOB)))
    room.emit(Left("PA_bob", "bob", 1))
    await world.agent.disconnect()
    stamps = [(each.seq, each.epoch) for each in world.notify.notifications]
    assert stamps == [(number, "e") for number in range(1, len(stamps) + 1)]
    assert world.agent.session_list().seq == world.agent.status().seq == len(stamps) > 10


@in_virtual_time
async def test_the_list_is_the_fold_of_the_notifications_up_to_its_seq():
    world = World()
    room = await world.joined(ALICE)
    room.emit(Seen(joining("bob")))
    room.emit(Seen(someone("alice", "PA_2")))
    folded = {}
    for each in world.notify.notifications:
        if isinstance(each, SessionCreated | SessionUpdated):
            folded[each.session.session_id] = each.session
        elif isinstance(each, SessionClosed):
            del folded[each.session.session_id]
    listed = world.agent.session_list()
    assert {each.session_id: each for each in listed.sessions} == folded == world.agent.sessions
    assert world.agent.session(listed.sessions[0].session_id) == listed.sessions[0]
    with pytest.raises(UnknownSession):
        world.agent.session("session_0_nobody")


@in_virtual_time
async def test_the_list_comes_in_pages_that_leave_no_session_out():
    world = World()
    room = await world.joined(*(someone(f"p{number}") for number in range(5)))
    first = world.agent.session_list(ListParams(limit=2))
    room.emit(Left("PA_p1", "p1", DisconnectReason.CLIENT_INITIATED))
    room.emit(Seen(someone("late")))
    rest = world.agent.session_list(ListParams(after=first.next))
    pages = [[each.participant_id for each in one.sessions] for one in (first, rest)]
    assert pages == [["p0", "p1"], ["p2", "p3", "p4", "late"]]
    assert (first.next is None, rest.next) == (False, None)


@pytest.mark.parametrize(
    "params", [ListParams(limit=0), ListParams(after="p1"), ListParams(after=""), ListParams("-1")]
)
@in_virtual_time
async def test_a_page_that_cannot_be_is_refused(params: ListParams):
    with pytest.raises(InvalidParams, match=r"params\.(after|limit)"):
        World().agent.session_list(params)


@in_virtual_time
async def test_chat_of_a_person_counts():
    world = World()
    room = await world.joined(ALICE)
    room.emit(TextReceived("alice", world.clock.tick().attended_s))
    assert world.heard(SessionUpdated)[-1].changed == ("messageCount",)
    assert world.agent.session_list().sessions[0].message_count == 1


@in_virtual_time
async def test_a_hold_is_two_seconds_of_the_clock_s_time():
    clock = FakeClock()
    world = World(clock=clock)
    room = await world.joined(ALICE)
    room.emit(Left("PA_alice", "alice", None))
    clock.advance(1.9)
    assert world.lines[-1] == "updated PA_alice connected"
    clock.advance(0.1)
    assert world.lines[-1] == "closed PA_alice left"


@in_virtual_time
async def test_an_idle_agent_sets_no_timer():
    clock = FakeClock()
    world = World(clock=clock)
    room = await world.joined(ALICE)
    clock.advance(31)
    room.emit(Left("PA_alice", "alice", 1))
    await turns()
    assert clock.due_s is None


@in_virtual_time
async def test_stopping_closes_all_and_waits_until_the_room_is_gone():
    world = World()
    room = await world.joined(ALICE, BOB)
    await world.agent.stop()
    assert room.has_left
    assert [each.reason for each in world.heard(SessionClosed)] == ["sidecar-shutdown"] * 2
    assert world.states[-1] == "stopping"
    await world.agent.stop()
    assert len(world.heard(SessionClosed)) == 2


@in_virtual_time
async def test_the_status_counts_what_was_announced():
    world = World()
    room = await world.joined(ALICE, BOB)
    room.emit(Left("PA_bob", "bob", 1))
    status = world.agent.status()
    assert (status.sessions, status.counters.created, status.counters.closed) == (1, 2, 1)
    assert (status.room, status.identity, status.url) == ("den", "clara", "ws://127.0.0.1:7880")
    assert (status.uptime_seconds, status.rss_bytes) == (12.5, 4_096)


@in_virtual_time
async def test_a_message_before_the_announcement_counts():
    world = World()
    room = await world.joined()
    room.emit(TextReceived("alice", world.clock.tick().attended_s))
    await world.passes(2)
    room.emit(Seen(ALICE))
    assert world.agent.session_list().sessions[0].message_count == 1
