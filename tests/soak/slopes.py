"""Whether a figure stays flat: how it grows with the stays, or the crashes, and how sure that is.

Pure: samples in, slopes out. The first third of the samples is left out: caches fill there. The
others are averaged in blocks, since neighbours are alike and would make the interval too narrow.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

WARM_UP = 1 / 3
LEAST_SAMPLES = 4
"""After the warm-up; with fewer there is no interval."""
BLOCKS = 20
"""Of the samples that count, at most."""


class Allowed(NamedTuple):
    """What a figure may grow: the larger of both."""

    unit: str
    per_measure: float
    """In 1,000 stays, or in 100 crashes. One thing leaked a stay is 1,000."""
    in_all: float
    """Between the first and the last sample that counts: pools fill by steps, at any time."""


ALLOWED: Mapping[str, Allowed] = {
    "memory": Allowed("MB", 0.5, 5.0),
    "objects": Allowed("objects", 100.0, 1_000.0),
    "threads": Allowed("threads", 0.5, 4.0),
    "fds": Allowed("descriptors", 0.5, 4.0),
    "tasks": Allowed("tasks", 0.5, 4.0),
    "heap": Allowed("MB", 0.1, 0.5),
    "listeners": Allowed("listeners", 0.5, 4.0),
    "handles": Allowed("handles", 0.5, 4.0),
}
CACHED = frozenset({"memory", "objects", "heap"})
"""What grows until bounded caches are full."""
_T_95 = {2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 8: 2.31, 10: 2.23, 12: 2.18, 15: 2.13}
"""Student's t for 95 %, two-sided, by degrees of freedom."""


class Measure(NamedTuple):
    """What a slope is told in."""

    size: int
    word: str
    filled: int
    """From so many on the caches are full, and CACHED counts."""
    least: int
    """CACHED is judged by so many more."""


STAYS = Measure(1_000, "stays", 4_200, 2_000)
"""The sidecar and the bridge keep 4,096 ids of ended sessions (registry/stays.py, mirror.cjs)."""
CRASHES = Measure(100, "crashes", 10, 20)


@dataclass(frozen=True)
class Sample:
    """The figures after so many stays, or crashes."""

    after: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Slope:
    """How a figure of one process grows: the estimate, and half its interval at 95 %."""

    whose: str
    name: str
    measure: Measure
    first: float
    last: float
    """Means of the first and the last block."""
    slope: float
    half_width: float
    since: int
    """Stays, or crashes, at the first sample that counts."""
    span: int
    """From the first to the last sample that counts."""

    @property
    def is_judged(self) -> bool:
        """Whether there are enough stays, or crashes, to tell a leak from a cache that fills."""
        is_filled = self.since >= self.measure.filled and self.span >= self.measure.least
        return self.name not in CACHED or is_filled

    @property
    def allowed(self) -> float:
        """How much the figure may grow in the measure."""
        allowed = ALLOWED[self.name]
        return max(allowed.per_measure, allowed.in_all * self.measure.size / self.span)

    @property
    def grows(self) -> bool:
        """Whether it is certain at 95 % that the figure grows by more than is allowed."""
        return self.is_judged and self.slope - self.half_width > self.allowed

    @property
    def is_flat(self) -> bool:
        """Whether it is certain at 95 % that the figure does not."""
        return self.is_judged and self.slope + self.half_width <= self.allowed

    def line(self) -> str:
        """Tell it in one line."""
        size, word, filled, least = self.measure
        if not self.is_judged:
            verdict = f"not judged before {filled + least:,} {word}"
        elif self.grows:
            verdict = f"GROWS, {self.allowed:.2f} allowed"
        else:
            verdict = "flat" if self.is_flat else f"unsure, {self.allowed:.2f} allowed"
        return (
            f"{self.whose} {self.name}: {self.first:.2f} to {self.last:.2f}"
            f" {ALLOWED[self.name].unit}, {self.slope:+.3f} +- {self.half_width:.3f}"
            f" in {size:,} {word} (95 %): {verdict}"
        )


def slopes(whose: str, samples: Sequence[Sample], measure: Measure = STAYS) -> list[Slope]:
    """Estimate the slope of each figure by least squares. Empty with too few samples."""
    used = samples[math.ceil(len(samples) * WARM_UP) :]
    if len(used) < LEAST_SAMPLES or used[0].after == used[-1].after:
        return []
    return [_slope(whose, name, used, measure) for name in used[0].figures if name in ALLOWED]


def _slope(whose: str, name: str, taken: Sequence[Sample], measure: Measure) -> Slope:
    filled = [each for each in taken if each.after >= measure.filled] if name in CACHED else []
    used = filled if len(filled) >= LEAST_SAMPLES else taken
    blocks = min(BLOCKS, len(used))
    bounds = [len(used) * number // blocks for number in range(blocks + 1)]
    parts = [used[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    x = [statistics.fmean(each.after / measure.size for each in part) for part in parts]
    y = [statistics.fmean(each.figures[name] for each in part) for part in parts]
    slope, base = statistics.linear_regression(x, y)
    spread = statistics.pvariance(x) * blocks
    left = sum((b - base - slope * a) ** 2 for a, b in zip(x, y, strict=True))
    t = next(t for freedom, t in reversed(_T_95.items()) if blocks - 2 >= freedom)
    half_width = t * math.sqrt(left / (blocks - 2) / spread)
    span = used[-1].after - used[0].after
    return Slope(whose, name, measure, y[0], y[-1], slope, half_width, used[0].after, span)
