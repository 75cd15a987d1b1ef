"""The table of all figures: what each is, its unit and goal, its floor and its peer.

`docs/bench.md` shows it. A contest measures some of them in turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench import app, bridge, crowd, heard, room, start
from tests.bench.samples import Act

OURS = ("source", "frozen")
COLUMNS = (*OURS, "floor", "peer")


@dataclass(frozen=True)
class Goal:
    """`times` the median of the column `of`, and `plus`; without `of` a plain number."""

    plus: float = 0.0
    of: str | None = None
    times: float = 1.0

    def limit(self, medians: Mapping[str, float]) -> float | None:
        """Give the number to reach; None where the column was not measured."""
        if self.of is None:
            return self.plus
        return medians[self.of] * self.times + self.plus if self.of in medians else None

    def words(self) -> str:
        """Say it."""
        if self.of is None:
            return f"{self.plus:g}"
        times = "" if self.times == 1 else f"{self.times:g} x "
        return f"{times}{self.of}{f' + {self.plus:g}' if self.plus else ''}"


@dataclass(frozen=True)
class Figure:
    """One row. `floor` and `peer` say what these are; empty where there is none."""

    key: str
    what: str
    unit: str
    goal: Goal
    floor: str = ""
    peer: str = ""
    more_is_better: bool = False
    waited_for: str = ""
    """What a user waits for here, for docs/delays.md; empty where it is nothing."""


@dataclass(frozen=True)
class Contest:
    """Acts that take turns; `rounds` of a whole run, `quick` of a quick one (0: left out)."""

    name: str
    acts: tuple[Act, ...]
    rounds: int
    quick: int
    warms: bool = True
    """Whether a first round does not count."""


def of_floor(times: float, plus: float = 0.0) -> Goal:
    """Make a goal beside the floor."""
    return Goal(plus, "floor", times)


_ASYNCIO = "a Python program of asyncio and orjson"
_RPC = "Node with vscode-jsonrpc"
_RAW = "an agent of `livekit.rtc` alone"
_RTC_NODE = "an agent of @livekit/rtc-node"
_READER = "Node that splits lines and parses JSON"
_IPC = "Electron's IPC alone, with the same event"

FIGURES = (
    Figure(
        "start",
        "start from source to the reply to `initialize`",
        "ms",
        of_floor(1.5),
        _ASYNCIO,
        _RPC,
        waited_for="the start of the sidecar, from source, until it answers",
    ),
    Figure(
        "start frozen",
        "start frozen to the reply to `initialize`",
        "ms",
        of_floor(2.5),
        "a trivial frozen program",
        _RPC,
        waited_for="the start of the frozen sidecar until it answers",
    ),
    Figure("start memory", "memory after it, from source", "MB", Goal(26), _ASYNCIO, _RPC),
    Figure(
        "start frozen memory",
        "memory after it, frozen",
        "MB",
        Goal(26),
        "a trivial frozen program",
        _RPC,
    ),
    Figure("ping", "`ping`, one core", "us", of_floor(1.7), _ASYNCIO, _RPC),
    Figure(
        "in flight",
        "256 `ping` in flight",
        "1/s",
        Goal(of="peer"),
        _ASYNCIO,
        _RPC,
        more_is_better=True,
    ),
    Figure(
        "first list",
        "the first `listSessions` of 10,000 after a crash",
        "ms",
        of_floor(4),
        _ASYNCIO,
    ),
    Figure("list", "each later `listSessions` of them", "ms", of_floor(1), _ASYNCIO),
    Figure(
        "close",
        "`session-closed` of 10,000, each with its log line",
        "1/s",
        of_floor(0.5),
        _ASYNCIO,
        more_is_better=True,
    ),
    Figure("worst ping", "the slowest `ping` meanwhile", "ms", Goal(25), _ASYNCIO),
    Figure("session bytes", "memory of a session", "bytes", Goal(1000), "its dict"),
    Figure(
        "join cpu",
        "CPU of a join at 10,000 open sessions, in the registry",
        "us",
        of_floor(4),
        "one `session-created` as a frozen copy and bytes",
    ),
    Figure(
        "join",
        "start to in the room",
        "ms",
        of_floor(1.1),
        _RAW,
        _RTC_NODE,
        waited_for="the start of the sidecar until the agent is in the room",
    ),
    Figure("room memory", "memory in the room", "MB", of_floor(1, 8), _RAW, _RTC_NODE),
    Figure("idle", "idle in the room", "% of a core", of_floor(1, 0.05), _RAW, _RTC_NODE),
    Figure(
        "news",
        "`session-created` of a join, after a raw agent heard of it",
        "ms",
        of_floor(1, 0.5),
        "another raw agent, the later of two",
        waited_for="`session-created`, after the server has told of a join",
    ),
    Figure("folder", "frozen folder", "MB", Goal(50), "a trivial frozen program", _RTC_NODE),
    Figure("require", "`require` of the bridge", "ms", Goal(20), "`require` of an empty file"),
    Figure("line to event", "a line to its event", "us", of_floor(1, 100), _READER),
    Figure(
        "notifications",
        "100,000 lines to their events",
        "1/s",
        of_floor(0.5),
        _READER,
        more_is_better=True,
    ),
    Figure("heap", "heap that 100,000 lines leave", "KB", Goal(500), _READER),
    Figure(
        "event to page",
        "an event to a page, and back",
        "ms",
        of_floor(1, 0.2),
        _IPC,
        waited_for="an event of a session, until a page has it and the app knows that",
    ),
    Figure(
        "page flood",
        "300 people announced at once, until a page has told of all",
        "ms",
        of_floor(3),
        _IPC,
        waited_for="300 people who join at once, until a page has told of all",
    ),
    Figure(
        "page reload",
        "a page reloads and has 1,000 sessions again",
        "ms",
        of_floor(1.2),
        _IPC,
        waited_for="a reloaded page, until it shows 1,000 sessions",
    ),
    Figure(
        "crash",
        "a crash to the sessions restored",
        "ms",
        of_floor(1.2),
        f"{_RAW}, started 0.5 s after its end",
        waited_for="a crash of the sidecar, until the sessions are as before",
    ),
    Figure(
        "stop",
        "`stop()` of a sidecar in a room",
        "ms",
        of_floor(1, 100),
        f"{_RAW} that leaves",
        waited_for="`stop()`, as at the end of the app",
    ),
    Figure(
        "demo",
        "`python -m sidecar demo` to its first line",
        "ms",
        Goal(1000),
        "Python that prints a line",
        waited_for="the demo's first line",
    ),
    Figure(
        "first paint",
        "the example's first paint",
        "ms",
        of_floor(1, 100),
        "an app of one empty page",
        waited_for="the example's window with its first paint",
    ),
    Figure(
        "voice delay",
        "sound, from the native library to a plug-in",
        "ms",
        of_floor(1, 5),
        "a raw script",
    ),
    Figure(
        "voice cpu", "ten people heard and answered", "% of a core", of_floor(1.3), "a raw script"
    ),
    Figure("voice memory", "memory for each of them", "MB", of_floor(1, 1), "a raw script"),
)

CONTESTS = (
    Contest("start", start.START, 9, 3),
    Contest("wire", start.WIRE, 4, 1),
    Contest("crowd", crowd.CROWDS, 5, 1, warms=False),
    Contest("kept", crowd.KEPT, 2, 1, warms=False),
    Contest("folder", (start.folders,), 1, 1, warms=False),
    Contest("room", room.ROOM, 7, 2),
    Contest("idle", room.IDLE, 2, 0, warms=False),
    Contest("news", room.NEWS, 3, 1, warms=False),
    Contest("require", bridge.REQUIRE, 9, 2),
    Contest("events", bridge.EVENTS, 6, 1, warms=False),
    Contest("heap", bridge.HEAP, 3, 1, warms=False),
    Contest("page", bridge.PAGE, 2, 1, warms=False),
    Contest("stop", bridge.STOP, 3, 1, warms=False),
    Contest("crash", bridge.CRASH, 3, 0, warms=False),
    Contest("demo", app.DEMO_LINE, 5, 1),
    Contest("paint", app.PAINT, 4, 1),
    Contest("voice", heard.SOUND, 1, 0, warms=False),
)
