"""The rows `left` and `close_all`: holds, the reason table, and what stays closed."""

from __future__ import annotations

import pytest

from sidecar.core.contract.close_reasons import CloseReason, close_reason
from sidecar.core.facts import DisconnectReason, ParticipantState, reason_name
from tests.core.played import Registry, joining, played, someone
from tests.core.registry_model import REASONS

ALICE = someone("alice")
BOB = someone("bob")

OTHER_NUMBERS = (17, 4_711, -1)
TABLE = {**REASONS, **dict.fromkeys(OTHER_NUMBERS, ("left", "left"))}


def test_the_specification_has_a_close_reason_for_each_that_livekit_knows():
    assert set(REASONS) == {int(each) for each in DisconnectReason} - {0}


def test_the_numbers_are_those_of_livekit_s_protocol():
    from livekit.protocol import models

    theirs = dict(models.DisconnectReason.items())
    ours = {each.name: each.value for each in DisconnectReason}
    assert ours.items() <= theirs.items()


@pytest.mark.parametrize(("number", "expected"), TABLE.items())
def test_a_leave_with_a_reason_closes_at_once_by_the_table(number: int, expected: tuple[str, str]):
    once_active, never_active = expected
    detail = reason_name(number)
    assert played((0, "snapshot", [ALICE]), (4, "left", "PA_alice", number), (60,))[2:] == [
        f"4 closed PA_alice {once_active} {detail}"
    ]
    assert played((0, "snapshot", [joining()]), (4, "left", "PA_alice", number), (60,))[1:] == [
        f"4 closed PA_alice {never_active} {detail}"
    ]


@pytest.mark.parametrize(("number", "expected"), TABLE.items())
@pytest.mark.parametrize("was_active", [True, False])
def test_the_reason_table_is_total(number: int, expected: tuple[str, str], was_active: bool):
    assert close_reason(number, was_active=was_active).value == expected[0 if was_active else 1]


def test_an_unknown_number_is_named_by_its_number():
    assert reason_name(4_711) == "REASON_4711"


@pytest.mark.parametrize("reason", [None, 0])
def test_a_leave_without_a_reason_closes_left_after_two_seconds(reason: int | None):
    assert played((0, "snapshot", [ALICE]), (10, "left", "PA_alice", reason), (11.9,), (90,))[
        2:
    ] == ["12 closed PA_alice left"]


def test_a_leave_without_a_reason_shows_nothing_while_it_is_held():
    registry = Registry().joined(ALICE)
    (before,) = registry.sessions.listed()
    assert registry.at(10, "left", "PA_alice", None) == []
    assert registry.sessions.listed() == (before,)


def test_a_second_leave_without_a_reason_does_not_prolong_the_hold():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "left", "PA_alice", None),
        (11.5, "left", "PA_alice", None),
        (90,),
    )[2:] == ["12 closed PA_alice left"]


def test_the_same_sid_seen_during_the_hold_stays_open():
    # Our own full reconnect: disconnected for all, then connected with the same sids.
    assert (
        played(
            (0, "snapshot", [ALICE]),
            (10, "left", "PA_alice", None),
            (11.9, "seen", ALICE),
            (90,),
        )[2:]
        == []
    )


def test_a_disconnected_participant_does_not_end_the_hold():
    gone = someone("alice", state=ParticipantState.DISCONNECTED)
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "left", "PA_alice", None),
        (11, "seen", gone),
        (90,),
    )[2:] == ["12 closed PA_alice left"]


def test_a_reason_that_comes_during_the_hold_closes_by_the_table():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "left", "PA_alice", None),
        (11, "left", "PA_alice", 14),
        (90,),
    )[2:] == ["11 closed PA_alice connection-lost CONNECTION_TIMEOUT"]


def test_a_held_leave_begins_anew_after_the_sid_was_seen():
    assert played(
        (0, "snapshot", [ALICE]),
        (10, "left", "PA_alice", None),
        (11, "seen", ALICE),
        (12, "left", "PA_alice", None),
        (90,),
    )[2:] == ["14 closed PA_alice left"]


def test_each_hold_closes_for_its_own_reason_whatever_an_earlier_one_was_for():
    registry = Registry().joined(ALICE)
    registry.at(10, "snapshot", [])
    registry.at(11, "seen", ALICE)
    registry.at(20, "left", "PA_alice", None)
    assert registry.at(21, "snapshot", []) == []
    assert registry.at(22, "seen", ALICE) == []
    registry.at(30, "left", "PA_alice", None)
    assert registry.at(90) == ["32 closed PA_alice left"]


