"""The row `polled`: the server's own list, and what it may close."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.facts import ParticipantKind, ParticipantState
from sidecar.core.registry.comparison import Poll
from tests.core.played import Registry, joining, listing, moment, someone

ALICE = someone("alice")
BOB = someone("bob")


def test_two_misses_five_seconds_apart_close_left_by_reconcile():
    registry = Registry().joined(ALICE, BOB)
    assert registry.poll(10, BOB) == []
    assert registry.sessions.comparison.has_misses
    assert registry.poll(15, BOB) == ["15 closed PA_alice left reconcile"]
    assert not registry.sessions.comparison.has_misses


def test_two_misses_less_than_five_seconds_apart_close_nobody():
    registry = Registry().joined(ALICE)
    registry.poll(10)
    assert registry.poll(14.9) == []
    assert registry.poll(15) == ["15 closed PA_alice left reconcile"]


@pytest.mark.parametrize("listed", [[ALICE], [joining("alice")]])
def test_one_who_is_listed_again_in_between_stays(listed: list[object]):
    registry = Registry().joined(ALICE)
    registry.poll(10)
    registry.poll(14, *listed)  # type: ignore[arg-type]
    assert not registry.sessions.comparison.has_misses
    assert registry.poll(16) == []


def test_one_who_is_seen_again_in_between_stays():
    registry = Registry().joined(ALICE)
    registry.poll(10)
    registry.at(12, "seen", ALICE)
    assert registry.poll(16) == []


def test_a_session_opened_after_the_request_was_sent_is_not_missed():
    registry = Registry().joined()
    early = registry.sessions.comparison.begin()
    registry.at(1, "seen", ALICE)
    registry.at(2, "polled", early, listing())
    assert not registry.sessions.comparison.has_misses


def test_an_answer_that_does_not_list_the_agent_counts_for_nothing():
    registry = Registry().joined(ALICE)
    for second in (10, 20, 30):
        poll = registry.sessions.comparison.begin()
        assert registry.at(second, "polled", poll, ()) == []
    assert not registry.sessions.comparison.has_misses


@pytest.mark.parametrize("second", [11, 12])
def test_an_answer_to_a_poll_during_which_the_link_changed_counts_for_nothing(second: float):
    registry = Registry().joined(ALICE)
    registry.at(10)
    poll = registry.sessions.comparison.begin()
    registry.at(10.5, "link_lost", 0)
    if second == 12:
        registry.at(11.5, "snapshot", [ALICE])
    assert registry.at(second, "polled", poll, listing()) == []
    assert not registry.sessions.comparison.has_misses


def test_a_miss_from_before_an_outage_does_not_count_after_it():
    registry = Registry().joined(ALICE)
    registry.poll(10)
    registry.at(11, "link_lost", 0)
    registry.at(14, "snapshot", [ALICE])
    assert registry.poll(20) == []
    assert registry.poll(25) == ["25 closed PA_alice left reconcile"]


def test_a_miss_from_before_an_outage_does_not_close_who_is_missing_from_the_snapshot_too():
    registry = Registry().joined(ALICE)
    registry.poll(9)
    registry.at(10, "link_lost", 0)
    registry.at(12, "snapshot", [])
    assert registry.poll(14.5) == []
    assert registry.at(60) == ["15 closed PA_alice left-during-reconnect"]


def test_a_poll_never_creates():
    registry = Registry().joined()
    assert registry.poll(10, ALICE) == []
    assert registry.poll(20, ALICE) == []


def test_a_poll_is_about_sids_not_about_identities():
    registry = Registry().joined(ALICE)
    registry.poll(10, someone("alice", "PA_2"))
    assert registry.poll(15, someone("alice", "PA_2")) == ["15 closed PA_alice left reconcile"]


def test_one_closed_by_reconcile_opens_again_under_a_new_id():
    registry = Registry().joined(ALICE)
    first_id = registry.id_of("PA_alice")
    registry.poll(10)
    registry.poll(15)
    registry.at(16, "seen", ALICE)
    assert registry.id_of("PA_alice") != first_id


def suspected(now_s: float = 15) -> tuple[Registry, Poll, str]:
    """Alice is missing from the list for the second time; the poll, and her session."""
    registry = Registry().joined(ALICE)
    registry.at(now_s - 5, "polled", registry.sessions.comparison.begin(), listing())
    poll = registry.sessions.comparison.begin()
    registry.at(now_s, "polled", poll, listing())
    (suspect,) = registry.sessions.comparison.suspects
    return registry, poll, suspect.session_id


def test_one_whom_the_server_knows_though_its_list_does_not_stays():
    # Soak, seed 705: the end of their stay in a deleted room of the same name took them off it.
    registry = Registry().joined(ALICE)
    for second in (10, 15, 20, 25):
        assert registry.poll(second, there={"alice"}) == []
    assert not registry.sessions.comparison.has_misses
    registry.poll(30)
    assert registry.poll(35) == ["35 closed PA_alice left reconcile"]


def test_a_suspect_is_missed_until_the_server_says_where_they_are():
    registry, poll, session_id = suspected()
    assert registry.sessions.comparison.has_misses
    assert registry.at(18, "asked", poll, session_id, True) == []
    assert not registry.sessions.comparison.has_misses


def test_a_word_of_one_who_was_seen_meanwhile_counts_for_nothing():
    registry, poll, session_id = suspected()
    registry.at(16, "seen", ALICE)
    assert registry.at(18, "asked", poll, session_id, False) == []


def test_a_word_of_one_who_left_meanwhile_counts_for_nothing():
    registry, poll, session_id = suspected()
    registry.at(16, "left", ALICE.sid, 1)
    assert registry.at(18, "asked", poll, session_id, False) == []


def test_a_word_from_before_a_reconnect_counts_for_nothing():
    registry, poll, session_id = suspected()
    registry.at(16, "link_lost", 0)
    registry.at(17, "snapshot", [ALICE])
    registry.poll(17.5)
    assert registry.at(18, "asked", poll, session_id, False) == []


def test_an_answer_that_lists_us_not_suspects_nobody():
    registry, _, _ = suspected()
    registry.at(20, "polled", registry.sessions.comparison.begin(), ())
    assert registry.sessions.comparison.suspects == ()


def test_a_poll_answered_twice_is_one_miss():
    registry = Registry().joined(ALICE)
    poll = registry.sessions.comparison.begin()
    registry.at(1, "polled", poll, listing())
    assert registry.at(1, "polled", poll, listing()) == []


def test_a_poll_leaves_the_listed_sessions_as_they_were():
    registry = Registry().joined(ALICE)
    before = registry.sessions.listed()
    poll = registry.sessions.comparison.begin()
    assert registry.sessions.comparison.polled(poll, listing(ALICE), moment(5)) == []
    assert registry.sessions.comparison.suspects == ()
    assert registry.sessions.listed() == before


@pytest.mark.parametrize("held_by", ["left", "snapshot"])
def test_one_whom_the_server_still_lists_has_not_left_without_a_reason(held_by: str):
    registry = Registry().joined(ALICE)
    if held_by == "left":
        registry.at(10, "left", ALICE.sid, None)
    else:
        registry.at(10, "snapshot", [])
    assert registry.sessions.comparison.has_doubts
    assert registry.poll(10.5, ALICE) == []
    assert not registry.sessions.comparison.has_doubts
    assert registry.at(60) == []
    assert registry.sessions.comparison.has_misses, "the Room will not tell of the real leave"
    assert registry.poll(65) == []
    assert registry.poll(70) == ["70 closed PA_alice left reconcile"]


def test_one_who_is_seen_again_after_a_leave_without_reason_needs_no_second_look():
    registry = Registry().joined(ALICE)
    registry.at(10, "left", ALICE.sid, None)
    registry.poll(10.5, ALICE)
    assert registry.at(11, "seen", ALICE) == []
    assert not registry.sessions.comparison.has_misses


def test_a_list_asked_for_before_the_leave_does_not_deny_it():
    registry = Registry().joined(ALICE)
    early = registry.sessions.comparison.begin()
    registry.at(10, "left", ALICE.sid, None)
    registry.at(10.5, "polled", early, listing(ALICE))
    assert registry.at(60) == ["12 closed PA_alice left"]


def test_one_whom_the_list_holds_as_disconnected_has_left():
    registry = Registry().joined(ALICE)
    registry.at(10, "left", ALICE.sid, None)
    gone = someone("alice", state=ParticipantState.DISCONNECTED)
    registry.poll(10.5, gone)
    assert registry.at(60) == ["12 closed PA_alice left"]


# Who is listed, and has no session


def test_an_active_participant_who_is_listed_without_a_session_is_named():
    registry = Registry().joined(ALICE)
    without_session = registry.sessions.comparison.without_session
    assert without_session(listing(ALICE)) == set()
    assert without_session(listing(ALICE, BOB)) == {"PA_bob"}
    assert without_session(listing(someone("alice", "PA_2"))) == {"PA_2"}


def test_a_participant_whom_the_server_tells_nobody_of_is_not_named():
    registry = Registry().joined()
    without_session = registry.sessions.comparison.without_session
    egress = someone("rec", kind=ParticipantKind.EGRESS)
    assert without_session(listing(joining("alice"), egress)) == set()
    hidden = [replace(each, is_hidden=True) for each in listing(BOB)[1:]]
    assert without_session((*listing(), *hidden)) == set()


def test_a_participant_who_left_by_the_server_s_own_word_is_not_named():
    registry = Registry().joined(ALICE)
    registry.at(5, "left", "PA_alice", 1)
    assert registry.sessions.comparison.without_session(listing(ALICE)) == set()


def test_a_list_that_lacks_the_agent_names_the_agent():
    registry = Registry().joined(ALICE)
    assert registry.sessions.comparison.without_session(listing(ALICE)[1:]) == {"clara"}
    assert registry.sessions.comparison.without_session(()) == {"clara"}
