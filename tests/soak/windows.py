"""When the agent was in the room and could hear, as intervals of time.

Pure. An interval is (from, to) in seconds; lists of them are in order and do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.soak.hearing import AgentState
from tests.soak.ledger import Fault

SETTLE_S = 1.0
"""After a fault that the agent did not notice, until what was held back has arrived."""
STRANDED_S = 25.0
"""After a deletion of the room. The server (pkg/service/roommanager.go, deleteRoom) takes the room
that was made meanwhile off its list as well: who is in that one, the agent perhaps, hears nobody
who comes later, until three polls of the server's list have told, 5 s apart."""

Window = tuple[float, float]


def connected(states: Sequence[AgentState], until_s: float) -> list[Window]:
    """When the agent said that it was connected."""
    ends = [state.at_s for state in states[1:]] + [until_s]
    spans = zip(states, ends, strict=True)
    return [(state.at_s, end_s) for state, end_s in spans if state.state == "connected"]


def without(windows: Iterable[Window], holes: Iterable[Window]) -> list[Window]:
    """*windows* less *holes*."""
    left = list(windows)
    for from_s, to_s in holes:
        left = [
            part
            for a_s, b_s in left
            for part in ((a_s, min(b_s, from_s)), (max(a_s, to_s), b_s))
            if part[0] < part[1]
        ]
    return left


def hearing(windows: Iterable[Window], faults: Iterable[Fault]) -> list[Window]:
    """*windows* less the faults that keep news from the agent."""
    holes = [(each.began_s, each.ended_s + _settle_s(each)) for each in faults if each.deafens]
    return without(windows, holes)


def _settle_s(fault: Fault) -> float:
    return STRANDED_S if fault.kind == "room deleted" else SETTLE_S


def overlap_s(window: Window, from_s: float, to_s: float) -> float:
    """Seconds that *window* has of the time between the two."""
    return max(0.0, min(window[1], to_s) - max(window[0], from_s))


def longest_s(windows: Iterable[Window], from_s: float, to_s: float) -> float:
    """The longest piece of *windows* between the two, seconds."""
    return max((overlap_s(each, from_s, to_s) for each in windows), default=0.0)


def total_s(windows: Iterable[Window], from_s: float, to_s: float) -> float:
    """All of *windows* between the two, seconds."""
    return sum(overlap_s(each, from_s, to_s) for each in windows)


def covers(windows: Iterable[Window], from_s: float, to_s: float) -> bool:
    """Whether one window holds all the time between the two."""
    return any(a_s <= from_s and to_s <= b_s for a_s, b_s in windows)


def longest_gap_s(windows: Sequence[Window], from_s: float, to_s: float) -> float:
    """The longest time between two windows, or since the last one, that touches the given time."""
    if not windows:
        return 0.0
    ends = [b_s for _, b_s in windows]
    begins = [a_s for a_s, _ in windows[1:]] + [float("inf")]
    gaps = zip(ends, begins, strict=True)
    return max((min(b, to_s) - a for a, b in gaps if b >= from_s and a <= to_s), default=0.0)
