"""The row `resume`: what an earlier process left open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession, ConnectionState
from sidecar.core.facts import ConnectionQuality, ParticipantKind
from sidecar.core.registry.resumption import Inheritance
from tests.core.played import START_MS, Registry, earlier, joining, moment, someone

ALICE = someone("alice")


def resumed(*sessions: AgentSession) -> Registry:
    """A registry that took them over at second 0."""
    registry = Registry()
    assert registry.sessions.resume(Inheritance(sessions), moment(0))
    return registry


def test_resumed_sessions_are_open_listed_and_reconnecting():
    registry = resumed(earlier("alice"), earlier("bob"))
    listed = registry.sessions.listed()
    assert [each.participant_id for each in listed] == ["alice", "bob"]
    assert {each.connection_state for each in listed} == {ConnectionState.RECONNECTING}
    assert registry.sessions.get(listed[0].session_id) == listed[0]


def test_a_resumed_session_goes_on_under_its_id_start_and_count():
    registry = resumed(earlier())
    assert registry.joined(ALICE, now_s=3).lines == ["3 updated PA_alice connectionState=connected"]
    registry.at(4, "text", "alice", 3.5)
    session = registry.session_of("PA_alice")
    assert (session.session_id, session.start_time, session.message_count) == (
        earlier().session_id,
        earlier().start_time,
        8,
    )


def test_a_resumed_session_whose_person_is_gone_closes_left_during_reconnect():
    registry = resumed(earlier("alice"), earlier("bob")).joined(ALICE, now_s=10)
    assert registry.at(60)[-1] == "13 closed PA_bob left-during-reconnect"


def test_a_resumed_session_whose_person_reloaded_meanwhile_is_replaced():
    registry = resumed(earlier()).joined(someone("alice", "PA_2"), now_s=10)
    assert registry.lines == [
        "10 closed PA_alice replaced",
        "10 created PA_2 connecting",
        "10 updated PA_2 connectionState=connected",
    ]


def test_a_resumed_session_closes_connection_lost_when_no_join_comes_in_45_s():
    registry = resumed(earlier())
    assert registry.at(44.9) == []
    assert registry.at(99) == ["45 closed PA_alice connection-lost"]


def test_a_resumed_session_of_another_room_closes_agent_disconnected_at_the_join():
    registry = resumed(earlier("alice", room_name="attic"), earlier("bob"))
    assert registry.joined(someone("bob"), now_s=5).lines == [
        "5 closed PA_alice agent-disconnected",
        "5 updated PA_bob connectionState=connected",
    ]


def test_an_id_that_was_resumed_is_not_used_again():
    registry = resumed(earlier())
    registry.at(60)
    registry.joined(ALICE, now_s=61)
    assert registry.id_of("PA_alice") != earlier().session_id


def test_an_id_that_a_resumed_session_still_has_is_not_given_to_another():
    # The wire takes ids as opaque: nothing says that a resumed one holds its own identity.
    odd = replace(earlier("bob"), session_id=f"session_{START_MS - 1_000}_alice")
    registry = resumed(odd).joined(someone("bob"), ALICE, now_s=1)
    ids = [each.session_id for each in registry.sessions.listed()]
    assert len(set(ids)) == 2


def test_a_resumed_person_who_is_still_joining_is_connecting_and_overdue_after_30_s():
    registry = resumed(earlier()).joined(joining("alice"), now_s=5)
    assert registry.lines == ["5 updated PA_alice connectionState=connecting"]
    assert registry.at(99) == ["35 updated PA_alice connectionState=error"]


def test_a_resumed_person_who_was_never_active_and_drops_has_failed_to_join():
    registry = resumed(earlier()).joined(joining("alice"), now_s=5)
    assert registry.at(6, "left", "PA_alice", 9) == ["6 closed PA_alice join-failed SIGNAL_CLOSE"]


def test_resume_is_refused_once_anything_was_created():
    registry = Registry().joined(ALICE)
    registry.at(1, "close_all", CloseReason.AGENT_DISCONNECTED, None)
    assert not registry.sessions.resume(Inheritance((earlier(),)), moment(2))
    assert registry.sessions.listed() == ()


def test_resume_is_refused_in_a_room_even_an_empty_one():
    registry = Registry().joined()
    assert not registry.sessions.resume(Inheritance((earlier(),)), moment(1))


def test_a_second_resume_is_refused():
    registry = resumed(earlier("alice"))
    assert not registry.sessions.resume(Inheritance((earlier("bob"),)), moment(1))
    assert [each.participant_id for each in registry.sessions.listed()] == ["alice"]


def test_a_session_that_was_resumed_and_closed_is_not_resumed_again():
    registry = resumed(earlier())
    assert registry.at(60) == ["45 closed PA_alice connection-lost"]
    assert not registry.sessions.resume(Inheritance((earlier(),)), moment(61))
    assert registry.sessions.listed() == ()


def test_resuming_nothing_leaves_nothing_pending():
    assert resumed().sessions.deadline() is None


@pytest.mark.parametrize("reason", [CloseReason.AGENT_DISCONNECTED, CloseReason.SIDECAR_SHUTDOWN])
def test_resumed_sessions_close_with_the_rest_before_any_join(reason: CloseReason):
    registry = resumed(earlier())
    assert registry.at(5, "close_all", reason, None) == [f"5 closed PA_alice {reason}"]


def test_a_resume_after_an_outage_with_nobody_there_has_45_s_of_its_own():
    registry = Registry().joined()
    registry.at(10, "link_lost", 0)
    registry.at(100)
    assert registry.sessions.resume(Inheritance((earlier(),)), moment(100))
    assert registry.at(144) == []
    assert registry.at(200) == ["145 closed PA_alice connection-lost"]


def test_a_loss_during_the_resume_does_not_prolong_the_outage():
    registry = resumed(earlier())
    registry.at(30, "link_lost", 0)
    assert registry.at(99) == ["45 closed PA_alice connection-lost"]


def test_an_outage_that_an_earlier_process_began_goes_on():
    registry = Registry()
    assert registry.sessions.resume(Inheritance((earlier(),), outage_s=40), moment(0))
    assert registry.at(4.9) == []
    assert registry.at(99) == ["5 closed PA_alice connection-lost"]


def test_an_outage_that_was_over_before_the_resume_closes_at_once():
    registry = Registry()
    assert registry.sessions.resume(Inheritance((earlier(),), outage_s=500), moment(0))
    assert registry.at(0.1) == ["0 closed PA_alice connection-lost"]


def test_an_outage_without_sessions_to_resume_leaves_nothing_pending():
    registry = Registry()
    assert registry.sessions.resume(Inheritance(outage_s=40), moment(0))
    assert registry.sessions.deadline() is None


def test_an_id_that_an_earlier_process_closed_is_not_used_again():
    # The bridge's consumer sees both processes: an app that stops it and starts it anew.
    registry = Registry()
    used_id = earlier().session_id
    assert registry.sessions.resume(Inheritance(used_ids=(used_id, "session_1_nobody")), moment(0))
    registry.joined(ALICE, now_s=3)
    assert registry.id_of("PA_alice") == f"session_{START_MS + 3_000}_alice"
    assert registry.session_of("PA_alice").start_time == earlier().start_time


WHOLE = replace(
    earlier(),
    name="Alice",
    kind=ParticipantKind.SIP,
    metadata="m",
    attributes={"a": "b"},
    connection_quality=ConnectionQuality.GOOD,
    truncated=True,
)


def test_what_was_known_of_a_resumed_session_is_in_all_that_is_told_until_its_person_is_seen():
    registry = resumed(WHOLE)
    registry.joined(now_s=1)
    registry.at(2, "text", "alice", 2.0)
    registry.at(60)
    *updates, closed = (change.session for change in registry.changes)
    assert [each.connection_state for each in updates] == [ConnectionState.CONNECTING] * 2
    assert closed.message_count == WHOLE.message_count + 1
    for told in [*updates, closed]:
        kept = replace(WHOLE, connection_state=told.connection_state)
        assert replace(told, message_count=WHOLE.message_count, end_time=None) == kept


def test_once_its_person_is_seen_a_resumed_session_is_what_livekit_says():
    registry = resumed(WHOLE).joined(replace(ALICE, name="Al"), now_s=1)
    session = registry.session_of("PA_alice")
    assert (session.name, session.metadata, session.attributes) == ("Al", "", {})
    assert (session.kind, session.truncated) == (ParticipantKind.STANDARD, None)