def test_a_snapshot_that_misses_a_sid_on_hold_says_when_they_left():
    registry = Registry().joined(ALICE)
    registry.at(10, "left", "PA_alice", None)
    registry.at(11, "snapshot", [])
    assert registry.at(90) == ["14 closed PA_alice left-during-reconnect"]


@pytest.mark.parametrize("reason", [None, 0, 1, 2, 99])
def test_a_leave_of_a_sid_that_has_no_session_changes_nothing(reason: int | None):
    assert played((0, "snapshot", [ALICE]), (1, "left", "PA_other", reason), (60,))[2:] == []


@pytest.mark.parametrize("reason", [None, 1])
def test_a_leave_of_an_old_sid_never_closes_the_new_session(reason: int | None):
    assert (
        played(
            (0, "snapshot", [ALICE]),
            (1, "seen", someone("alice", "PA_2")),
            (2, "left", "PA_alice", reason),
            (60,),
        )[5:]
        == []
    )


def test_a_leave_told_twice_closes_once():
    assert played(
        (0, "snapshot", [ALICE]), (1, "left", "PA_alice", 1), (1, "left", "PA_alice", 1), (60,)
    )[2:] == ["1 closed PA_alice left CLIENT_INITIATED"]


def test_a_sid_that_the_server_said_is_gone_never_opens_again():
    registry = Registry().joined(ALICE)
    registry.at(1, "left", "PA_alice", 1)
    assert registry.at(2, "seen", ALICE) == []
    assert registry.at(3, "snapshot", [ALICE]) == []
    assert registry.at(500) == []


def test_a_sid_closed_by_a_hold_that_ran_out_opens_again_under_a_new_id():
    registry = Registry().joined(ALICE)
    first_id = registry.id_of("PA_alice")
    registry.at(10, "left", "PA_alice", None)
    registry.at(12.5)
    assert registry.at(13, "seen", ALICE)[0] == "13 created PA_alice connecting"
    assert registry.id_of("PA_alice") != first_id


def test_tombstones_are_at_most_4096_and_the_oldest_goes_first():
    registry = Registry().joined()
    for number in range(4_097):
        person = someone(f"p{number}")
        registry.at(number, "seen", person)
        registry.at(number, "left", person.sid, 1)
    assert registry.at(5_000, "seen", someone("p1")) == []
    assert registry.at(5_001, "seen", someone("p0"))[0] == "5001 created PA_p0 connecting"


@pytest.mark.parametrize("reason", sorted(CloseReason))
def test_close_all_closes_everyone_once_with_its_reason_and_detail(reason: CloseReason):
    registry = Registry().joined(ALICE, BOB)
    assert registry.at(5, "close_all", reason, "WHY") == [
        f"5 closed PA_alice {reason} WHY",
        f"5 closed PA_bob {reason} WHY",
    ]
    assert registry.at(6, "close_all", reason, "WHY") == []
    assert registry.sessions.listed() == ()


def test_a_session_that_closed_leaves_nothing_pending_while_others_go_on():
    registry = Registry().joined(BOB, joining("alice"))
    registry.at(5, "left", "PA_alice", None)
    registry.at(6, "left", "PA_alice", 1)
    assert registry.sessions.deadline() is None


def test_nothing_is_pending_after_close_all():
    registry = Registry().joined(ALICE, joining("bob"))
    registry.at(5, "left", "PA_alice", None)
    registry.at(6, "link_lost", 0)
    registry.at(7, "close_all", CloseReason.AGENT_DISCONNECTED, None)
    assert registry.sessions.deadline() is None
    assert registry.at(500) == []


def test_after_close_all_the_link_is_down_until_the_next_join():
    registry = Registry().joined(ALICE)
    registry.at(5, "close_all", CloseReason.AGENT_DISCONNECTED, None)
    assert registry.at(6, "seen", BOB) == [
        "6 created PA_bob connecting",
        "6 updated PA_bob connectionState=reconnecting",
    ]


def test_after_a_disconnect_those_still_there_are_new_sessions_under_new_ids():
    registry = Registry().joined(ALICE)
    first_id = registry.id_of("PA_alice")
    registry.at(5, "close_all", CloseReason.AGENT_DISCONNECTED, None)
    registry.joined(ALICE, now_s=6)
    assert registry.id_of("PA_alice") != first_id


def test_sids_of_a_room_that_the_server_closed_stay_closed():
    registry = Registry().joined(ALICE)
    registry.at(5, "close_all", CloseReason.ROOM_CLOSED, "ROOM_DELETED")
    assert registry.at(6, "snapshot", [ALICE, BOB]) == [
        "6 created PA_bob connecting",
        "6 updated PA_bob connectionState=connected",
    ]
