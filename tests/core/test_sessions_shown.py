"""How a session looks on the wire: ids, times, and what is cut."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.wire import EncodedJson, iso_time, wall_ms
from sidecar.core.facts import MAX_SHOWN_BYTES, Moment, Participant
from sidecar.core.registry.changes import Closed
from sidecar.core.registry.resumption import Inheritance
from sidecar.core.registry.stays import YEAR_10000_MS, believable_ms
from tests.core.played import START_MS, UPTIME_MS, Registry, earlier, moment, someone
from tests.written import written

ALICE = someone("alice")
WIRE_NAMES = (
    "sessionId participantId participantSid roomName startTime messageCount connectionState"
    " name kind metadata attributes connectionQuality"
).split()


def first_shown(person: Participant) -> dict[str, object]:
    """The wire object of the session that *person* gets."""
    registry = Registry().joined(person)
    shown = written(registry.sessions.listed()[0])
    return shown


def test_a_session_has_the_members_of_the_contract_in_its_order():
    assert list(first_shown(ALICE)) == WIRE_NAMES


def test_a_closed_session_has_an_end_time_too():
    registry = Registry().joined(ALICE)
    registry.at(5, "left", "PA_alice", 1)
    shown = written(registry.changes[-1].session)
    assert list(shown) == [*WIRE_NAMES, "endTime"]
    assert (shown["connectionState"], shown["endTime"]) == ("closed", "2026-01-01T00:00:05.000Z")


# Ids


def test_an_id_has_the_milliseconds_of_joined_at_and_the_identity():
    shown = first_shown(someone("ann-marie 🎤", joined_at_ms=1_700_000_000_123))
    assert shown["sessionId"] == "session_1700000000123_ann-marie 🎤"
    assert shown["startTime"] == "2023-11-14T22:13:20.123Z"


@pytest.mark.parametrize("nonsense", [None, 0, -1, 253_402_300_800_000, 10**30, -(10**30)])
def test_a_joined_at_that_no_calendar_holds_is_now(nonsense: int | None):
    shown = first_shown(someone("alice", joined_at_ms=nonsense))
    assert shown["sessionId"] == f"session_{START_MS}_alice"
    assert shown["startTime"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize("believable", [1, START_MS + 86_400_000, 253_402_300_799_999])
def test_any_other_joined_at_is_the_server_s_word(believable: int):
    assert believable_ms(believable, 5) == believable
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", iso_time(believable))


def test_a_sid_that_comes_back_gets_the_first_free_millisecond_from_now():
    registry = Registry().joined(ALICE)
    ids = [registry.id_of("PA_alice")]
    for second in (10, 10, 10, 20):
        registry.at(second, "close_all", CloseReason.AGENT_DISCONNECTED, None)
        registry.joined(ALICE, now_s=second)
        ids.append(registry.id_of("PA_alice"))
    assert ids == [
        f"session_{START_MS - 1_000}_alice",
        f"session_{START_MS + 10_000}_alice",
        f"session_{START_MS + 10_001}_alice",
        f"session_{START_MS + 10_002}_alice",
        f"session_{START_MS + 20_000}_alice",
    ]


def test_a_new_id_for_the_same_stay_does_not_move_its_start():
    registry = Registry().joined(ALICE)
    registry.at(10, "close_all", CloseReason.AGENT_DISCONNECTED, None)
    registry.joined(ALICE, now_s=11)
    assert registry.session_of("PA_alice").start_time == iso_time(START_MS - 1_000)


def test_two_sids_of_one_identity_and_one_millisecond_have_two_ids():
    registry = Registry().joined(ALICE)
    first_id = registry.id_of("PA_alice")
    registry.at(5, "seen", someone("alice", "PA_2"))
    assert registry.id_of("PA_2") == f"session_{START_MS + 5_000}_alice" != first_id


def test_an_id_of_a_session_that_was_open_all_along_is_not_used_again():
    # 65,536 others came and went meanwhile.
    registry = Registry().joined(ALICE)
    first_id = registry.id_of("PA_alice")
    for number in range(65_536):
        bob = someone("bob", f"PA_{number}", joined_at_ms=number + 1)
        registry.sessions.seen(bob, moment(1))
    registry.at(2, "close_all", CloseReason.AGENT_DISCONNECTED, None)
    registry.joined(ALICE, now_s=3)
    assert registry.id_of("PA_alice") != first_id


# Times


def test_end_time_is_when_the_end_was_seen():
    registry = Registry().joined(ALICE)
    registry.at(10, "left", "PA_alice", None)
    registry.at(60)
    closed = registry.changes[-1]
    assert closed.session.end_time == iso_time(START_MS + 12_000)


@pytest.mark.parametrize("back_ms", [1, 3_600_000])
def test_a_stay_that_begins_in_our_future_lasts_as_long_as_it_was_open_here(back_ms: int):
    # A resumed session closes before any join, and this machine's clock is behind the server's.
    registry = Registry()
    session = replace(earlier("alice"), start_time=iso_time(START_MS + 45_000 + back_ms))
    assert registry.sessions.resume(Inheritance((session,)), moment(0))
    registry.at(60)
    assert lasted_s(registry) == 45.0


MINUTE_MS = 60_000
AHEAD_MS = (0, MINUTE_MS, -MINUTE_MS, 86_400_000)
"""By how much the server's clock is ahead of this machine's."""


def lasted_s(registry: Registry) -> float:
    """For how long the session that closed last was open, by its own two times."""
    closed = registry.changes[-1]
    assert isinstance(closed, Closed)
    assert closed.session.end_time is not None
    return (wall_ms(closed.session.end_time) - wall_ms(closed.session.start_time)) / 1000


@pytest.mark.parametrize("ahead_ms", AHEAD_MS)
def test_a_stay_lasts_as_long_as_it_lasted_however_the_clocks_differ(ahead_ms: int):
    registry = Registry().joined(server_ms=START_MS + ahead_ms)
    # Announced 2 s after the join, by the server's clock.
    registry.at(10, "seen", someone("alice", joined_at_ms=START_MS + ahead_ms + 8_000))
    registry.at(15, "left", "PA_alice", 1)
    assert lasted_s(registry) == 7.0


@pytest.mark.parametrize("ahead_ms", AHEAD_MS)
def test_a_stay_that_began_an_hour_before_the_agent_came_lasts_that_hour_too(ahead_ms: int):
    joined_at_ms = START_MS + ahead_ms - 3_600_000
    alice = someone("alice", joined_at_ms=joined_at_ms)
    registry = Registry().joined(alice, server_ms=START_MS + ahead_ms)
    registry.at(5, "left", "PA_alice", 1)
    assert lasted_s(registry) == 3_605.0


@pytest.mark.parametrize("ahead_ms", AHEAD_MS)
def test_a_resumed_stay_that_closes_before_any_join_lasts_as_long_as_it_lasted(ahead_ms: int):
    registry = Registry()
    session = replace(earlier("alice"), start_time=iso_time(START_MS + ahead_ms - 1_000))
    inherited = Inheritance((session,), server_ahead_ms=ahead_ms)
    assert registry.sessions.resume(inherited, moment(0))
    registry.at(60)
    assert lasted_s(registry) == 46.0


@pytest.mark.parametrize("said_ms", [START_MS + MINUTE_MS + 3_000, None, 0])
@pytest.mark.parametrize("inherited_ms", [MINUTE_MS, -MINUTE_MS])
def test_the_server_s_own_word_counts_and_without_it_what_is_inherited(
    said_ms: int | None, inherited_ms: int
):
    ahead_ms = MINUTE_MS if said_ms else inherited_ms
    registry = Registry()
    session = replace(earlier("alice"), start_time=iso_time(START_MS + ahead_ms - 1_000))
    inherited = Inheritance((session,), server_ahead_ms=inherited_ms)
    assert registry.sessions.resume(inherited, moment(0))
    registry.joined(someone("alice"), now_s=3, server_ms=said_ms)
    assert registry.sessions.server_ahead_ms(moment(9)) == ahead_ms
    registry.at(10, "left", "PA_alice", 1)
    assert lasted_s(registry) == 11.0


def test_how_far_the_server_is_ahead_is_not_known_before_a_join():
    registry = Registry()
    assert registry.sessions.server_ahead_ms(moment(0)) is None
    registry.joined(server_ms=START_MS - MINUTE_MS)
    assert registry.sessions.server_ahead_ms(moment(5)) == -MINUTE_MS


@pytest.mark.parametrize("ahead_ms", AHEAD_MS)
def test_a_resumed_stay_lasts_from_its_first_process_on(ahead_ms: int):
    registry = Registry()
    session = earlier("alice")  # since one second before START_MS
    session = replace(session, start_time=iso_time(START_MS + ahead_ms - 1_000))
    assert registry.sessions.resume(Inheritance((session,)), moment(0))
    registry.joined(someone("alice"), now_s=3, server_ms=START_MS + ahead_ms + 3_000)
    registry.at(10, "left", "PA_alice", 1)
    assert lasted_s(registry) == 11.0


def test_time_that_the_machine_slept_is_part_of_the_stay():
    registry = Registry().joined(ALICE, server_ms=START_MS)
    # Attended time stands still in sleep, and for the wall clock we only have its word.
    at = Moment(5.0, START_MS + 905_000, UPTIME_MS + 905_000)
    registry.changes += registry.sessions.left("PA_alice", 1, at)
    assert lasted_s(registry) == 906.0


@pytest.mark.parametrize("server_ms", [START_MS, None])
@pytest.mark.parametrize("set_by_ms", [-3_600_000, 3_600_000])
def test_a_wall_clock_that_is_set_during_a_stay_does_not_change_how_long_it_lasted(
    server_ms: int | None, set_by_ms: int
):
    registry = Registry().joined(ALICE, server_ms=server_ms)
    at = Moment(5.0, START_MS + 5_000 + set_by_ms, UPTIME_MS + 5_000)
    registry.changes += registry.sessions.left("PA_alice", 1, at)
    assert lasted_s(registry) == 6.0


def test_a_stay_whose_server_node_is_ahead_of_the_agent_s_lasts_as_long_as_it_was_seen():
    alice = someone("alice", joined_at_ms=START_MS + MINUTE_MS)
    registry = Registry().joined(alice, server_ms=START_MS)
    registry.at(5, "left", "PA_alice", 1)
    assert lasted_s(registry) == 5.0


@pytest.mark.parametrize("server_ahead_ms", [-START_MS, 10**17, -(10**17)])
def test_an_inherited_clock_that_no_calendar_holds_is_not_believed(server_ahead_ms: int):
    registry = Registry()
    inherited = Inheritance((earlier("alice"),), server_ahead_ms=server_ahead_ms)
    assert registry.sessions.resume(inherited, moment(0))
    registry.at(60)
    assert lasted_s(registry) == 46.0


@pytest.mark.parametrize("server_ms", [0, -1, 10**17])
def test_a_server_time_that_no_calendar_holds_is_not_believed(server_ms: int):
    registry = Registry().joined(ALICE, server_ms=server_ms)
    registry.at(5, "left", "PA_alice", 1)
    assert lasted_s(registry) == 6.0


# Cuts

KINDS_OF_CHARACTER = {1: "a", 2: "ä", 3: "€", 4: "🎤"}


@pytest.mark.parametrize("width", KINDS_OF_CHARACTER)
@pytest.mark.parametrize("shift", range(4))
def test_metadata_is_cut_at_16_kib_between_two_characters(width: int, shift: int):
    text = "a" * shift + KINDS_OF_CHARACTER[width] * (MAX_SHOWN_BYTES // width + 1)
    shown = first_shown(someone("alice", metadata=text))
    kept = shown["metadata"]
    assert isinstance(kept, str)
    assert text.startswith(kept)
    assert MAX_SHOWN_BYTES - width < len(kept.encode()) <= MAX_SHOWN_BYTES
    assert shown["truncated"] is True


@pytest.mark.parametrize("width", KINDS_OF_CHARACTER)
def test_metadata_of_just_16_kib_is_whole(width: int):
    spare = MAX_SHOWN_BYTES % width
    text = KINDS_OF_CHARACTER[width] * (MAX_SHOWN_BYTES // width) + "a" * spare
    assert len(text.encode()) == MAX_SHOWN_BYTES
    shown = first_shown(someone("alice", metadata=text))
    assert shown["metadata"] == text
    assert "truncated" not in shown


def test_attributes_are_cut_at_16_kib_of_keys_and_values_together():
    whole = {f"{number:04}": "x" * 1_020 for number in range(16)}
    assert first_shown(someone("alice", attributes=whole))["attributes"] == whole
    more = {**whole, "y": ""}
    shown = first_shown(someone("alice", attributes=more))
    assert (shown["attributes"], shown["truncated"]) == (whole, True)


def test_attributes_count_in_bytes():
    shown = first_shown(someone("alice", attributes={"k": "🎤" * 4_096}))
    assert (shown["attributes"], shown["truncated"]) == ({}, True)


def test_the_order_in_which_attributes_come_does_not_matter():
    many = {f"{number:04}": "x" * 2_000 for number in range(12)}
    registry = Registry().joined(someone("alice", attributes=many))
    backwards = dict(reversed(many.items()))
    assert registry.at(1, "seen", someone("alice", attributes=backwards)) == []


def test_a_change_beyond_the_cut_is_no_update():
    text = "a" * MAX_SHOWN_BYTES
    registry = Registry().joined(someone("alice", metadata=text + "b"))
    assert registry.at(1, "seen", someone("alice", metadata=text + "c")) == []


def test_truncated_goes_when_nothing_is_cut_any_more():
    registry = Registry().joined(someone("alice", metadata="a" * 20_000))
    registry.at(1, "seen", replace(ALICE, metadata="short"))
    shown = written(registry.session_of("PA_alice"))
    assert (shown["metadata"], "truncated" in shown) == ("short", False)


def test_a_closed_session_is_cut_like_the_open_one():
    registry = Registry().joined(someone("alice", metadata="a" * 20_000))
    registry.at(1, "left", "PA_alice", 1)
    closed = registry.changes[-1].session
    assert (len(closed.metadata), closed.truncated) == (MAX_SHOWN_BYTES, True)


def test_a_context_of_null_takes_the_context_away():
    registry = Registry().joined(ALICE)
    (session,) = registry.sessions.listed()
    contexts = []
    for value in ({"step": 1}, None):
        registry.sessions.say(session.session_id, moment(1), context=EncodedJson(value, 100))
        shown = written(registry.session_of("PA_alice"))
        contexts.append("context" in shown)
    assert contexts == [True, False]


def test_what_a_plug_in_says_of_a_session_that_has_closed_changes_nothing():
    registry = Registry().joined(ALICE)
    (session,) = registry.sessions.listed()
    registry.at(1, "left", "PA_alice", 1)
    assert registry.sessions.say(session.session_id, moment(2), new_messages=1) == []


@pytest.mark.parametrize("ahead_ms", [1, 60_000])
def test_a_stay_at_the_end_of_all_years_that_iso_8601_has_closes_too(ahead_ms: int):
    registry = Registry().joined(someone("alice", joined_at_ms=YEAR_10000_MS - ahead_ms))
    registry.at(5, "left", "PA_alice", 1)
    assert registry.lines[-1] == "5 closed PA_alice left CLIENT_INITIATED"
    assert lasted_s(registry) >= 0
