"""The comparison with the server's own list: when it is asked, and what it may lead to."""

from __future__ import annotations

import logging

import pytest

from sidecar.agent.reconciler import MAX_ASKED
from sidecar.core.config import Settings
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.messages import AgentState, SessionClosed
from sidecar.core.facts import (
    Left,
    Listed,
    ParticipantKind,
    ParticipantState,
    Reconnected,
    Reconnecting,
    Seen,
)
from tests.agent.fakes import START_MS, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import SETTINGS, URL, World
from tests.core.played import someone
from tests.core.tokens import agent_claims, token

ALICE = someone("alice")
BOB = someone("bob")
NOW_S = START_MS // 1000


@in_virtual_time
async def test_the_list_is_asked_for_at_the_join_and_every_thirty_seconds():
    world = World()
    await world.joined(ALICE)
    await turns()
    assert world.api.lists == 1
    await world.passes(29)
    assert world.api.lists == 1
    await world.passes(2)
    assert world.api.lists == 2
    assert world.lines == ["created PA_alice", "updated PA_alice connected"]


@in_virtual_time
async def test_a_ghost_closes_left_by_reconcile_within_ten_seconds_of_the_first_miss():
    world = World()
    await world.joined(ALICE, BOB)
    world.api.lists_only(BOB)
    await world.passes(31)
    assert "closed PA_alice left" not in world.lines
    await world.passes(10)
    assert world.lines[-1] == "closed PA_alice left"
    assert world.agent.status().sessions == 1


@in_virtual_time
async def test_a_ghost_closes_as_soon_in_a_room_that_has_been_quiet_for_an_hour():
    # Nothing is due in a quiet room, so nothing but the comparison looks at the clock.
    world = World()
    await world.joined(ALICE)
    await world.passes(3_600)
    world.api.lists_only()
    await world.passes(41)
    assert world.lines[-1] == "closed PA_alice left"


@in_virtual_time
async def test_one_whom_the_server_knows_though_its_list_does_not_is_kept():
    world = World()
    await world.joined(ALICE, BOB)
    world.api.lists_only(BOB)
    world.api.there = {"alice"}
    await world.passes(300)
    assert "closed" not in " ".join(world.lines)
    assert set(world.api.asked_about) == {"alice"}
    world.api.there = set()
    await world.passes(41)
    assert world.lines[-1] == "closed PA_alice left"


@in_virtual_time
async def test_a_suspect_is_asked_about_once_at_a_time_and_the_polls_go_on():
    world = World()
    await world.joined(ALICE, BOB)
    await turns()
    world.api.lists_only(BOB)
    world.api.may_say_who_is_there.clear()
    await world.passes(60)
    assert world.api.asked_about == ["alice"]
    assert world.api.lists > 5
    world.api.may_say_who_is_there.set()
    await turns()
    assert world.lines[-1] == "closed PA_alice left"


@in_virtual_time
async def test_so_many_suspects_are_asked_about_at_a_time_and_the_others_later():
    world = World()
    people = [someone(f"p{number}") for number in range(MAX_ASKED + 8)]
    await world.joined(*people)
    world.api.lists_only()
    world.api.may_say_who_is_there.clear()
    await world.passes(41)
    assert len(world.api.asked_about) == MAX_ASKED
    world.api.may_say_who_is_there.set()
    await world.passes(6)
    assert world.agent.status().sessions == 0


@in_virtual_time
async def test_nobody_is_closed_by_a_word_that_comes_after_the_link_was_lost():
    world = World()
    room = await world.joined(ALICE)
    world.api.lists_only()
    world.api.may_say_who_is_there.clear()
    await world.passes(41)
    assert world.api.asked_about == ["alice"]
    room.emit(Reconnecting())
    world.api.may_say_who_is_there.set()
    await turns()
    room.emit(Reconnected((ALICE,)))
    await turns()
    assert "closed" not in " ".join(world.lines)


