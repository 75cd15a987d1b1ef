"""All figures beside their floors and peers: `python -m tests.bench`, `--quick` for fewer rounds.

`--only CONTEST ...` runs some contests. A whole run writes docs/bench.md, docs/bench.svg,
docs/bench.json and a table of docs/delays.md. Every run names what is worse than in
docs/bench.json. Its status is 0 all the same: machines differ.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from collections.abc import Sequence
from typing import Any

from sidecar.dev.person import end_process
from sidecar.dev.toolchain import find
from tests.bench import page, picture
from tests.bench.figures import CONTESTS, FIGURES
from tests.bench.place import Place
from tests.bench.program import Program
from tests.bench.results import FILE, Results, changes
from tests.bench.samples import Samples


def main(arguments: Sequence[str]) -> None:
    """Measure, print, compare, and after a whole run write."""
    told = parsed(arguments)
    if told.pages:
        write_documents(Results.read())
        return
    samples = Samples()
    began_s, load_before = time.monotonic(), os.getloadavg()[0]
    with Place() as place:
        for contest in CONTESTS:
            if contest.name in told.only if told.only else contest.quick or not told.quick:
                print(f"{contest.name} ...", flush=True)
                rounds = max(contest.quick, 1) if told.quick else contest.rounds
                warms = contest.warms and not told.quick
                samples.take(place, contest.acts, rounds, warms=warms)
    minutes = round((time.monotonic() - began_s) / 60, 1)
    now = Results.of(samples, machine(minutes, load_before))
    show(now)
    if FILE.is_file():
        before = Results.read()
        now.machine["changes"] = [each.line() for each in changes(before, now)]
        print(f"\nBeside the results of {before.machine['date']}:")
        print("\n".join(now.machine["changes"] or ["no step back, and nothing better"]))
    if not told.quick and not told.only:
        now.write()
        write_documents(Results.read())  # rounded
        print("\nWrote docs/bench.md, docs/bench.svg, docs/bench.json and docs/delays.md.")


def write_documents(results: Results) -> None:
    """Write what is made of the results."""
    page.write(results)
    picture.draw(results)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the arguments."""
    names = [contest.name for contest in CONTESTS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="in under two minutes; writes nothing")
    parser.add_argument("--only", nargs="+", choices=names, metavar="CONTEST", help=str(names))
    pages = "measure nothing, and write the documents from docs/bench.json"
    parser.add_argument("--pages", action="store_true", help=pages)
    return parser.parse_args(arguments)


def machine(minutes: float, load_before: float) -> dict[str, Any]:
    """Say where and when it ran."""
    node = Program([str(find("node")), "--version"])
    with node:
        version = node.to_its_end().decode().strip().removeprefix("v")
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "minutes": minutes,
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "node": version,
        "load_before": round(load_before, 1),
        "load_after": round(os.getloadavg()[0], 1),
    }


def show(results: Results) -> None:
    """Print a line for each figure that was measured."""
    for figure in FIGURES:
        cells = results.cells.get(figure.key, {})
        if cells:
            values = ", ".join(
                f"{column} {cell.spread.median:.4g} ±{cell.spread.noise:.0%}"
                for column, cell in cells.items()
            )
            goal = f"goal {figure.goal.words()}: {page.reached(results, figure)}"
            print(f"{figure.what}, {figure.unit}: {values}; {goal}")
    for each in results.missing:
        print(f"not measured: {each}")


if __name__ == "__main__":
    main(sys.argv[1:])
    end_process(0)
