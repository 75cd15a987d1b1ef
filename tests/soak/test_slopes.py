"""A leak is told from noise, and from a cache that fills."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.soak.day import CRASHES, OUTAGES, RESTARTS, STAYS, Day
from tests.soak.slopes import CRASHES as BY_CRASHES
from tests.soak.slopes import STAYS as BY_STAYS
from tests.soak.slopes import Sample, Slope, slopes


def samples(
    name: str, figure: Callable[[int], float], *, each: int = 100, count: int = 200
) -> list[Sample]:
    return [Sample(after, {name: figure(after)}) for after in range(0, each * count, each)]


def slope(name: str, figure: Callable[[int], float], *, each: int = 100, count: int = 200) -> Slope:
    (found,) = slopes("sidecar", samples(name, figure, each=each, count=count))
    return found


def noise(stays: int) -> float:
    """Up to 2 either way, always the same."""
    return (stays // 100 * 7919 % 5) - 2


@pytest.mark.parametrize(
    "name", ["memory", "objects", "threads", "fds", "tasks", "heap", "listeners", "handles"]
)
def test_what_wavers_around_a_value_is_flat(name):
    found = slope(name, lambda stays: 90 + noise(stays))
    assert found.is_flat
    assert not found.grows


@pytest.mark.parametrize(
    ("name", "per_stay"),
    [("tasks", 1.0), ("fds", 0.01), ("listeners", 0.01), ("memory", 0.01), ("objects", 1.0)],
)
def test_what_is_left_behind_by_stays_is_a_leak_also_under_noise(name, per_stay):
    found = slope(name, lambda stays: 90 + per_stay * stays + noise(stays) / 10)
    assert found.grows
    assert not found.is_flat
    assert found.slope == pytest.approx(per_stay * 1000, rel=0.1)
    assert "GROWS" in found.line()


def test_what_each_crash_leaves_behind_is_a_leak():
    left = samples("listeners", float, each=1, count=50)
    (found,) = slopes("bridge", left, BY_CRASHES)
    assert found.grows
    assert "in 100 crashes" in found.line()


def test_what_a_few_stays_leave_behind_is_a_leak_and_a_pool_that_fills_is_none():
    assert slope("tasks", float, each=20, count=12).grows
    assert not slope("threads", lambda stays: 20 + stays // 100, each=20, count=12).grows


def test_a_cache_that_fills_in_the_first_third_is_no_leak():
    assert slope("memory", lambda stays: 90 + min(stays, 6_600) / 100).is_flat


def test_memory_is_judged_when_the_caches_are_full_and_threads_before():
    before = (BY_STAYS.filled + BY_STAYS.least) // 100
    unjudged = slope("memory", float, count=before)
    assert not unjudged.grows
    assert not unjudged.is_flat
    assert "not judged before 6,200 stays" in unjudged.line()
    assert slope("memory", float, count=before + 2).grows
    assert slope("threads", float, count=before).grows


def test_ids_that_are_kept_until_4_096_have_ended_are_no_leak():
    def kept(stays: int) -> float:
        return 90 + min(stays, 4_096) / 100

    assert slope("memory", kept, count=80).is_flat


def test_the_interval_holds_the_slope_and_narrows_with_the_noise():
    rough = slope("tasks", lambda stays: stays / 1000 + noise(stays))
    fine = slope("tasks", lambda stays: stays / 1000 + noise(stays) / 100)
    assert abs(rough.slope - 1.0) <= rough.half_width
    assert fine.half_width < rough.half_width / 10


def test_noise_too_great_for_a_verdict_is_neither_flat_nor_growth():
    found = slope("tasks", lambda stays: 90 + 40 * noise(stays), count=20)
    assert not found.is_flat
    assert not found.grows
    assert "unsure" in found.line()


def test_a_few_samples_have_no_slope():
    assert slopes("sidecar", samples("tasks", float, count=4)) == []
    assert slopes("sidecar", [Sample(100, {"tasks": 1.0})] * 9) == []


def day(figure: Callable[[int], float], *, stays: int = STAYS) -> Day:
    taken = samples("tasks", figure)
    return Day(1.0, stays, OUTAGES, RESTARTS, CRASHES, sidecar=taken)


def test_a_whole_day_is_good_if_all_is_flat_and_a_part_of_one_if_nothing_grows():
    def flat(stays: int) -> float:
        return 90 + noise(stays)

    def unsure(stays: int) -> float:
        return 90 + 400 * noise(stays)

    def grows(stays: int) -> float:
        return stays + noise(stays)

    assert day(flat).is_good
    assert not day(unsure).is_good
    assert day(unsure, stays=STAYS - 1).is_good
    assert not day(grows, stays=STAYS - 1).is_good


def test_a_whole_day_without_slopes_or_with_a_broken_promise_is_not_good():
    assert not Day(1.0, STAYS, OUTAGES, RESTARTS, CRASHES).is_good
    assert not Day(broken=["no session for PA_1"]).is_good