@in_virtual_time
async def test_a_person_missing_once_is_kept():
    world = World()
    await world.joined(ALICE)
    world.api.lists_only()
    await world.passes(30.5)
    world.api.lists_only(ALICE)
    await world.passes(300)
    assert world.lines == ["created PA_alice", "updated PA_alice connected"]


@in_virtual_time
async def test_the_list_is_asked_for_again_after_a_reconnect_and_not_while_reconnecting():
    world = World()
    room = await world.joined(ALICE)
    await turns()
    room.emit(Reconnecting())
    await world.passes(25)
    assert world.api.lists == 1
    room.emit(Reconnected((ALICE,)))
    await turns()
    assert world.api.lists == 2


@in_virtual_time
async def test_an_answer_to_a_question_from_before_a_reconnect_closes_nobody():
    world = World()
    room = await world.joined(ALICE)
    await turns()
    world.api.lists_only()
    await world.passes(30.5)
    world.api.may_answer.clear()
    await world.passes(5)
    room.emit(Reconnecting())
    room.emit(Reconnected((ALICE,)))
    world.api.may_answer.set()
    await turns()
    assert "closed" not in " ".join(world.lines)


@in_virtual_time
async def test_at_most_one_question_is_under_way():
    world = World()
    await world.joined(ALICE)
    await turns()
    world.api.may_answer.clear()
    await world.passes(300)
    assert world.api.lists == 2


@pytest.mark.parametrize("end", ["disconnect", "stop"])
@in_virtual_time
async def test_nothing_is_asked_after_the_room_was_left(end: str):
    world = World()
    await world.joined(ALICE)
    await turns()
    await (world.agent.disconnect() if end == "disconnect" else world.agent.stop())
    await world.passes(120)
    assert world.api.lists == 1


@in_virtual_time
async def test_a_server_that_does_not_answer_is_asked_again_later():
    world = World()
    await world.joined(ALICE)
    await turns()
    world.api.error = ApiCallFailed("No answer.", "Look.")
    await world.passes(95)
    assert world.agent.status().state is AgentState.CONNECTED
    world.api.error = None
    asked = world.api.lists
    await world.passes(31)
    assert world.api.lists > asked
    assert "closed" not in " ".join(world.lines)


@in_virtual_time
async def test_a_bug_in_the_comparison_does_not_end_it_for_good():
    world = World()
    await world.joined(ALICE)
    await turns()
    world.api.error = RuntimeError("a bug")
    await world.passes(31)
    world.api.error = None
    asked = world.api.lists
    await world.passes(120)
    assert world.api.lists > asked


@pytest.mark.parametrize(
    ("grant", "expected"), [({}, 0), ({"roomAdmin": True}, 1)], ids=["plain", "roomAdmin"]
)
@in_virtual_time
async def test_with_a_token_alone_the_list_is_asked_for_only_as_room_admin(
    grant: dict[str, object], expected: int
):
    claims = agent_claims(exp=NOW_S + 3_600)
    claims["video"] = {"room": "den", "roomJoin": True, **grant}
    world = World(Settings(url=URL, token=token(claims)))
    await world.joined(ALICE)
    await turns()
    assert world.api.lists == expected


@in_virtual_time
async def test_an_active_person_whom_the_room_never_told_of_makes_the_agent_join_anew_once(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.WARNING, "sidecar")
    world = World()
    first = await world.joined(ALICE)
    world.api.lists_only(ALICE, BOB)
    second = await world.rooms.opened(2)
    assert first.has_left
    assert any("joins anew" in each.getMessage() for each in caplog.records)
    await second.joins(ALICE)  # still deaf
    await world.passes(500)
    assert len(world.rooms.made) == 2
    third = await world.rooms.opened(3)
    await third.joins(ALICE, BOB)
    assert world.lines[-1] == "updated PA_bob connected"
    assert "closed" not in " ".join(world.lines)


