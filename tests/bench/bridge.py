"""Measures the bridge: in plain Node, in pages of a real Electron, and over the real sidecar."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping

from tests.bench.place import PROGRAMS, Place
from tests.bench.program import Program
from tests.bench.room import OURS, _raw, person_in
from tests.bench.samples import Act, Sample
from tests.electron.npm import BRIDGE

PAGES = PROGRAMS / "pages-app"
AFTER_A_CRASH_S = 0.5
"""The bridge waits so long before its first restart."""
IN_A_PROCESS = 2
"""How many stops or crashes one Node process sees."""
PAGE_SAMPLES = 3


def in_node(place: Place, measure: str, **env: str) -> Iterator[Sample]:
    """Give what programs/bridge.cjs measures."""
    command = [str(place.node), "--expose-gc", str(PROGRAMS / "bridge.cjs"), measure]
    return samples(Program(command, env=env))


def samples(program: Program) -> Iterator[Sample]:
    """Read a program's samples up to its end."""
    with program:
        for line in program.to_its_end().splitlines():
            if line.startswith(b'["'):
                figure, column, value = json.loads(line)
                yield str(figure), str(column), float(value)


def plain(measure: str) -> Act:
    """Make a measurement of the bridge alone, with its floor in the same process."""
    return lambda place: in_node(place, measure)


def with_sidecar(measure: str, column: str) -> Act:
    """Make a measurement of the bridge over the real sidecar, with a person in the room."""

    def act(place: Place) -> Iterator[Sample]:
        connect = place.connect_params()
        env = {
            "SIDECAR": json.dumps([*OURS[column](place)]),
            "CONNECT": json.dumps({**connect, "identity": "bench-agent"}),
            "COLUMN": column,
            "ROUNDS": str(IN_A_PROCESS),
        }
        with person_in(place, str(connect["room"])) as person:
            person.joins()
            person.publishes()
            yield from in_node(place, measure, **env)

    return act


def raw_end(place: Place) -> Iterator[Sample]:
    """Measure how long a raw agent takes to leave and end."""
    program = _raw(place, "end", str(place.connect_params()["room"]))
    began_s = time.monotonic()
    program.end()
    yield "stop", "floor", (time.monotonic() - began_s) * 1000


def raw_crash(place: Place) -> Iterator[Sample]:
    """Measure a raw agent that is killed, and started anew as late as the bridge does it."""
    room = str(place.connect_params()["room"])
    program = _raw(place, "crash", room)
    began_s = time.monotonic()
    program.process.kill()
    program.end()
    time.sleep(AFTER_A_CRASH_S)
    with _raw(place, "crash", room):
        yield "crash", "floor", (time.monotonic() - began_s) * 1000


def pages(place: Place) -> Iterator[Sample]:
    """Measure what a page sees, in a real Electron."""
    env = {
        "BRIDGE": str(BRIDGE / "index.cjs"),
        "NODE": str(place.node),
        "LINES": str(PROGRAMS / "lines.cjs"),
        "ROUNDS": str(PAGE_SAMPLES),
    }
    yield from samples(electron(place, str(PAGES), env))


def electron(place: Place, app: str, env: Mapping[str, str], *switches: str) -> Program:
    """Start an app in Electron, with a user of its own."""
    command = [str(place.electron), "--no-sandbox", "--disable-gpu", *switches, app]
    home = str(place.folder / "home")
    os.makedirs(home, exist_ok=True)
    surroundings = {"DISPLAY": place.display, "HOME": home, "XDG_CONFIG_HOME": f"{home}/config"}
    return Program(command, env={**surroundings, **env})


REQUIRE: tuple[Act, ...] = (plain("require"),)
EVENTS: tuple[Act, ...] = (plain("events"),)
HEAP: tuple[Act, ...] = (plain("heap"),)
PAGE: tuple[Act, ...] = (pages,)
STOP: tuple[Act, ...] = (
    raw_end,
    with_sidecar("stop", "source"),
    with_sidecar("stop", "frozen"),
)
CRASH: tuple[Act, ...] = (
    raw_crash,
    with_sidecar("crash", "source"),
    with_sidecar("crash", "frozen"),
)
