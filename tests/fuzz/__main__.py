"""`python -m tests.fuzz --seconds 60 --seed 1`: hostile input; status 1 where a law broke.

Five parts: `wire` (framing and dispatch), `room` (room events to facts to notifications), `process`
(lines to a sidecar), `bridge` (the bridge's splitter and client in Node) and `guided` (a coverage-
guided fuzzer over the first two). A failed case is printed with the command that repeats it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import random
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from sidecar.dev.toolchain import ToolMissing, find
from tests.fuzz import bridge, process, room, wire

REPOSITORY = Path(__file__).parents[2]
PARTS = {"wire": 0.2, "room": 0.2, "process": 0.25, "bridge": 0.15, "guided": 0.2}
"""Each part, and its share of the time."""
GUIDED = ("wire", "room")
ENDS_WITHIN_S = 60.0
Play = Callable[[random.Random], int]


class NotRun(Exception):  # noqa: N818 - no error
    """A part cannot run here; the text says why, and the cure."""


def cases(name: str, seed: str, play: Play, most: int | None, until_s: float) -> int:
    """Play cases of a part until *most* lines or *until_s*; return the lines. Raises Failed."""
    done = 0
    for number in itertools.count():
        if time.monotonic() >= until_s or (most is not None and done >= most):
            return done
        try:
            done += play(random.Random(f"{seed}/{name}/{number}"))  # noqa: S311 - a fuzzer repeats
        except Exception as error:
            again = f"python -m tests.fuzz --only {name} --seed {seed} --case {number}"
            raise wire.Failed(f"{type(error).__name__}: {error}\nrepeat: {again}") from error
    return done


def guided(seed: str, seconds: float) -> int:
    """Run the coverage-guided fuzzer; return its inputs. Raises Failed and NotRun."""
    if find_spec("atheris") is None:
        raise NotRun("no atheris; Linux on x86-64, Python 3.11 to 3.14: uv sync --group fuzz")
    done = 0
    for target in GUIDED:
        share_s = max(1, round(seconds / len(GUIDED)))
        command = [sys.executable, "-m", "tests.fuzz.guided", target]
        said = subprocess.run(
            [*command, "--seed", seed, "--seconds", str(share_s)],
            cwd=REPOSITORY,
            capture_output=True,
            timeout=share_s + ENDS_WITHIN_S,
            check=False,
        )
        text = (said.stdout + said.stderr).decode("utf-8", "replace")
        if said.returncode != 0:
            shown = "\n".join(line[:500] for line in text.splitlines()[-60:])
            raise wire.Failed(f"{shown}\nrepeat: {' '.join(command[1:])} FILE, as named above")
        runs = [line for line in text.splitlines() if "number_of_executed_units" in line]
        done += int(runs[-1].split()[-1]) if runs else 0
    return done


def run(name: str, seed: str, most: int | None, seconds: float, case: int | None) -> int:
    """Run one part; return its lines, events or inputs. Raises Failed and NotRun."""
    until_s = time.monotonic() + seconds if most is None else float("inf")
    if name == "guided":
        return guided(seed, seconds)
    if name == "process":
        return process.run(f"{seed}/process", most or sys.maxsize, until_s)
    if name == "room":
        return _cases(name, seed, room.play, most, until_s, case)
    if name == "wire":
        with asyncio.Runner() as runner:

            def play(chance: random.Random) -> int:
                return runner.run(wire.play(chance))

            return _cases(name, seed, play, most, until_s, case)
    try:
        node = find("node")
    except ToolMissing as error:
        raise NotRun(str(error)) from None
    with bridge.Bridge(node) as under_fuzz:
        return _cases(name, seed, under_fuzz.play, most, until_s, case)


def _cases(
    name: str, seed: str, play: Play, most: int | None, until_s: float, case: int | None
) -> int:
    if case is not None:
        return play(random.Random(f"{seed}/{name}/{case}"))  # noqa: S311 - a fuzzer repeats
    return cases(name, seed, play, most, until_s)


def main() -> int:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of all parts together (60)")
    parser.add_argument("--lines", type=int, help="for each part, in place of its seconds")
    parser.add_argument("--seed", type=int, default=1, help="decides what is tried (1)")
    parser.add_argument("--only", choices=PARTS, help="one part, with all the time")
    parser.add_argument("--case", type=int, help="with --only: one case, to repeat it")
    told = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())
    status = 0
    for name, share in PARTS.items():
        if told.only not in (None, name):
            continue
        began_s = time.monotonic()
        seconds = told.seconds * (share if told.only is None else 1.0)
        try:
            done = run(name, str(told.seed), told.lines, seconds, told.case)
        except NotRun as why:
            print(f"not run: {name} ({why})")
        except wire.Failed as error:
            status = 1
            print(f"{name}: FAILED: {error}")
        else:
            what = {"room": "events", "guided": "inputs"}.get(name, "lines")
            print(
                f"{name}: {done:,} {what} in {time.monotonic() - began_s:.0f} s, seed {told.seed}"
            )
    return status


if __name__ == "__main__":
    sys.exit(main())
