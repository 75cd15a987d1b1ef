"""The results of a run as a small JSON file, and what has changed since the last one.

Owns `docs/bench.json`. Machines differ: where there is a floor, its ratio is compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import COLUMNS, FIGURES, OURS, Figure
from tests.bench.samples import Samples, Spread

FILE = Path(__file__).resolve().parents[2] / "docs" / "bench.json"
NOTED = 0.1
"""A change of so small a part is none."""
DIGITS = 4


@dataclass(frozen=True)
class Measured:
    """One cell; `of_floor` is its ratio to the floor, from pairs of one round."""

    spread: Spread
    of_floor: Spread | None


@dataclass(frozen=True)
class Results:
    """Of one run: `cells[figure][column]`, what was not measured, and where it ran."""

    cells: dict[str, dict[str, Measured]]
    missing: tuple[str, ...]
    machine: dict[str, Any]

    @classmethod
    def of(cls, samples: Samples, machine: dict[str, Any]) -> Results:
        """Sum up a run."""
        cells = {
            figure.key: {
                column: Measured(
                    samples.spread(figure.key, column),
                    samples.ratio(figure.key, column, "floor") if column in OURS else None,
                )
                for column in COLUMNS
                if column in samples.rounds[figure.key]
            }
            for figure in FIGURES
            if figure.key in samples.rounds
        }
        return cls(cells, tuple(samples.missing), machine)

    @classmethod
    def read(cls, file: Path = FILE) -> Results:
        """Read those of the last run."""
        told = json.loads(file.read_text(encoding="utf-8"))
        cells = {
            key: {
                column: Measured(
                    Spread(**cell["spread"]),
                    Spread(**cell["of_floor"]) if cell["of_floor"] else None,
                )
                for column, cell in columns.items()
            }
            for key, columns in told["figures"].items()
        }
        return cls(cells, tuple(told["missing"]), told["machine"])

    def write(self, file: Path = FILE) -> None:
        """Keep them, a line for each cell."""
        lines = []
        for key, columns in self.cells.items():
            of_columns = ",\n".join(
                f"      {json.dumps(column)}: {json.dumps(_rounded(asdict(cell)))}"
                for column, cell in columns.items()
            )
            lines.append(f"    {json.dumps(key)}: {{\n{of_columns}\n    }}")
        figures = ",\n".join(lines)
        rest = json.dumps({"machine": self.machine, "missing": self.missing}, indent=2)
        text = f'{{\n  "figures": {{\n{figures}\n  }},{rest[1:]}\n'
        file.write_text(text, encoding="utf-8")

    def medians(self, key: str) -> dict[str, float]:
        """Give the medians of a figure, by column."""
        return {column: cell.spread.median for column, cell in self.cells.get(key, {}).items()}


@dataclass(frozen=True)
class Change:
    """Of one figure since the last run; `part` is 0.2 for a fifth more."""

    figure: Figure
    column: str
    part: float

    @property
    def is_step_back(self) -> bool:
        """Whether it is worse now."""
        return (self.part < 0) == self.figure.more_is_better

    def line(self) -> str:
        """Say it."""
        word = "step back" if self.is_step_back else "better"
        return f"{word}: {self.figure.what} ({self.column}): {self.part:+.0%}"


def changes(before: Results, now: Results) -> Iterator[Change]:
    """Give what has changed by more than its noise: the middle halves do not overlap."""
    for figure in FIGURES:
        for column in OURS:
            old = before.cells.get(figure.key, {}).get(column)
            new = now.cells.get(figure.key, {}).get(column)
            if old is None or new is None:
                continue
            has_both = old.of_floor is not None and new.of_floor is not None
            was = old.of_floor if has_both and old.of_floor else old.spread
            now_is = new.of_floor if has_both and new.of_floor else new.spread
            if not was.median or (was.low <= now_is.high and now_is.low <= was.high):
                continue
            part = now_is.median / was.median - 1
            if abs(part) > NOTED:
                yield Change(figure, column, part)


def _rounded(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _rounded(value) for name, value in told.items()}
    return float(f"{told:.{DIGITS}g}") if isinstance(told, float) else told
