"""The bench's table, its results and its documents agree, and a step back shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import page, picture
from tests.bench.document import DOCUMENT
from tests.bench.figures import FIGURES
from tests.bench.results import FILE, Measured, Results, changes
from tests.bench.samples import Spread
from tests.repository import ROOT

MACHINE = {"date": "2026-11-26"}
CLOSE, PING = "close", "ping"
"""Of one more is better, of the other less."""


def results(figure: str, value: float, of_floor: float | None = None) -> Results:
    """Results of one figure, each with a noise of a tenth."""
    spread, ratio = (
        Spread(each, each * 0.95, each * 1.05, 9) if each else None for each in (value, of_floor)
    )
    return Results({figure: {"source": Measured(spread, ratio)}}, (), MACHINE)


def test_the_documents_are_what_the_bench_writes_of_its_results():
    kept = Results.read()
    assert page.document(kept) == page.PAGE.read_text(encoding="utf-8")
    assert page.waits(kept) in DOCUMENT.read_text(encoding="utf-8")
    assert picture.drawn(kept) == picture.PICTURE.read_text(encoding="utf-8")


def test_the_results_have_no_figure_that_the_table_does_not_know():
    assert set(Results.read().cells) <= {figure.key for figure in FIGURES}


def test_results_are_read_as_they_were_written(tmp_path: Path):
    once, twice = tmp_path / "once.json", tmp_path / "twice.json"
    Results.read(FILE).write(once)
    Results.read(once).write(twice)
    assert once.read_text() == twice.read_text() == FILE.read_text()


@pytest.mark.parametrize(("figure", "worse", "better"), [(CLOSE, 70, 140), (PING, 140, 70)])
def test_a_step_back_shows_and_so_does_a_step_ahead(figure: str, worse: float, better: float):
    (back,) = changes(results(figure, 100), results(figure, worse))
    assert back.is_step_back
    assert back.line().startswith("step back: ")
    (ahead,) = changes(results(figure, 100), results(figure, better))
    assert not ahead.is_step_back


def test_noise_is_no_change():
    assert not list(changes(results(PING, 100), results(PING, 107)))


def test_a_slower_machine_is_no_step_back_where_the_floor_is_slower_too():
    assert not list(changes(results(PING, 100, of_floor=2.0), results(PING, 300, of_floor=2.0)))
    (back,) = changes(results(PING, 300, of_floor=2.0), results(PING, 100, of_floor=3.0))
    assert back.is_step_back


def test_a_quick_run_of_a_cheap_figure_prints_it_beside_its_floor_and_goal(node: Path):
    command = [sys.executable, "-m", "tests.bench", "--quick", "--only", "require"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("`require`"))
    assert "source" in line
    assert "floor" in line
    assert "goal 20" in line
