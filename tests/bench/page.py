"""Writes the results into documents: all of `docs/bench.md`, and a table of `docs/delays.md`."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.document import DOCUMENT, write_between
from tests.bench.figures import COLUMNS, FIGURES, OURS, Figure
from tests.bench.results import FILE, Measured, Results

PAGE = FILE.with_suffix(".md")
QUIET_LOAD = 0.5
"""With a higher load average before the run, the machine had other work."""
INTRODUCTION = """\
# Figures

`python -m tests.bench` measures these figures and writes this page, its picture, `bench.json` and a
table of [delays.md](delays.md). `python -m tests.bench --quick` takes under two minutes and writes
nothing. Both compare their results with `bench.json`, and name each figure that became worse.

Each figure stands beside its floor and its best peer. The floor is the least program that does the
same. All of them take turns in one run, so that other work of the machine slows all of them. A cell
has the median and the noise: half of the distance between the quartiles, in percent of the median.
"Source" is `python -m sidecar`, and "frozen" is the program that an app ships. The bridge's figures
stand under "source".

![Each figure against its goal](bench.svg)
"""
EXPLANATION = """\
- The 10,000 sessions come from `resume`, as after a crash of the sidecar. They need no server.
- A crash includes the 0.5 s that the bridge waits before it starts the sidecar again. The floor
  waits as long.
- Two raw agents hear of each join. The time of `session-created` counts from the earlier one, and
  the floor is the later one.
- The bench compiles the sidecar's source first, as the first start of an installation does.
- A core of a virtual machine may have two thirds of its speed for some seconds. A program may meet
  that in all of its `ping`: then compare with another run.
- The first `listSessions` makes the JSON of each session; in a room, `session-created` has made it.
- Some goals are given up: `ping`, closes, memory, the frozen folder, the frozen start. Both figures
  and the reason stand in [decisions.md](decisions.md), under "Start and speed".
- A figure that cannot be measured on a machine is left out, and named below.
"""


def document(results: Results) -> str:
    """Give the text of docs/bench.md."""
    return "\n".join(
        [
            INTRODUCTION,
            *_machine(results),
            "",
            "| what | unit | source | frozen | floor | peer | goal | reached |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_row(results, figure) for figure in FIGURES),
            "",
            EXPLANATION,
            "## Floors and peers",
            "",
            "| what | floor | peer |",
            "| --- | --- | --- |",
            *(f"| {each.what} | {each.floor or '-'} | {each.peer or '-'} |" for each in FIGURES),
            "",
            "## Since the run before",
            "",
            *(f"- {line}" for line in results.machine.get("changes") or ["Nothing beyond noise."]),
            "",
            "## Not measured",
            "",
            *(f"- {each}" for each in results.missing or ["Nothing was left out."]),
            "",
        ]
    )


def waits(results: Results) -> str:
    """Give the table of docs/delays.md: what a user waits for, ms."""
    lines = ["| what | source, ms | frozen, ms | at the least, ms |", "| --- | --- | --- | --- |"]
    for figure in FIGURES:
        medians = results.medians(figure.key)
        if figure.waited_for and medians:
            cells = (_number(medians.get(each)) for each in ("source", "frozen", "floor"))
            lines.append(f"| {figure.waited_for} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write(results: Results) -> None:
    """Write both documents."""
    PAGE.write_text(document(results), encoding="utf-8")
    write_between(DOCUMENT, "waits", waits(results))


def reached(results: Results, figure: Figure) -> str:
    """Say whether ours reach the goal; each of them where they differ."""
    medians = results.medians(figure.key)
    limit = figure.goal.limit(medians)
    verdicts = {
        column: (medians[column] >= limit) == figure.more_is_better or medians[column] == limit
        for column in OURS
        if column in medians and limit is not None
    }
    if not verdicts:
        return "-"
    if len(set(verdicts.values())) == 1:
        return "yes" if all(verdicts.values()) else "no"
    return ", ".join(f"{name}: {'yes' if is_so else 'no'}" for name, is_so in verdicts.items())


def _machine(results: Results) -> Iterator[str]:
    told = results.machine
    yield (
        f"Measured on {told['date']} in {told['minutes']} minutes: {told['system']}, "
        f"{told['processors']} processors, Python {told['python']}, Node {told['node']}. "
        f"Load average before the run {told['load_before']}, after it {told['load_after']}."
    )
    if told["load_before"] > QUIET_LOAD:
        yield (
            "The machine had other work, so the times are too long. Compare each time with its "
            "floor and its peer."
        )


def _row(results: Results, figure: Figure) -> str:
    cells = results.cells.get(figure.key, {})
    shown = (_cell(cells.get(column)) for column in COLUMNS)
    goal = figure.goal.words()
    words = (figure.what, figure.unit, *shown, goal, reached(results, figure))
    return f"| {' | '.join(words)} |"


def _cell(cell: Measured | None) -> str:
    if cell is None:
        return "-"
    ratio = f", {cell.of_floor.median:.2g} x" if cell.of_floor is not None else ""
    return f"{_number(cell.spread.median)} ±{cell.spread.noise:.0%}{ratio}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
