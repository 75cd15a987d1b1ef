"""Draws the results as an SVG: each figure against its goal, on one scale.

The scale is logarithmic. The line in the middle is the goal; what is left of it reaches it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from pathlib import Path

from tests.bench.figures import COLUMNS, FIGURES, Figure
from tests.bench.results import FILE, Results

PICTURE = FILE.with_suffix(".svg")

WIDTH, LABELS, RIGHT = 980, 430, 24
TOP, ROW, BOTTOM = 64, 22, 34
TWOFOLD = 5
"""The scale reaches so many doublings to each side; what is farther stands at its end."""
STYLE = """
  svg { background: #ffffff; font: 13px system-ui, sans-serif; }
  text { fill: #24292f; } .soft { fill: #57606a; font-size: 12px; }
  .grid { stroke: #d8dee4; } .goal { stroke: #24292f; stroke-width: 1.5; }
  .source { fill: #0969da; } .frozen { fill: #ffffff; stroke: #0969da; stroke-width: 2; }
  .floor { fill: #8c959f; } .peer { fill: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; } text { fill: #e6edf3; } .soft { fill: #9198a1; }
    .grid { stroke: #30363d; } .goal { stroke: #e6edf3; }
    .source { fill: #4493f8; } .frozen { fill: #0d1117; stroke: #4493f8; }
    .floor { fill: #848d97; } .peer { fill: #f0883e; }
  }
"""
SHAPES = {
    "source": '<circle class="source" cx="{x:.1f}" cy="{y}" r="5.5"/>',
    "frozen": '<circle class="frozen" cx="{x:.1f}" cy="{y}" r="4.5"/>',
    "floor": '<rect class="floor" x="{left:.1f}" y="{top}" width="4" height="12"/>',
    "peer": '<path class="peer" d="M{x:.1f} {over}l6 6-6 6-6-6z"/>',
}


def drawn(results: Results) -> str:
    """Give the SVG."""
    rows = [figure for figure in FIGURES if results.cells.get(figure.key)]
    height = TOP + ROW * len(rows) + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        ' aria-label="Each figure of the bench against its goal">',
        f"<style>{STYLE}</style>",
        *_legend(),
        *_grid(height - BOTTOM),
    ]
    for number, figure in enumerate(rows):
        lines += _row(results, figure, TOP + ROW * number + ROW // 2)
    lines += [
        _text(_x(0), height - 10, "the goal", 'text-anchor="middle"'),
        _text(_x(-TWOFOLD), height - 10, "better", 'class="soft"'),
        _text(_x(TWOFOLD), height - 10, "worse", 'class="soft" text-anchor="end"'),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _legend() -> Iterator[str]:
    names = ("from source", "frozen", "floor", "best peer")
    for number, (column, name) in enumerate(zip(COLUMNS, names, strict=True)):
        x = LABELS + number * 130
        yield _mark(column, x, 18)
        yield _text(x + 12, 22, name)


def _grid(bottom: int) -> Iterator[str]:
    for power in range(-TWOFOLD, TWOFOLD + 1):
        x, name = _x(power), f"{2**power:g}" if power >= 0 else f"1/{2**-power}"
        kind = "grid" if power else "goal"
        yield f'<path class="{kind}" d="M{x:.1f} {TOP - 6}V{bottom}"/>'
        yield _text(x, TOP - 12, f"{name}x", 'class="soft" text-anchor="middle"')


def _row(results: Results, figure: Figure, y: int) -> Iterator[str]:
    medians = results.medians(figure.key)
    yield _text(LABELS - 14, y + 4, figure.what.replace("`", ""), 'text-anchor="end"')
    limit = figure.goal.limit(medians)
    for column in reversed(COLUMNS):
        if limit and column in medians:
            yield _mark(column, _x(_power(figure, medians[column], limit)), y)


def _power(figure: Figure, value: float, limit: float) -> float:
    """How many doublings worse than the goal."""
    if value <= 0:
        return -TWOFOLD
    power = math.log2(value / limit)
    return max(-TWOFOLD, min(TWOFOLD, -power if figure.more_is_better else power))


def _x(power: float) -> float:
    return LABELS + (power + TWOFOLD) / (2 * TWOFOLD) * (WIDTH - LABELS - RIGHT)


def _mark(column: str, x: float, y: int) -> str:
    return SHAPES[column].format(x=x, y=y, left=x - 2, top=y - 6, over=y - 6)


def _text(x: float, y: int, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}" {more}>{escape(text)}</text>'


def draw(results: Results, file: Path = PICTURE) -> None:
    """Write the SVG."""
    file.write_text(drawn(results), encoding="utf-8")
