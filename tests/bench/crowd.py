"""Measures 10,000 sessions: listing, closing them with a ping meanwhile, their memory, a join.

The sidecar takes the sessions over from `resume`, as after a crash, so that no server is needed.
"""

from __future__ import annotations

import gc
import json
import threading
import time
import tracemalloc
from collections.abc import Iterator
from functools import cache

import orjson

from sidecar.core.contract.messages import SessionCreated
from sidecar.rpc.jsonrpc import encode_notification
from tests.bench import sessions
from tests.bench.place import Place
from tests.bench.program import Program
from tests.bench.samples import Act, Sample
from tests.bench.start import FLOOR, FROZEN, SOURCE, Command, started

CROWD = 10_000
LISTS = 6
PING_EVERY_S = 0.005
PONG = b'"pong"'
CLOSED = b'"session-closed"'


@cache
def entries() -> list[dict[str, object]]:
    """Make the crowd, as `resume` takes it."""
    return [
        {
            "sessionId": f"session_{1_795_409_234_722 + number}_person-{number}",
            "participantId": f"person-{number}",
            "participantSid": f"PA_{number:012d}",
            "roomName": "room",
            "startTime": "2026-11-23T10:00:34.722Z",
            "messageCount": 0,
            "connectionState": "connected",
            "name": f"Person {number}",
            "kind": "standard",
            "metadata": '{"lang": "en", "plan": "pro"}',
            "attributes": {"lk.agent.state": "listening", "theme": "dark"},
            "connectionQuality": "unknown",
        }
        for number in range(CROWD)
    ]


def crowd(column: str, command: Command) -> Act:
    """Make the measurement of listing and closing."""

    def act(place: Place) -> Iterator[Sample]:
        with started(place, command) as program:
            program.ask("initialize", {"protocolVersion": 1, "resume": entries()})
            yield "first list", column, _list_ms(program)
            _list_ms(program)  # the second one has memory to get
            for _ in range(LISTS):
                yield "list", column, _list_ms(program)
            per_second, worst_ms = _closed(program)
            yield "close", column, per_second
            yield "worst ping", column, worst_ms

    return act


def _list_ms(program: Program) -> float:
    """How long one list takes, from the request to the whole answer."""
    began_s = time.perf_counter()
    program.write(program.encoded("listSessions"))
    program.message()
    return (time.perf_counter() - began_s) * 1000


def _closed(program: Program) -> tuple[float, float]:
    """How many sessions a second it closes, and how long the slowest ping meanwhile takes, ms."""
    sent_s: list[float] = []
    is_over = threading.Event()
    ping = program.encoded("ping", number=2)

    def ping_on() -> None:
        while not is_over.wait(PING_EVERY_S):
            sent_s.append(time.perf_counter())
            program.write(ping)

    began_s = time.perf_counter()
    program.write(program.encoded("disconnect"))
    pinging = threading.Thread(target=ping_on)
    pinging.start()
    closed = pongs = 0
    worst_s = closed_at_s = 0.0
    rest = b""
    while closed < CROWD or not is_over.is_set() or pongs < len(sent_s):
        piece = rest + program.read()
        whole, newline, rest = piece.rpartition(b"\n")
        now_s = time.perf_counter()
        if not newline:
            continue
        closed += whole.count(CLOSED)
        for _ in range(whole.count(PONG)):
            worst_s = max(worst_s, now_s - sent_s[pongs])
            pongs += 1
        if closed == CROWD and not is_over.is_set() and pongs:
            closed_at_s = now_s
            is_over.set()
            pinging.join()
    return CROWD / (closed_at_s - began_s), worst_s * 1000


def kept(_: Place) -> Iterator[Sample]:
    """Measure the memory of a session, and what a join costs, in this very process."""
    line = json.dumps(entries()).encode()
    tracemalloc.start()
    held = orjson.loads(line)
    used, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    yield "session bytes", "floor", used / len(held)
    yield "session bytes", "source", _bytes_each()
    yield "join cpu", "floor", sessions.floor_s() * 1e6
    ((joined_s, _left_s),) = sessions.join_and_leave_s(CROWD)
    yield "join cpu", "source", joined_s * 1e6


def _bytes_each() -> float:
    """Memory of a session that was told, with its bytes where these are kept."""
    gc.collect()
    tracemalloc.start()
    registry = sessions.filled(CROWD)
    for session in registry.listed():
        encode_notification(SessionCreated(session, 1, "epoch"))
    used, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(registry)


CROWDS: tuple[Act, ...] = (
    crowd("floor", FLOOR),
    crowd("source", SOURCE),
    crowd("frozen", FROZEN),
)
KEPT: tuple[Act, ...] = (kept,)
