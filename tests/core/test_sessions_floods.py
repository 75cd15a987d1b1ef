"""How often a session is announced: ten updates a second at most, and the last state always."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.facts import DisconnectReason, Joined
from sidecar.core.registry.changes import Change, Closed, Updated
from sidecar.core.registry.sessions import Sessions
from tests.core.played import moment, someone

MOST_A_SECOND = 10
LEFT = int(DisconnectReason.CLIENT_INITIATED)


class Room:
    """A room with alice and bob, and what was announced of them, with its time."""

    def __init__(self) -> None:
        self.sessions = Sessions()
        self.sessions.joined(Joined("den", "agent", ()), moment(0))
        self.told: list[tuple[float, Change]] = []
        self.tell(0.0, self.sessions.snapshot([someone("alice"), someone("bob")], moment(0)))

    def tell(self, now_s: float, changes: Iterable[Change]) -> None:
        self.told += [(now_s, each) for each in changes]

    def until(self, now_s: float) -> None:
        """Let time pass, deadline by deadline."""
        while (due_s := self.sessions.deadline()) is not None and due_s <= now_s:
            self.tell(due_s, self.sessions.expire(moment(due_s)))

    def updates(self, who: str) -> list[float]:
        """When an update of a participant was announced."""
        return [
            at_s
            for at_s, each in self.told
            if isinstance(each, Updated) and each.session.participant_id == who
        ]

    def of(self, who: str) -> Change:
        """The last change of a participant."""
        return [each for _, each in self.told if each.session.participant_id == who][-1]


def most_in_a_second(times_s: list[float]) -> int:
    return max(
        (sum(1 for each in times_s if at_s <= each < at_s + 1.0) for at_s in times_s), default=0
    )


def test_ten_updates_a_second_are_announced_at_once():
    room = Room()
    for number in range(MOST_A_SECOND):
        room.tell(1.0, room.sessions.seen(someone("alice", name=str(number)), moment(1.0)))
    assert room.updates("alice")[-MOST_A_SECOND:] == [1.0] * MOST_A_SECOND


def test_of_more_updates_the_last_state_is_announced_a_second_later():
    room = Room()
    for number in range(500):
        room.tell(1.0, room.sessions.seen(someone("alice", name=str(number)), moment(1.0)))
    room.until(1.9)
    assert len([each for each in room.updates("alice") if each >= 1.0]) == MOST_A_SECOND
    room.until(2.0)
    assert room.updates("alice")[-1] == 2.0
    last = room.of("alice")
    assert isinstance(last, Updated)
    assert last.session.name == "499"
    assert last.changed == ("name",)


def test_every_message_counts_though_it_is_not_announced_alone():
    room = Room()
    for number in range(500):
        at_s = 1.0 + number / 500
        room.tell(at_s, room.sessions.text("alice", at_s, moment(at_s)))
    room.until(5.0)
    assert room.of("alice").session.message_count == 500


def test_a_session_that_closes_meanwhile_closes_with_its_last_state():
    room = Room()
    for number in range(500):
        room.tell(1.0, room.sessions.seen(someone("alice", name=str(number)), moment(1.0)))
        room.tell(1.0, room.sessions.text("alice", 1.0, moment(1.0)))
    room.tell(1.0, room.sessions.left("PA_alice", LEFT, moment(1.0)))
    closed = room.of("alice")
    assert isinstance(closed, Closed)
    assert (closed.session.name, closed.session.message_count) == ("499", 500)
    assert closed.reason is CloseReason.LEFT
    told = len(room.told)
    room.until(10.0)
    assert len(room.told) == told


def test_updates_of_one_session_hold_back_no_update_of_another():
    room = Room()
    for number in range(500):
        room.tell(1.0, room.sessions.seen(someone("alice", name=str(number)), moment(1.0)))
    room.tell(1.0, room.sessions.seen(someone("bob", name="new"), moment(1.0)))
    assert room.updates("bob")[-1] == 1.0


def test_what_is_listed_is_what_was_announced():
    room = Room()
    for number in range(500):
        room.tell(1.0, room.sessions.seen(someone("alice", name=str(number)), moment(1.0)))
        assert room.of("alice").session in room.sessions.listed()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 0.5, allow_nan=False),
            st.sampled_from(["name", "text", "lost", "back"]),
        ),
        max_size=80,
    )
)
def test_whatever_happens_ten_a_second_are_announced_and_the_last_state_always(acts):
    room, now_s, texts, name = Room(), 1.0, 0, ""
    for number, (wait_s, act) in enumerate(acts):
        now_s += wait_s
        room.until(now_s)
        if act == "name":
            name = str(number)
            changes = room.sessions.seen(someone("alice", name=name), moment(now_s))
        elif act == "text":
            texts += 1
            changes = room.sessions.text("alice", now_s, moment(now_s))
        elif act == "lost":
            changes = room.sessions.link_lost(0, moment(now_s))
        else:
            people = [someone("alice", name=name), someone("bob")]
            changes = room.sessions.snapshot(people, moment(now_s))
        room.tell(now_s, changes)
    people = [someone("alice", name=name), someone("bob")]
    room.tell(now_s, room.sessions.snapshot(people, moment(now_s)))
    room.until(now_s + 1.0)
    for who in ("alice", "bob"):
        assert most_in_a_second(room.updates(who)) <= MOST_A_SECOND
        session = room.of(who).session
        assert session.connection_state == "connected"
        assert session in room.sessions.listed()
    last = room.of("alice").session
    assert (last.name, last.message_count) == (name, texts)
    for (_, before), (_, after) in itertools.pairwise(room.told):
        assert before is not after
