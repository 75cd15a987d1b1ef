"""Measures the start of the process and its wire: the first answer, memory, requests."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.bench.place import PROGRAMS, Place, folder_mb
from tests.bench.program import HEADER, Program
from tests.bench.samples import Act, Sample

INITIALIZE = {"protocolVersion": 1}
PINGS, BLOCKS = 500, 4
"""How many pings make one sample, and how many samples a process gives."""
IN_FLIGHT, REQUESTS = 256, 20_000

Command = Callable[[Place], Sequence[str]]
SOURCE: Command = lambda place: [*place.source, "--wait"]  # noqa: E731
FROZEN: Command = lambda place: [*place.frozen, "--wait"]  # noqa: E731
FLOOR: Command = lambda place: [place.python, str(PROGRAMS / "floor.py")]  # noqa: E731
PEER: Command = lambda place: [str(place.node), str(PROGRAMS / "jsonrpc-peer.cjs")]  # noqa: E731
TRIVIAL: Command = lambda place: [str(place.trivial)]  # noqa: E731


def started(place: Place, command: Command) -> Program:
    """Start one of them; the peer finds its packages by NODE_PATH."""
    is_peer = command is PEER
    env = {"NODE_PATH": str(place.peers)} if is_peer else {}
    return Program(command(place), env=env, is_framed=is_peer)


def first_answer(figure: str, column: str, command: Command) -> Act:
    """Make the measurement of the start up to the reply to `initialize`, and of memory then."""

    def act(place: Place) -> Iterator[Sample]:
        with started(place, command) as program:
            program.ask("initialize", INITIALIZE)
            yield figure, column, program.since_start_ms()
            program.ask("ping")  # what is loaded after the first answer is loaded now
            yield f"{figure} memory", column, program.rss_mb()

    return act


def wire(column: str, command: Command) -> Act:
    """Make the measurement of requests: one at a time on one core, and many in flight."""

    def act(place: Place) -> Iterator[Sample]:
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cores)})
        try:
            with started(place, command) as program:
                program.ask("initialize", INITIALIZE)
                for number in range(BLOCKS):
                    p50_us = statistics.median(_pings_s(program)) * 1e6
                    if number:  # the first block warms it up
                        yield "ping", column, p50_us
        finally:
            os.sched_setaffinity(0, cores)
        with started(place, command) as program:
            program.ask("initialize", INITIALIZE)
            _per_second(program, REQUESTS // 10)
            yield "in flight", column, _per_second(program, REQUESTS)

    return act


def _pings_s(program: Program) -> Iterator[float]:
    ping = program.encoded("ping")
    for _ in range(PINGS):
        began_s = time.perf_counter()
        program.write(ping)
        program.message()
        yield time.perf_counter() - began_s


def _per_second(program: Program, requests: int) -> float:
    # An id is used again only when its answer is long there: vscode-jsonrpc holds requests by id.
    pings = [program.encoded("ping", number=number) for number in range(2 * IN_FLIGHT)] * 2
    mark = HEADER if pings[0].startswith(HEADER) else b"\n"
    sent, answered, rest = IN_FLIGHT, 0, b""
    began_s = time.perf_counter()
    program.write(b"".join(pings[:IN_FLIGHT]))
    while answered < requests:
        chunk = rest + program.read()
        answered += chunk.count(mark)
        rest = chunk[len(chunk) - len(mark) + 1 :]  # half of a mark, perhaps
        more = min(answered + IN_FLIGHT, requests) - sent
        at = sent % (2 * IN_FLIGHT)
        program.write(b"".join(pings[at : at + more]))
        sent += more
    return requests / (time.perf_counter() - began_s)


def folders(place: Place) -> Iterator[Sample]:
    """Measure what an app ships."""
    of_rpc = folder_mb(place.peers / "vscode-jsonrpc")
    yield "folder", "peer", folder_mb(place.peers) - of_rpc
    yield "folder", "floor", folder_mb(place.trivial.parent)
    yield "folder", "frozen", folder_mb(Path(place.frozen[0]).parent)


START: tuple[Act, ...] = (
    first_answer("start", "floor", FLOOR),
    first_answer("start", "source", SOURCE),
    first_answer("start", "peer", PEER),
    first_answer("start frozen", "floor", TRIVIAL),
    first_answer("start frozen", "frozen", FROZEN),
    first_answer("start frozen", "peer", PEER),
)
WIRE: tuple[Act, ...] = (
    wire("floor", FLOOR),
    wire("source", SOURCE),
    wire("frozen", FROZEN),
    wire("peer", PEER),
)
