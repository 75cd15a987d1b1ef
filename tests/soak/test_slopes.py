"""A leak is told from noise, and from a cache that fills."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.soak.slopes import CACHED_STAYS, Sample, Slope, slopes


def slope(name: str, figure: Callable[[int], float], *, each: int = 100, count: int = 40) -> Slope:
    samples = [Sample(stays, {name: figure(stays)}) for stays in range(0, each * count, each)]
    (found,) = slopes("sidecar", samples)
    return found


def noise(stays: int) -> float:
    """Up to 2 either way, always the same."""
    return (stays // 100 * 7919 % 5) - 2


@pytest.mark.parametrize(
    "name", ["memory", "objects", "threads", "fds", "tasks", "heap", "handles"]
)
def test_what_wavers_around_a_value_is_flat(name):
    assert slope(name, lambda stays: 90 + noise(stays)).is_flat


@pytest.mark.parametrize(
    ("name", "per_stay"),
    [("tasks", 1.0), ("fds", 0.01), ("listeners", 0.01), ("memory", 0.01), ("objects", 1.0)],
)
def test_what_is_left_behind_by_stays_is_a_leak_also_under_noise(name, per_stay):
    found = slope(name, lambda stays: 90 + per_stay * stays + noise(stays) / 10)
    assert found.is_judged
    assert not found.is_flat
    assert found.per_1000 == pytest.approx(per_stay * 1000, rel=0.1)
    assert "GROWS" in found.line()


def test_a_cache_that_fills_in_the_first_third_is_no_leak():
    assert slope("memory", lambda stays: 90 + min(stays, 1_300) / 100).is_flat


def test_memory_is_not_judged_by_few_stays_and_threads_are():
    few = CACHED_STAYS // 100
    assert not slope("memory", float, each=100, count=few).is_judged
    assert slope("threads", float, each=100, count=few).is_judged


def test_the_interval_holds_the_slope_and_narrows_with_the_noise():
    rough = slope("tasks", lambda stays: stays / 1000 + noise(stays))
    fine = slope("tasks", lambda stays: stays / 1000 + noise(stays) / 100)
    assert abs(rough.per_1000 - 1.0) <= rough.half_width
    assert fine.half_width < rough.half_width / 10


def test_a_few_samples_have_no_slope():
    assert slopes("sidecar", [Sample(stays, {"tasks": 1.0}) for stays in range(4)]) == []
