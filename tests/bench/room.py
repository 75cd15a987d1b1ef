"""Measures the sidecar in a room, beside agents made of an SDK alone: join, memory, idle, news.

The floor is `livekit.rtc` alone, and the peer is @livekit/rtc-node. Each has a room of its own,
but for the news of a person, which all hear in one room.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from sidecar.dev.tokens import mint_token
from tests.bench.place import PROGRAMS, Missing, Place, new_room
from tests.bench.program import ANSWER_S, Program, ProgramFailed
from tests.bench.samples import Act, Sample
from tests.bench.start import FROZEN, INITIALIZE, SOURCE, Command

OURS: Mapping[str, Command] = {"source": SOURCE, "frozen": FROZEN}
RAW = (sys.executable, str(PROGRAMS / "raw_room.py"))
IDLE_S = 12.0
"""One window; all have the same ones."""
CALMS_S = 3.0
"""After the join, before memory and idling are measured."""
JOINS = 12
"""How many people one sample of the news is the median of."""
APART_S = (0.02, 0.2)


def in_room(place: Place, column: str) -> Program:
    """Start a column's program in a room of its own, and wait until it is in."""
    if column in OURS:
        program = Program(OURS[column](place))
        program.ask("initialize", INITIALIZE)
        program.ask("connect", place.connect_params())
    else:
        program = _raw(place, column, new_room())
    return program


def _raw(place: Place, column: str, room: str) -> Program:
    env = place.membership(f"raw-{column}-{random.random()}", room)  # noqa: S311 - a name
    command: tuple[str, ...] = RAW
    if column == "peer":
        command = (str(place.node), str(PROGRAMS / "rtc-room.cjs"))
        env["NODE_PATH"] = str(place.peers)
    program = Program(command, env=env)
    program.message()
    return program


def joins(column: str) -> Act:
    """Make the measurement from the spawn until it is in the room."""

    def act(place: Place) -> Iterator[Sample]:
        with in_room(place, column) as program:
            yield "join", column, program.since_start_ms()

    return act


def idles(place: Place) -> Iterator[Sample]:
    """Measure memory and idle CPU of all at the same time."""
    with contextlib.ExitStack() as stack:
        programs: dict[str, Program] = {}
        for column in ("floor", "source", "frozen", "peer"):
            with contextlib.suppress(Missing):
                programs[column] = stack.enter_context(in_room(place, column))
        time.sleep(CALMS_S)
        for column, program in programs.items():
            yield "room memory", column, program.rss_mb()
        for _ in range(2):
            before = {column: program.cpu_s() for column, program in programs.items()}
            began_s = time.monotonic()
            time.sleep(IDLE_S)
            took_s = time.monotonic() - began_s
            for column, program in programs.items():
                yield "idle", column, (program.cpu_s() - before[column]) / took_s * 100


class PersonBySteps:
    """`python -m sidecar.dev.person`, step by step."""

    def __init__(self, program: Program, place: Place, room: str) -> None:
        """Nobody has joined."""
        self._program, self._place, self._room = program, place, room
        self._number = 0

    def joins(self) -> str:
        """Let the next person join and publish, which the server tells at once; give the sid."""
        self._number += 1
        server, identity = self._place.server, f"person-{self._number}"
        token = mint_token(server.api_key, server.api_secret, self._room, identity)
        told = self._does("join", url=server.url, token=token, identity=identity)
        return str(told["sid"])

    def publishes(self) -> None:
        """From then on the server tells of them at once."""
        self._does("publish")

    def leaves(self) -> None:
        """As a person who closes the page."""
        self._does("leave")

    def _does(self, what: str, **more: str) -> dict[str, Any]:
        self._program.write(json.dumps({"do": what, **more}).encode() + b"\n")
        while True:
            told: dict[str, Any] = json.loads(self._program.message())
            if told.get("did") == what:
                if "error" in told:
                    raise ProgramFailed(f"{what}: {told['error']}")
                return told


@contextlib.contextmanager
def person_in(place: Place, room: str) -> Iterator[PersonBySteps]:
    """Start the process of a person who has yet to join."""
    with Program((sys.executable, "-m", "sidecar.dev.person")) as program:
        yield PersonBySteps(program, place, room)


def news(place: Place) -> Iterator[Sample]:
    """Measure how long after the earlier of two raw agents the sidecar tells of a join.

    The floor is the later of the two.
    """
    params = place.connect_params()
    room = str(params["room"])
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(_raw(place, "first", room))
        second = stack.enter_context(_raw(place, "second", room))
        heard_by: dict[str, Program] = {}
        for column, command in OURS.items():
            with contextlib.suppress(Missing):
                ours = heard_by[column] = stack.enter_context(Program(command(place)))
                ours.ask("initialize", INITIALIZE)
                ours.ask("connect", {**params, "identity": f"ours-{column}"})
        person = stack.enter_context(person_in(place, room))
        after_ms: dict[str, list[float]] = {column: [] for column in ("floor", *heard_by)}
        for _ in range(JOINS):
            sid = person.joins()
            person.publishes()
            at_s = _heard_s([first, second, *heard_by.values()], sid.encode())
            earlier_s, later_s = sorted((at_s[first.out], at_s[second.out]))
            after_ms["floor"].append((later_s - earlier_s) * 1000)
            for column, program in heard_by.items():
                after_ms[column].append((at_s[program.out] - earlier_s) * 1000)
            person.leaves()
            time.sleep(random.uniform(*APART_S))  # noqa: S311 - not for secrets
        for column, values in after_ms.items():
            yield "news", column, statistics.median(values)


def _heard_s(programs: list[Program], words: bytes) -> dict[int, float]:
    """When each first said *words*, by the descriptor of its stdout."""
    at_s: dict[int, float] = {}
    rest = {program.out: b"" for program in programs}
    while rest:
        ready, _, _ = select.select(list(rest), [], [], ANSWER_S)
        if not ready:
            raise ProgramFailed(f"not all programs told of {words!r}")
        now_s = time.monotonic()
        for out in ready:
            chunk = os.read(out, 1 << 20)
            if not chunk:
                raise ProgramFailed("a program ended")
            rest[out] += chunk
            if words in rest[out]:
                at_s[out] = now_s
                del rest[out]
    return at_s


ROOM: tuple[Act, ...] = (joins("floor"), joins("source"), joins("frozen"), joins("peer"))
IDLE: tuple[Act, ...] = (idles,)
NEWS: tuple[Act, ...] = (news,)
