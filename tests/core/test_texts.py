"""Messages of people whom nobody has announced: kept, claimed, dropped, and bounded."""

from __future__ import annotations

import pytest

from sidecar.core.registry.texts import MAX_CLOSED, Texts


def test_a_message_of_an_open_session_belongs_to_it():
    assert Texts().take("alice", 5.0, 6.0, session_opened_s=5.0)


def test_a_message_of_nobody_is_kept_and_claimed_once():
    texts = Texts()
    assert not texts.take("alice", 1.0, 1.0, None)
    assert not texts.take("alice", 1.0, 2.0, None)
    assert [texts.claim("alice", 3.0), texts.claim("alice", 3.0)] == [2, 0]


@pytest.mark.parametrize(("claimed_s", "expected"), [(5.9, 1), (6.0, 0)])
def test_a_message_is_kept_for_five_seconds(claimed_s: float, expected: int):
    texts = Texts()
    texts.take("alice", 1.0, 1.0, None)
    assert texts.claim("alice", claimed_s) == expected


def test_what_is_kept_is_due_until_it_is_dropped_oldest_first():
    texts = Texts()
    assert texts.deadline() is None
    texts.take("alice", 1.0, 1.0, None)
    texts.take("bob", 2.0, 2.0, None)
    assert texts.deadline() == 6.0
    texts.expire(6.0)
    assert texts.deadline() == 7.0
    texts.expire(8.0)
    assert texts.deadline() is None


def test_a_message_that_began_before_the_last_close_belongs_to_nobody():
    texts = Texts()
    texts.closed("alice", 5.0)
    assert not texts.take("alice", 5.0, 6.0, None)
    assert not texts.take("alice", 4.0, 6.0, session_opened_s=5.5)
    assert texts.claim("alice", 6.0) == 0


def test_a_message_that_began_between_two_sessions_belongs_to_the_second():
    texts = Texts()
    texts.closed("alice", 5.0)
    assert texts.take("alice", 5.5, 8.0, session_opened_s=7.0)


def test_closing_again_moves_the_border():
    texts = Texts()
    texts.closed("alice", 5.0)
    texts.closed("alice", 9.0)
    assert not texts.take("alice", 8.0, 10.0, session_opened_s=9.5)


def test_at_most_a_thousand_messages_are_kept_and_the_oldest_go_first():
    texts = Texts()
    texts.take("alice", 0.0, 0.0, None)
    for _ in range(1_000):
        texts.take("flood", 0.0, 0.0, None)
    assert (texts.claim("alice", 0.0), texts.claim("flood", 0.0)) == (0, 1_000)


def test_only_the_latest_closes_are_remembered():
    texts = Texts()
    for number in range(MAX_CLOSED + 1):
        texts.closed(f"p{number}", 5.0)
    texts.take("p0", 4.0, 6.0, None)
    texts.take("p1", 4.0, 6.0, None)
    assert (texts.claim("p0", 6.0), texts.claim("p1", 6.0)) == (1, 0)


def test_a_close_of_an_identity_that_closed_before_is_remembered_as_the_newest():
    texts = Texts()
    texts.closed("alice", 1.0)
    for number in range(MAX_CLOSED - 1):
        texts.closed(f"p{number}", 2.0)
    texts.closed("alice", 3.0)
    texts.closed("another", 4.0)
    texts.take("alice", 2.5, 6.0, None)
    assert texts.claim("alice", 6.0) == 0


def test_a_message_kept_for_too_long_makes_no_difference_to_a_younger_one():
    texts = Texts()
    texts.take("alice", 0.0, 0.0, None)
    texts.take("alice", 8.0, 8.0, None)
    assert texts.claim("alice", 9.0) == 1
