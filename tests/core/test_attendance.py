"""Whether the agent is needed in its room: people who are there, and people who are expected."""

from __future__ import annotations

from sidecar.core.attendance import (
    EXPECTED_S,
    EXPECTED_UNSEEN_S,
    MAX_EXPECTED,
    Attendance,
)


def test_without_people_the_agent_is_not_needed():
    attendance = Attendance()
    assert not attendance.is_needed(0.0)
    attendance.empty_since_s = 0.0
    assert not attendance.is_needed(0.0)


def test_people_who_were_there_when_the_agent_lost_its_room_still_need_it():
    attendance = Attendance()
    attendance.is_person_there = True
    assert attendance.is_needed(1_000.0)


def test_a_page_with_a_token_is_expected_until_it_leaves_or_takes_too_long():
    attendance = Attendance()
    attendance.expect("alice", 0.0, is_list_known=True)
    attendance.expect("bob", 0.0, is_list_known=False)
    assert attendance.expected(EXPECTED_S - 1) == ("alice", "bob")
    assert attendance.expected(EXPECTED_S) == ("bob",)
    assert attendance.expected(EXPECTED_UNSEEN_S) == ()
    assert attendance.is_needed(EXPECTED_S)
    attendance.left("bob")
    assert not attendance.is_needed(EXPECTED_S)


def test_the_earliest_of_too_many_expected_people_is_forgotten():
    attendance = Attendance()
    for number in range(MAX_EXPECTED + 1):
        attendance.expect(f"person-{number}", 0.0, is_list_known=True)
    expected = attendance.expected(0.0)
    assert len(expected) == MAX_EXPECTED
    assert expected[0] == "person-1"


def test_the_room_is_left_after_the_last_person_and_after_the_last_expected_one():
    attendance = Attendance()
    assert attendance.leave_at_s(5.0) is None
    attendance.empty_since_s = 10.0
    assert attendance.leave_at_s(5.0) == 15.0
    attendance.expect("alice", 13.0, is_list_known=True)
    assert attendance.leave_at_s(5.0) == 13.0 + EXPECTED_S
    attendance.left("alice")
    assert attendance.leave_at_s(5.0) == 15.0