@in_virtual_time
async def test_a_hidden_person_is_no_reason_to_join_anew():
    # The server lists the hidden, and announces them to nobody.
    world = World()
    await world.joined(ALICE)
    standard, active = ParticipantKind.STANDARD, ParticipantState.ACTIVE
    world.api.listed.append(Listed("PA_h", "h", standard, active, is_hidden=True))
    await world.passes(300)
    assert len(world.rooms.made) == 1
    assert world.lines == ["created PA_alice", "updated PA_alice connected"]


@in_virtual_time
async def test_a_token_renewed_in_the_room_lets_the_list_be_asked_for_again():
    def admin(lasts_s: int) -> Settings:
        claims = agent_claims(exp=NOW_S + lasts_s)
        claims["video"] = {"room": "den", "roomJoin": True, "roomAdmin": True}
        return Settings(url=URL, token=token(claims))

    world = World(admin(60))
    await world.joined(ALICE)
    await world.passes(600)
    asked = world.api.lists
    await world.passes(600)
    assert world.api.lists == asked
    await world.agent.connect(admin(3_600))
    await world.passes(60)
    assert world.api.lists > asked


@in_virtual_time
async def test_one_who_is_announced_late_is_no_reason_to_join_anew():
    world = World()
    room = await world.joined(ALICE)
    world.api.lists_only(ALICE, BOB)
    await world.passes(36)
    room.emit(Seen(BOB))
    await world.passes(300)
    assert len(world.rooms.made) == 1


@in_virtual_time
async def test_a_wake_up_call_in_the_room_asks_for_the_list_at_once():
    world = World(SETTINGS)
    await world.joined(ALICE)
    await turns()
    world.agent.wake()
    await turns()
    assert world.api.lists == 2


@in_virtual_time
async def test_one_who_left_is_not_missed():
    world = World()
    room = await world.joined(ALICE)
    room.emit(Left("PA_alice", "alice", 1))
    world.api.lists_only()
    await world.passes(100)
    assert world.lines[-1] == "closed PA_alice left"
    assert world.api.lists == 4


@in_virtual_time
async def test_a_leave_without_reason_is_held_against_the_servers_list_before_it_counts():
    world = World()
    room = await world.joined(ALICE, BOB)
    await world.passes(10)
    world.api.lists_only(ALICE)
    room.emit(Left(ALICE.sid, "alice", None))
    room.emit(Left(BOB.sid, "bob", None))
    await world.passes(3)
    assert world.api.lists == 2, "one list tells of both"
    assert world.lines[-1] == "closed PA_bob left"
    assert world.agent.status().sessions == 1


@in_virtual_time
async def test_one_whom_the_room_lost_and_the_server_has_closes_when_the_server_lacks_them():
    world = World()
    room = await world.joined(ALICE)
    room.emit(Left(ALICE.sid, "alice", None))
    await world.passes(60)
    assert world.agent.status().sessions == 1
    world.api.lists_only()
    await world.passes(11)
    assert world.lines[-1] == "closed PA_alice left"
    assert world.heard(SessionClosed)[0].detail == "reconcile"


@in_virtual_time
async def test_a_reload_asks_for_no_list():
    world = World()
    room = await world.joined(ALICE)
    await turns()
    again = someone("alice", "PA_again")
    room.emit(Left(ALICE.sid, "alice", None))
    room.emit(Seen(again))
    world.api.lists_only(again)
    await world.passes(20)
    assert world.api.lists == 1


@in_virtual_time
async def test_many_leaves_without_reason_are_asked_about_a_few_times_a_second_at_most():
    world = World()
    people = [someone(f"person-{number}") for number in range(100)]
    room = await world.joined(*people)
    await turns()
    for person in people:
        room.emit(Left(person.sid, person.identity, None))
        await world.passes(0.01)
    assert world.api.lists <= 1 + 4


@in_virtual_time
async def test_looking_after_a_leave_does_not_take_one_still_to_be_announced_for_unheard():
    world = World()
    room = await world.joined(ALICE)
    world.api.lists_only(ALICE, BOB)
    for _ in range(8):
        room.emit(Left(ALICE.sid, "alice", None))
        await world.passes(0.5)
    assert world.agent.status().state is AgentState.CONNECTED
