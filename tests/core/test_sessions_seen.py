"""The rows `seen` and `snapshot` of the sessions table: who gets a session, and how it looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.contract.messages import ConnectionState
from sidecar.core.facts import (
    PERSON_KINDS,
    ConnectionQuality,
    Participant,
    ParticipantKind,
    ParticipantState,
)
from sidecar.core.registry.changes import Closed, Created, Updated
from tests.core.played import Registry, joining, played, someone

ALICE = someone("alice")
BOB = someone("bob")


def test_an_active_person_is_created_connecting_and_then_updated_to_connected():
    lines = Registry().joined().at(1, "seen", ALICE)
    assert lines == [
        "1 created PA_alice connecting",
        "1 updated PA_alice connectionState=connected",
    ]


def test_a_created_session_has_no_message_and_no_end():
    registry = Registry().joined()
    registry.at(1, "text", "alice", 0.5)
    registry.at(2, "seen", ALICE)
    created, updated = registry.changes
    assert isinstance(created, Created)
    assert (created.session.message_count, created.session.end_time) == (0, None)
    assert created.session.connection_state is ConnectionState.CONNECTING
    assert isinstance(updated, Updated)
    assert updated.changed == ("messageCount", "connectionState")


def test_a_person_without_media_yet_is_connecting_until_active():
    assert played(
        (0, "snapshot", [joining()]),
        (3, "seen", joining()),
        (4, "seen", ALICE),
    ) == [
        "0 created PA_alice connecting",
        "4 updated PA_alice connectionState=connected",
    ]


def test_one_who_was_active_stays_connected_whatever_a_later_fact_says():
    assert played((0, "snapshot", [ALICE]), (5, "seen", joining()))[2:] == []


@pytest.mark.parametrize("kind", sorted(PERSON_KINDS))
def test_people_of_each_kind_get_a_session(kind: ParticipantKind):
    registry = Registry().joined(someone("alice", kind=kind))
    assert [each.kind for each in registry.sessions.listed()] == [kind]


@pytest.mark.parametrize("kind", sorted(set(ParticipantKind) - PERSON_KINDS))
@pytest.mark.parametrize("fact", ["seen", "snapshot"])
def test_what_is_no_person_gets_none(kind: ParticipantKind, fact: str):
    registry = Registry().joined()
    thing = someone("thing", kind=kind)
    assert registry.at(1, fact, thing if fact == "seen" else [thing]) == []
    assert len(registry.sessions) == 0


def test_the_kinds_of_people_are_standard_sip_and_connector():
    assert {each.value for each in PERSON_KINDS} == {"standard", "sip", "connector"}


@pytest.mark.parametrize(
    "ignored",
    [
        pytest.param(someone("clara"), id="ourselves"),
        pytest.param(someone("alice", state=ParticipantState.DISCONNECTED), id="disconnected"),
    ],
)
@pytest.mark.parametrize("fact", ["seen", "snapshot"])
def test_ourselves_and_those_already_disconnected_get_none(ignored: Participant, fact: str):
    registry = Registry().joined()
    assert registry.at(1, fact, ignored if fact == "seen" else [ignored]) == []
    assert registry.at(60) == []


def test_a_fact_told_twice_changes_nothing_the_second_time():
    registry = Registry().joined(ALICE)
    assert registry.at(1, "seen", ALICE) == []
    assert registry.at(1, "snapshot", [ALICE]) == []


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        (replace(ALICE, name="Alice"), "name"),
        (replace(ALICE, metadata="m"), "metadata"),
        (replace(ALICE, attributes={"a": "b"}), "attributes"),
        (replace(ALICE, quality=ConnectionQuality.LOST), "connectionQuality"),
        (replace(ALICE, kind=ParticipantKind.SIP), "kind"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_an_update_names_what_changed_and_nothing_else(changed: Participant, name: str):
    registry = Registry().joined(ALICE)
    registry.at(5, "seen", changed)
    update = registry.changes[-1]
    assert isinstance(update, Updated)
    assert update.changed == (name,)


def test_a_changed_joined_at_does_not_move_the_start():
    registry = Registry().joined(ALICE)
    assert registry.at(5, "seen", replace(ALICE, joined_at_ms=5)) == []


def test_the_same_identity_under_another_sid_closes_replaced_and_is_created():
    assert played((0, "snapshot", [ALICE]), (7, "seen", joining("alice", "PA_2")))[2:] == [
        "7 closed PA_alice replaced",
        "7 created PA_2 connecting",
    ]


def test_a_sid_that_comes_under_another_identity_stays_the_first_ones():
    lines = played((0, "snapshot", [ALICE]), (7, "seen", joining("bob", "PA_alice")))
    assert lines == played((0, "snapshot", [ALICE]))


def test_a_page_reload_leaves_without_a_reason_and_is_replaced_in_the_same_instant():
    # livekit-behaviour 12, surprise 1.
    assert played(
        (0, "snapshot", [ALICE]),
        (7, "left", "PA_alice", None),
        (7, "seen", someone("alice", "PA_2")),
        (60,),
    )[2:] == [
        "7 closed PA_alice replaced",
        "7 created PA_2 connecting",
        "7 updated PA_2 connectionState=connected",
    ]


def test_the_sid_that_was_replaced_never_comes_back():
    registry = Registry().joined(ALICE)
    registry.at(1, "seen", someone("alice", "PA_2"))
    assert registry.at(2, "seen", ALICE) == []
    assert registry.at(3, "left", "PA_alice", 1) == []
    assert [each.participant_sid for each in registry.sessions.listed()] == ["PA_2"]


def test_a_snapshot_creates_in_its_order_and_lists_in_that_order():
    people = [someone(name) for name in ("cid", "alice", "bob")]
    registry = Registry().joined(*people)
    assert [each.participant_id for each in registry.sessions.listed()] == ["cid", "alice", "bob"]
    created = [each for each in registry.changes if isinstance(each, Created)]
    assert [each.session.participant_id for each in created] == ["cid", "alice", "bob"]


def test_a_snapshot_in_which_somebody_came_back_under_another_sid_replaces_them():
    assert played(
        (0, "snapshot", [ALICE, BOB]),
        (10, "link_lost", 0),
        (12, "snapshot", [someone("alice", "PA_2"), BOB]),
        (60,),
    )[6:] == [
        "12 closed PA_alice replaced",
        "12 created PA_2 connecting",
        "12 updated PA_2 connectionState=connected",
        "12 updated PA_bob connectionState=connected",
    ]


def test_a_person_not_active_after_30_s_is_in_error_and_recovers():
    assert played(
        (0, "snapshot", [joining()]),
        (29.9,),
        (50, "seen", joining()),
        (60, "seen", ALICE),
        (500,),
    ) == [
        "0 created PA_alice connecting",
        "30 updated PA_alice connectionState=error",
        "60 updated PA_alice connectionState=connected",
    ]


def test_the_30_s_until_active_count_only_while_the_link_is_up():
    assert played(
        (0, "snapshot", [joining()]),
        (20, "link_lost", 0),
        (40, "snapshot", [joining()]),
        (49.9,),
        (50.1,),
    ) == [
        "0 created PA_alice connecting",
        "20 updated PA_alice connectionState=reconnecting",
        "40 updated PA_alice connectionState=connecting",
        "50 updated PA_alice connectionState=error",
    ]


def test_one_in_error_is_in_error_again_after_an_outage():
    assert played(
        (0, "snapshot", [joining()]),
        (31, "link_lost", 0),
        (35, "snapshot", [joining()]),
    )[1:] == [
        "30 updated PA_alice connectionState=error",
        "31 updated PA_alice connectionState=reconnecting",
        "35 updated PA_alice connectionState=error",
    ]


def test_one_seen_while_the_link_is_shaky_is_reconnecting_after_the_creation():
    assert played(
        (0, "snapshot", []), (5, "link_lost", 0), (6, "seen", ALICE), (7, "seen", ALICE)
    ) == [
        "6 created PA_alice connecting",
        "6 updated PA_alice connectionState=reconnecting",
    ]


def test_changes_are_copies_that_later_facts_do_not_touch():
    attributes = {"a": "1"}
    registry = Registry().joined(someone("alice", attributes=attributes))
    attributes["a"] = "2"
    created = registry.changes[0]
    registry.at(1, "seen", someone("alice", attributes={"a": "3"}))
    registry.at(2, "left", "PA_alice", 1)
    assert created.session.attributes == {"a": "1"}
    assert created.session.connection_state is ConnectionState.CONNECTING
    assert isinstance(registry.changes[-1], Closed)


def test_an_open_session_is_found_by_its_id_and_a_closed_one_is_not():
    registry = Registry().joined(ALICE)
    (session,) = registry.sessions.listed()
    assert registry.sessions.get(session.session_id) == session
    registry.at(1, "left", "PA_alice", 1)
    assert registry.sessions.get(session.session_id) is None


def test_a_session_is_found_by_its_identity_while_it_is_open():
    registry = Registry().joined(someone("alice"))
    assert registry.sessions.of_identity("alice") == registry.session_of("PA_alice")
    assert registry.sessions.of_identity("bob") is None
    registry.at(1, "left", "PA_alice", 1)
    assert registry.sessions.of_identity("alice") is None
