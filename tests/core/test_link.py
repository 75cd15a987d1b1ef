"""The link's clock: what runs always, and what stands still while the link is not up."""

from __future__ import annotations

import pytest

from sidecar.core.registry.deadlines import Due, LinkClock

STANDS_STILL = {Due.HOLD, Due.ACTIVE}
RUNS_S = {Due.HOLD: 2.0, Due.ACTIVE: 30.0, Due.REMOVAL: 5.0, Due.OUTAGE: 45.0, Due.UPDATE: 1.0}
"""How long each runs by the specification."""


def up_since(now_s: float) -> LinkClock:
    """A clock whose link is up since *now_s*."""
    clock = LinkClock()
    clock.up(now_s)
    return clock


def test_a_link_is_down_at_first_with_nothing_due():
    clock = LinkClock()
    assert (clock.is_up, clock.earliest()) == (False, None)


@pytest.mark.parametrize("due", sorted(Due, key=str))
def test_every_deadline_runs_while_the_link_is_up(due: Due):
    clock = up_since(100.0)
    clock.set(due, "PA_1", 110.0)
    due_s = 110.0 + RUNS_S[due]
    assert clock.earliest() == pytest.approx(due_s)
    assert list(clock.take_passed(due_s - 0.001)) == []
    assert list(clock.take_passed(due_s)) == [(due, "PA_1")]
    assert clock.earliest() is None


@pytest.mark.parametrize("due", sorted(Due, key=str))
def test_holds_and_active_deadlines_stand_still_without_the_link(due: Due):
    clock = up_since(0.0)
    clock.set(due, "PA_1", 0.0)
    clock.down(1.0)
    if due not in STANDS_STILL:
        assert clock.earliest() == RUNS_S[due]
        return
    assert clock.earliest() is None
    assert list(clock.take_passed(1e6)) == []
    clock.up(1_000.0)
    assert clock.earliest() == pytest.approx(999.0 + RUNS_S[due])
    assert list(clock.take_passed(998.9 + RUNS_S[due])) == []
    assert list(clock.take_passed(999.0 + RUNS_S[due])) == [(due, "PA_1")]


@pytest.mark.parametrize("due", sorted(STANDS_STILL, key=str))
def test_one_set_while_the_link_is_down_runs_in_full_once_it_is_up(due: Due):
    clock = LinkClock()
    clock.set(due, "PA_1", 5.0)
    clock.up(50.0)
    assert clock.earliest() == pytest.approx(50.0 + RUNS_S[due])


def test_many_short_links_add_up():
    clock = up_since(0.0)
    clock.set(Due.HOLD, "PA_1", 0.0)
    for second in range(1, 4):
        clock.down(second * 10 + 0.5)
        clock.up(second * 10 + 10.0)
    # 10.5 s of link before the first loss: due long since.
    assert list(clock.take_passed(40.0)) == [(Due.HOLD, "PA_1")]


def test_what_is_due_according_to_earliest_comes_out_at_that_time():
    # Sums of floats: an `earliest` that `passed` does not agree with would be a timer that spins.
    for start_s in (0.1, 0.3, 1e6 + 0.1, 1e9 + 0.7):
        clock = up_since(start_s)
        clock.down(start_s + 0.1)
        clock.up(start_s + 0.3)
        clock.set(Due.HOLD, "PA_1", start_s + 0.7)
        due_s = clock.earliest()
        assert due_s is not None
        assert list(clock.take_passed(due_s)) == [(Due.HOLD, "PA_1")]


def test_the_number_of_the_link_grows_each_time_that_the_link_comes_up():
    clock = LinkClock()
    assert clock.link_number == 0
    clock.up(1.0)
    clock.up(2.0)
    assert clock.link_number == 1
    clock.down(3.0)
    clock.down(4.0)
    assert clock.link_number == 1
    clock.up(6.0)
    assert clock.link_number == 2


def test_an_outage_begins_once_and_ends_when_the_link_is_up():
    clock = LinkClock()
    clock.start_outage(10.0, 3)
    clock.start_outage(20.0, 6)
    assert (clock.earliest(), clock.outage_reason) == (55.0, 3)
    clock.up(30.0)
    assert clock.earliest() is None
    clock.start_outage(40.0)
    assert (clock.earliest(), clock.outage_reason) == (85.0, 0)


def test_forgetting_one_leaves_the_others_and_the_outage():
    clock = up_since(0.0)
    for due in (Due.HOLD, Due.ACTIVE, Due.REMOVAL):
        clock.set(due, "PA_1", 0.0)
        clock.set(due, "PA_2", 0.0)
    clock.start_outage(0.0)
    clock.forget("PA_1")
    assert sorted(clock.take_passed(100.0), key=str) == sorted(
        [(Due.OUTAGE, ""), (Due.HOLD, "PA_2"), (Due.ACTIVE, "PA_2"), (Due.REMOVAL, "PA_2")], key=str
    )


def test_cancelling_one_kind_leaves_the_others_of_that_sid():
    clock = up_since(0.0)
    clock.set(Due.HOLD, "PA_1", 0.0)
    clock.set(Due.ACTIVE, "PA_1", 0.0)
    clock.cancel(Due.HOLD, "PA_1")
    assert not clock.has(Due.HOLD, "PA_1")
    assert clock.has(Due.ACTIVE, "PA_1")
