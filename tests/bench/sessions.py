"""What the registry costs: at ten and at ten thousand open sessions.

`python -m tests.bench.sessions` prints each figure and its ratio to the floor of the same run,
since machines differ and ratios less so. Asserts nothing.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sidecar.core.contract.messages import AgentSession, ResumedSession, SessionCreated, SessionList
from sidecar.core.facts import DisconnectReason, Joined, Moment, Participant
from sidecar.core.registry.changes import Created
from sidecar.core.registry.pages import page
from sidecar.core.registry.resumption import Inheritance, resumed_sessions
from sidecar.core.registry.sessions import Sessions
from sidecar.rpc.jsonrpc import Dispatcher, encode_notification, size_bytes

FEW = 10
MANY = 10_000
ROUNDS = 2_000
REPEATS = 7
WALL_MS = 1_800_000_000_000
_ROOM = "room"
_cpu_s = time.thread_time
"""Seconds of this thread's own: another's share of the machine is no cost of ours."""


@dataclass(frozen=True)
class Figure:
    """One measurement; `per` is what it is divided by to be one of `unit`."""

    name: str
    seconds: float
    floor_s: float

    def line(self) -> str:
        """The figure and its ratio."""
        return f"{self.name:<52} {_shown(self.seconds):>10}  {self.seconds / self.floor_s:10.1f} x"


def person(number: int) -> Participant:
    """A person of the size that LiveKit's own pages make them."""
    return Participant(
        sid=f"PA_{number:012d}",
        identity=f"person-{number}",
        name=f"Person {number}",
        joined_at_ms=WALL_MS + number,
        metadata='{"lang": "en", "plan": "pro"}',
        attributes={"lk.agent.state": "listening", "theme": "dark"},
    )


def filled(count: int) -> Sessions:
    """A registry with *count* open sessions and the link up."""
    sessions = Sessions()
    people = [person(number) for number in range(count)]
    sessions.joined(Joined(_ROOM, "agent", ()), _at(0.0))
    sessions.snapshot(people, _at(0.0))
    return sessions


def join_and_leave_s(*counts: int) -> list[tuple[float, float]]:
    """For each of *counts* open sessions: seconds of one join, and of one leave.

    The sizes take turns, so that what else the machine does meets them alike.
    """
    registries = [filled(count) for count in counts]
    newcomers = itertools.count(MANY)
    best = [(float("inf"), float("inf")) for _ in counts]
    for at_s in range(REPEATS):
        for index, sessions in enumerate(registries):
            joined_s, left_s = _round_s(
                sessions, [person(next(newcomers)) for _ in range(ROUNDS)], at_s
            )
            best[index] = min(best[index][0], joined_s), min(best[index][1], left_s)
    return best


def _round_s(
    sessions: Sessions, people: list[Participant], round_number: int
) -> tuple[float, float]:
    joined_s = left_s = 0.0
    for number, someone in enumerate(people):
        at = _at(round_number * ROUNDS + number)
        began_s = _cpu_s()
        sessions.seen(someone, at)
        sessions.deadline()
        between_s = _cpu_s()
        sessions.left(someone.sid, DisconnectReason.CLIENT_INITIATED, at)
        sessions.deadline()
        joined_s += between_s - began_s
        left_s += _cpu_s() - between_s
    return joined_s / ROUNDS, left_s / ROUNDS


def memory_bytes(count: int) -> float:
    """Bytes that one of *count* open sessions takes, what LiveKit told of the person included."""
    gc.collect()
    tracemalloc.start()
    sessions = filled(count)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(sessions)


def best_s(act: Callable[[], object], prepare: Callable[[], None] = lambda: None) -> float:
    """The shortest of some runs of *act*, seconds."""
    times = []
    for _ in range(REPEATS):
        prepare()
        began_s = _cpu_s()
        act()
        times.append(_cpu_s() - began_s)
    return min(times)


def floor_s() -> float:
    """Seconds of one created message as a frozen copy and its bytes: what no registry can save."""
    sessions = Sessions()
    sessions.joined(Joined(_ROOM, "agent", ()), _at(0.0))
    sessions.snapshot([], _at(0.0))
    change = sessions.seen(person(0), _at(1.0))[0]
    assert isinstance(change, Created)
    times = []
    for _ in range(REPEATS):
        began_s = _cpu_s()
        for _ in range(ROUNDS):
            encode_notification(SessionCreated(replace(change.session), 1, "epoch"))
        times.append((_cpu_s() - began_s) / ROUNDS)
    return min(times)


def _resumable(sessions: tuple[AgentSession, ...]) -> tuple[ResumedSession, ...]:
    return tuple(
        ResumedSession(
            each.session_id,
            each.participant_id,
            each.participant_sid,
            each.room_name,
            each.start_time,
            each.message_count,
        )
        for each in sessions
    )


def _at(attended_s: float) -> Moment:
    steady_ms = int(attended_s * 1000)
    return Moment(attended_s, WALL_MS + steady_ms, steady_ms)


def _shown(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"


def main() -> None:
    """Measure and print."""
    for line in measured():
        print(line, flush=True)


def measured() -> Iterator[str]:
    """The figures, line by line."""
    floor = floor_s()
    yield f"floor: one session-created as bytes, {_shown(floor)}"
    yield f"{'':<52} {'':>10}  {'of the floor':>12}"
    (few_join, few_leave), (many_join, many_leave) = join_and_leave_s(FEW, MANY)
    for name, seconds in (
        (f"a join at {FEW} open sessions", few_join),
        (f"a join at {MANY}", many_join),
        (f"a leave at {FEW}", few_leave),
        (f"a leave at {MANY}", many_leave),
    ):
        yield Figure(name, seconds, floor).line()
    ratios = f"join {many_join / few_join:.2f}, leave {many_leave / few_leave:.2f}"
    yield f"ratio of {MANY} to {FEW}: {ratios}"

    sessions = filled(MANY)
    listed = sessions.listed()
    people = [person(number) for number in range(MANY)]
    entries = _resumable(listed)
    resumed: list[Sessions] = []

    def resume() -> None:
        resumed[-1].resume(Inheritance(resumed_sessions(entries)), _at(0.0))

    def outage() -> None:
        sessions.link_lost(0, _at(1.0))
        sessions.snapshot(people, _at(2.0))

    lines: list[bytes] = []
    listing = Dispatcher(
        {
            "listSessions": lambda: SessionList(
                page(sessions.numbered(), None, size_bytes)[0], 1, "epoch"
            )
        },
        lines.append,
    )

    def encode() -> bytes:
        listing.receive(b'{"jsonrpc":"2.0","id":1,"method":"listSessions"}')
        return lines.pop()

    one_s = MANY * floor
    yield ""
    yield f"of {MANY} sessions at once, against {MANY} floors ({_shown(one_s)})"
    yield Figure("resume", best_s(resume, lambda: resumed.append(Sessions())), one_s).line()
    yield Figure("listSessions, encoded", best_s(encode), one_s).line()
    yield Figure("link_lost and a snapshot with all of them", best_s(outage), one_s).line()
    yield f"listSessions: {len(encode()) / 2**20:.1f} MiB of the 16 MiB that a line may have"
    per = [memory_bytes(MANY) for _ in range(3)]
    yield f"memory: {statistics.median(per):.0f} bytes a session ({MANY} open)"


if __name__ == "__main__":
    main()
