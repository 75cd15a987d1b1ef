"""Named points in time: against a plain dictionary, and where they grow."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sidecar.core.registry.deadlines import Deadlines

KEYS = st.sampled_from("abcdef")
TIMES = st.sampled_from([0.0, 1.0, 1.5, 2.0, 3.0, 1e9, float("inf")])


def test_nothing_is_due_at_first():
    deadlines: Deadlines[str] = Deadlines()
    assert deadlines.earliest() is None
    assert list(deadlines.take_passed(1e12)) == []
    assert "a" not in deadlines


def test_what_has_passed_comes_out_earliest_first_and_once():
    deadlines: Deadlines[str] = Deadlines()
    for key, due_s in (("late", 9.0), ("soon", 1.0), ("next", 2.0)):
        deadlines.set(key, due_s)
    assert list(deadlines.take_passed(2.0)) == ["soon", "next"]
    assert list(deadlines.take_passed(2.0)) == []
    assert deadlines.earliest() == 9.0


def test_deadlines_of_the_same_time_come_in_the_order_in_which_they_were_set():
    deadlines: Deadlines[str] = Deadlines()
    for key in "cab":
        deadlines.set(key, 1.0)
    assert list(deadlines.take_passed(1.0)) == ["c", "a", "b"]


@pytest.mark.parametrize(("first_s", "second_s"), [(1.0, 5.0), (5.0, 1.0), (3.0, 3.0)])
def test_a_key_has_the_deadline_set_last(first_s: float, second_s: float):
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", first_s)
    deadlines.set("a", second_s)
    assert deadlines.earliest() == second_s
    assert list(deadlines.take_passed(10.0)) == ["a"]
    assert list(deadlines.take_passed(10.0)) == []


def test_a_key_set_again_after_it_was_cancelled_is_due_when_set_last():
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.pop("a", None)
    deadlines.set("a", 2.0)
    assert list(deadlines.take_passed(1.5)) == []
    assert list(deadlines.take_passed(2.0)) == ["a"]


def test_a_deadline_set_or_cancelled_while_others_come_out_counts():
    deadlines: Deadlines[str] = Deadlines()
    for key in "abc":
        deadlines.set(key, 1.0)
    came = []
    for key in deadlines.take_passed(1.0):
        came.append(key)
        deadlines.pop("b", None)
        if len(came) == 1:
            deadlines.set("new", 0.5)
    assert came == ["a", "new", "c"]


def test_ten_thousand_that_are_set_and_cancelled_leave_nothing_behind():
    deadlines: Deadlines[int] = Deadlines()
    for number in range(10_000):
        deadlines.set(number, float(number))
        deadlines.pop(number, None)
    assert deadlines.earliest() is None
    assert list(deadlines.take_passed(1e9)) == []


class CountedKey:
    """A key that counts how often it is looked up."""

    lookups = 0

    def __hash__(self) -> int:
        """All the same; counted."""
        CountedKey.lookups += 1
        return 1


def test_setting_the_same_deadline_again_and_again_costs_no_more_each_time():
    deadlines: Deadlines[CountedKey] = Deadlines()
    key = CountedKey()
    times = 2_000
    for _ in range(times):
        deadlines.set(key, 1.0)
    assert CountedKey.lookups < 20 * times


class DeadlineLaws(RuleBasedStateMachine):
    """The same as a dictionary of due times."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.deadlines: Deadlines[str] = Deadlines()
        self.model: dict[str, float] = {}

    @rule(key=KEYS, due_s=TIMES)
    def set(self, key: str, due_s: float) -> None:
        self.deadlines.set(key, due_s)
        self.model[key] = due_s

    @rule(key=KEYS)
    def cancel(self, key: str) -> None:
        self.deadlines.pop(key, None)
        self.model.pop(key, None)

    @rule(key=KEYS, due_s=TIMES, times=st.integers(1, 20))
    def set_again_and_again(self, key: str, due_s: float, times: int) -> None:
        for _ in range(times):
            self.set(key, due_s)

    @rule(now_s=TIMES)
    def let_pass(self, now_s: float) -> None:
        came = list(self.deadlines.take_passed(now_s))
        expected = {key: due_s for key, due_s in self.model.items() if due_s <= now_s}
        assert len(came) == len(set(came))
        assert set(came) == set(expected)
        assert [expected[key] for key in came] == sorted(expected.values())
        for key in came:
            del self.model[key]

    @invariant()
    def agrees_with_the_dictionary(self) -> None:
        assert self.deadlines.earliest() == min(self.model.values(), default=None)
        for key in "abcdef":
            assert (key in self.deadlines) is (key in self.model)


TestDeadlineLaws = DeadlineLaws.TestCase


def test_a_deadline_that_is_moved_a_thousand_times_hides_no_other():
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("kept", 1_000.0)
    for number in range(1_000):
        deadlines.set("moved", 2_000.0 + number)
    assert list(deadlines.take_passed(1_000.0)) == ["kept"]
    assert list(deadlines.take_passed(5_000.0)) == ["moved"]
