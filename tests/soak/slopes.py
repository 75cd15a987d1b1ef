"""Whether a figure stays flat: its slope over the stays, with the confidence interval.

Pure: samples in, slopes out. The first third of the samples is left out: caches fill there. What
has bounded caches, like memory, is judged after so many stays alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WARM_UP = 1 / 3
LEAST_SAMPLES = 4
"""After the warm-up; with fewer there is no interval."""
CAPACITY: Mapping[str, tuple[str, float]] = {
    "memory": ("MB", 0.5),
    "objects": ("objects", 100.0),
    "threads": ("threads", 0.5),
    "fds": ("descriptors", 0.5),
    "tasks": ("tasks", 0.5),
    "heap": ("MB", 0.1),
    "listeners": ("listeners", 0.5),
    "handles": ("handles", 0.5),
}
"""Each figure: its unit, and what it may grow in 1,000 stays. One thing leaked a stay is 1,000."""
CACHED = frozenset({"memory", "objects", "heap"})
"""What grows until bounded caches are full: the last 256 closed sessions, 500 names, the logs."""
CACHED_STAYS = 2_000
"""Stays of the judged samples from which the figures of CACHED are judged."""
_T_95 = {2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 8: 2.31, 10: 2.23, 15: 2.13, 30: 2.04}
"""Student's t for 95 %, two-sided, by degrees of freedom."""


@dataclass(frozen=True)
class Sample:
    """The figures after so many stays."""

    stays: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Slope:
    """How a figure of one process changes in 1,000 stays: the estimate, and half its interval."""

    whose: str
    name: str
    first: float
    last: float
    per_1000: float
    half_width: float
    stays: int
    """Between the first and the last sample that counts."""

    @property
    def is_judged(self) -> bool:
        """Whether there are stays enough to tell a leak from a cache that fills."""
        return self.name not in CACHED or self.stays >= CACHED_STAYS

    @property
    def is_flat(self) -> bool:
        """Whether no growth over what is allowed is certain at 95 %."""
        return self.per_1000 - self.half_width <= CAPACITY[self.name][1]

    def line(self) -> str:
        """Tell it in one line."""
        unit, allowed = CAPACITY[self.name]
        verdict = "flat" if self.is_flat else f"GROWS, over {allowed} allowed"
        if not self.is_judged:
            verdict = f"not judged, {self.stays} of {CACHED_STAYS} stays"
        return (
            f"{self.whose} {self.name}: {self.first:.2f} to {self.last:.2f} {unit},"
            f" {self.per_1000:+.3f} +- {self.half_width:.3f} in 1,000 stays (95 %): {verdict}"
        )


def slopes(whose: str, samples: Sequence[Sample]) -> list[Slope]:
    """Estimate the slope of each figure by least squares. Empty with too few samples."""
    used = samples[math.ceil(len(samples) * WARM_UP) :]
    if len(used) < LEAST_SAMPLES:
        return []
    return [
        _slope(whose, name, [(each.stays, each.figures[name]) for each in used])
        for name in used[0].figures
        if name in CAPACITY
    ]


def _slope(whose: str, name: str, measured: Sequence[tuple[int, float]]) -> Slope:
    points = [(stays / 1000, figure) for stays, figure in measured]
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    left = sum((y - mean_y - rise * (x - mean_x)) ** 2 for x, y in points)
    error = math.sqrt(left / (count - 2) / spread)
    t = next((t for freedom, t in reversed(_T_95.items()) if count - 2 >= freedom), 4.30)
    stays = measured[-1][0] - measured[0][0]
    return Slope(whose, name, points[0][1], points[-1][1], rise, t * error, stays)
