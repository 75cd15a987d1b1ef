"""The row `text`: which session a message counts for."""

from __future__ import annotations

import pytest

from tests.core.played import Registry, played, someone

ALICE = someone("alice")


def count(registry: Registry, sid: str) -> int:
    """The messages of the open session of *sid*."""
    return registry.session_of(sid).message_count


def test_a_message_counts_for_the_session_of_its_identity():
    assert played((0, "snapshot", [ALICE, someone("bob")]), (5, "text", "alice", 4.5))[4:] == [
        "5 updated PA_alice messageCount=1"
    ]


def test_messages_add_up():
    registry = Registry().joined(ALICE)
    for second in (1, 2, 3):
        registry.at(second, "text", "alice", second)
    assert count(registry, "PA_alice") == 3


def test_a_message_sent_before_the_announcement_counts_from_the_first_update():
    # The server announces in batches, every 3 s; text comes at once.
    assert played(
        (0, "snapshot", []), (1, "text", "alice", 0.9), (2, "text", "alice", 2), (3, "seen", ALICE)
    ) == [
        "3 created PA_alice connecting",
        "3 updated PA_alice messageCount=2 connectionState=connected",
    ]


def test_a_message_begun_before_the_announcement_and_complete_after_it_counts():
    registry = Registry().joined()
    registry.at(2, "seen", ALICE)
    assert registry.at(9, "text", "alice", 1) == ["9 updated PA_alice messageCount=1"]


def test_a_message_is_kept_for_five_seconds_for_somebody_to_be_announced():
    registry = Registry().joined()
    registry.at(0, "text", "alice", 0)
    registry.at(4.9, "seen", ALICE)
    assert count(registry, "PA_alice") == 1


def test_a_kept_message_has_time_looked_at_until_it_is_dropped():
    # Time that nobody looks at is not attended: it would count for a stay of hours later.
    registry = Registry().joined()
    registry.at(1, "text", "alice", 1)
    assert registry.sessions.deadline() == 6
    assert registry.at(6) == []
    assert registry.sessions.deadline() is None


def test_a_message_kept_for_longer_than_five_seconds_is_dropped():
    registry = Registry().joined()
    registry.at(0, "text", "alice", 0)
    registry.at(5.5, "seen", ALICE)
    assert count(registry, "PA_alice") == 0


def test_a_kept_message_counts_once():
    registry = Registry().joined()
    registry.at(0, "text", "alice", 0)
    registry.at(1, "seen", ALICE)
    registry.at(2, "seen", someone("alice", "PA_2"))
    assert count(registry, "PA_2") == 0


def test_a_kept_message_of_one_is_not_counted_for_another():
    registry = Registry().joined()
    registry.at(0, "text", "bob", 0)
    registry.at(1, "seen", ALICE)
    registry.at(2, "seen", someone("bob"))
    assert (count(registry, "PA_alice"), count(registry, "PA_bob")) == (0, 1)


def test_a_message_begun_in_a_session_that_has_closed_since_is_dropped():
    registry = Registry().joined(ALICE)
    registry.at(5, "left", "PA_alice", 1)
    assert registry.at(6, "text", "alice", 4) == []
    registry.at(7, "seen", someone("alice", "PA_2"))
    assert count(registry, "PA_2") == 0


def test_a_message_begun_in_a_session_that_was_replaced_is_dropped():
    registry = Registry().joined(ALICE)
    registry.at(5, "seen", someone("alice", "PA_2"))
    assert registry.at(6, "text", "alice", 4) == []
    assert count(registry, "PA_2") == 0


def test_a_message_begun_after_the_close_is_kept_for_the_next_session():
    registry = Registry().joined(ALICE)
    registry.at(5, "left", "PA_alice", 1)
    registry.at(6, "text", "alice", 5.5)
    registry.at(7, "seen", someone("alice", "PA_2"))
    assert count(registry, "PA_2") == 1


def test_between_a_reload_and_its_announcement_a_message_counts_for_the_old_session():
    # DESIGN 2, at the edges, 5: text carries an identity and no sid.
    registry = Registry().joined(ALICE)
    registry.at(5, "left", "PA_alice", None)
    assert registry.at(6, "text", "alice", 6) == ["6 updated PA_alice messageCount=1"]


def test_a_message_while_the_link_is_shaky_counts():
    registry = Registry().joined(ALICE)
    registry.at(5, "link_lost", 0)
    assert registry.at(6, "text", "alice", 6) == ["6 updated PA_alice messageCount=1"]


@pytest.mark.parametrize("identity", ["", "clara", "nobody"])
def test_a_message_of_nobody_changes_nothing_and_leaves_nothing_pending(identity: str):
    registry = Registry().joined(ALICE)
    assert registry.at(1, "text", identity, 1) == []
    assert registry.at(6) == []
    assert registry.sessions.deadline() is None


def test_the_count_of_a_closed_session_is_that_of_its_end():
    registry = Registry().joined(ALICE)
    registry.at(1, "text", "alice", 1)
    registry.at(2, "left", "PA_alice", 1)
    assert registry.changes[-1].session.message_count == 1
