"""What a measurement gives, and how measurements take turns.

Owns the order of a run: in each round everybody is measured once, so that what else the machine
does meets all alike. The first round fills the caches and does not count.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.bench.place import Missing, Place
from tests.bench.program import ProgramFailed

LONGEST = 300
"""Of a reason: what a program said last may be long."""

Sample = tuple[str, str, float]
"""(figure, column, value)."""
Act = Callable[[Place], Iterable[Sample]]
"""Measures something once. Raises Missing where that cannot be done here."""


@dataclass(frozen=True)
class Spread:
    """Of some values."""

    median: float
    low: float
    """The lower quartile; `high` is the upper one."""
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take at least one value."""
        if len(values) < 2:
            return cls(values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high, len(values))

    @property
    def noise(self) -> float:
        """Half of the middle half of the values, as a part of the median."""
        return (self.high - self.low) / 2 / abs(self.median) if self.median else 0.0


@dataclass
class Samples:
    """What a run found, round by round."""

    rounds: dict[str, dict[str, list[list[float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    missing: dict[str, None] = field(default_factory=dict)
    """What was not measured, and what to install; or which program failed, and what it said."""

    def take(self, place: Place, acts: Iterable[Act], rounds: int, *, warms: bool = True) -> None:
        """Let the acts take turns."""
        able = list(acts)
        for number in range(rounds + warms):
            for act in tuple(able):
                try:
                    found = list(act(place))
                except (Missing, ProgramFailed) as error:
                    self.missing[" ".join(str(error).split())[:LONGEST]] = None
                    able.remove(act)
                    continue
                if number or not warms:
                    self._keep(found)

    def _keep(self, found: Iterable[Sample]) -> None:
        of_round: dict[tuple[str, str], list[float]] = defaultdict(list)
        for figure, column, value in found:
            of_round[figure, column].append(value)
        for (figure, column), values in of_round.items():
            self.rounds[figure][column].append(values)

    def spread(self, figure: str, column: str) -> Spread:
        """Of all its values."""
        return Spread.of([value for each in self.rounds[figure][column] for value in each])

    def ratio(self, figure: str, column: str, to: str) -> Spread | None:
        """Of a column to another one, round by round; None where that one is missing or zero."""
        ours, theirs = (self.rounds[figure].get(each, []) for each in (column, to))
        parts = [
            statistics.median(mine) / base
            for mine, other in zip(ours, theirs, strict=False)
            if (base := statistics.median(other))
        ]
        return Spread.of(parts) if parts else None
