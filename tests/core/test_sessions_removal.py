"""The rows `removing` and `removal`: a person is put out on request."""

from __future__ import annotations

import pytest

from sidecar.core.contract.close_reasons import CloseReason
from tests.core.played import Registry, someone

ALICE = someone("alice")


def removing(now_s: float = 10) -> tuple[Registry, str]:
    """A registry that asked at *now_s* for alice's removal, and her session's id."""
    registry = Registry().joined(ALICE)
    session_id = registry.id_of("PA_alice")
    registry.at(now_s, "removing", session_id)
    return registry, session_id


def test_the_leave_that_a_removal_brings_closes_removed():
    registry, session_id = removing()
    registry.at(10.1, "removal_agreed", session_id)
    assert registry.at(11, "left", "PA_alice", 4) == [
        "11 closed PA_alice removed PARTICIPANT_REMOVED"
    ]
    assert registry.at(60) == []


def test_a_leave_without_a_reason_during_a_removal_closes_removed():
    registry, session_id = removing()
    registry.at(10.1, "removal_agreed", session_id)
    registry.at(11, "left", "PA_alice", None)
    assert registry.at(60) == ["13 closed PA_alice removed"]


def test_one_who_was_removed_and_is_back_at_once_was_removed():
    # The server's batch then holds both, and the SDK tells the leave without its reason.
    registry, session_id = removing()
    registry.at(10.1, "removal_agreed", session_id)
    registry.at(11, "left", "PA_alice", None)
    assert registry.at(11, "seen", someone("alice", "PA_2")) == [
        "11 closed PA_alice removed",
        "11 created PA_2 connecting",
        "11 updated PA_2 connectionState=connected",
    ]


def test_a_participant_back_under_a_new_sid_before_the_server_answered_was_removed():
    registry, session_id = removing()
    assert registry.at(11, "seen", someone("alice", "PA_2"))[0] == "11 closed PA_alice removed"
    assert registry.at(11.1, "removal_agreed", session_id) == []
    assert registry.at(60) == []


def test_a_participant_back_under_a_new_sid_after_a_removal_that_failed_was_replaced():
    registry, session_id = removing()
    registry.at(10.5, "removal_failed", session_id)
    assert registry.at(11, "seen", someone("alice", "PA_2"))[0] == "11 closed PA_alice replaced"


def test_a_leave_by_the_person_s_own_will_during_a_removal_is_left():
    registry, _ = removing()
    assert registry.at(11, "left", "PA_alice", 1) == ["11 closed PA_alice left CLIENT_INITIATED"]


def test_a_removal_agreed_and_not_followed_by_a_leave_closes_after_five_seconds():
    registry, session_id = removing()
    registry.at(11, "removal_agreed", session_id)
    assert registry.at(15.9) == []
    assert registry.at(60) == ["16 closed PA_alice removed"]
    assert registry.at(61, "seen", ALICE) == []


def test_a_removal_agreed_closes_even_while_the_link_is_shaky():
    registry, session_id = removing()
    registry.at(11, "removal_agreed", session_id)
    registry.at(12, "link_lost", 0)
    assert registry.at(30)[-1] == "16 closed PA_alice removed"


def test_one_being_removed_and_absent_after_a_reconnect_closes_removed():
    registry, _ = removing()
    registry.at(11, "link_lost", 0)
    registry.at(12, "snapshot", [])
    assert registry.at(60) == ["15 closed PA_alice removed"]


def test_one_being_removed_and_missing_from_the_server_s_list_closes_removed():
    registry, _ = removing()
    registry.poll(11)
    assert registry.poll(16) == ["16 closed PA_alice removed reconcile"]


@pytest.mark.parametrize("reason", [CloseReason.LEFT, CloseReason.REPLACED])
def test_a_removal_of_nobody_closes_by_what_the_server_said(reason: CloseReason):
    registry, session_id = removing()
    assert registry.at(11, "removal_moot", session_id, reason) == [f"11 closed PA_alice {reason}"]
    assert registry.at(12, "removal_moot", session_id, reason) == []


def test_one_whom_the_server_lists_under_another_sid_never_comes_back_under_the_old():
    registry, session_id = removing()
    registry.at(11, "removal_moot", session_id, CloseReason.REPLACED)
    assert registry.at(12, "seen", ALICE) == []


def test_after_a_removal_that_failed_a_leave_without_a_reason_is_left():
    registry, session_id = removing()
    registry.at(11, "removal_failed", session_id)
    assert registry.at(12) == []
    registry.at(12, "left", "PA_alice", None)
    assert registry.at(60) == ["14 closed PA_alice left"]


@pytest.mark.parametrize(
    "call",
    [
        ("removing",),
        ("removal_agreed",),
        ("removal_moot", CloseReason.LEFT),
        ("removal_failed",),
    ],
    ids=lambda call: str(call[0]),
)
def test_removals_of_an_unknown_session_change_nothing(call: tuple[str, *tuple[object, ...]]):
    registry = Registry().joined(ALICE)
    name, *rest = call
    assert registry.at(5, name, "session_1_nobody", *rest) == []
    assert registry.at(60) == []
    assert len(registry.sessions) == 1


def test_a_removal_of_one_does_not_touch_another():
    registry = Registry().joined(ALICE, someone("bob"))
    registry.at(10, "removing", registry.id_of("PA_alice"))
    registry.at(11, "left", "PA_bob", None)
    assert registry.at(60) == ["13 closed PA_bob left"]
