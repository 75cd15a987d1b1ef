"""How rows run: four at a time, each on a stage of its own, each its own test.

Owns the lanes. All rows that were selected begin with the first; each test then waits for its own.
Knows nothing of what a row does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from tests.livekit.faults.stage import Stage

LANES = 4
ROW_LIMIT_S = 240.0
"""Few rows take half of this; one that hangs must not hold the others."""

Body = Callable[[Stage], Awaitable[None]]
Case = TypeVar("Case")
CaseBody = Callable[[Stage, Case], Awaitable[None]]
Command = Literal["source", "frozen"]
Reached = frozenset[tuple[str, str | None]]
"""(reason, detail) of what closed."""


@dataclass(frozen=True)
class Row:
    """What a row does, and how long it may take."""

    body: Body
    limit_s: float = ROW_LIMIT_S


class Matrix:
    """The rows of one command, begun together."""

    def __init__(
        self,
        binary: Path,
        command: list[str],
        folder: Path,
        lanes: asyncio.Semaphore,
        rows: Iterable[Row],
    ) -> None:
        """Begin; inside the running loop."""
        self._lanes = lanes
        self._binary = binary
        self._command = command
        self._folder = folder
        self._running: dict[Row, asyncio.Task[Reached]] = {}
        for each in rows:
            self._begin(each)

    async def outcome(self, wanted: Row) -> Reached:
        """Wait for a row, which begins now unless it did; raises what it raised."""
        if wanted not in self._running:
            self._begin(wanted)
        return await asyncio.shield(self._running[wanted])

    async def stop(self) -> None:
        """End the rows that nobody waited for."""
        for running in self._running.values():
            running.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _begin(self, begun: Row) -> None:
        folder = self._folder / str(len(self._running))
        folder.mkdir()
        self._running[begun] = asyncio.create_task(self._run(begun, folder))

    async def _run(self, running: Row, folder: Path) -> Reached:
        async with self._lanes, asyncio.timeout(running.limit_s):
            began_s = asyncio.get_running_loop().time()
            try:
                async with Stage(self._binary, self._command, folder) as stage:
                    await _first_of(self._judged(running.body, stage), stage.broken)
                    return stage.reached()
            finally:
                took_s = asyncio.get_running_loop().time() - began_s
                took.append((took_s, getattr(running.body, "__name__", "row")))

    async def _judged(self, body: Body, stage: Stage) -> None:
        try:
            await body(stage)
            await stage.judge()
        except BaseException as error:
            error.add_note(await stage.story())
            raise


Test = Callable[..., Awaitable[None]]
Marked = TypeVar("Marked", bound=Callable[..., Awaitable[None]])
took: list[tuple[float, str]] = []
"""(seconds, name) of each row that has ended, for the account at the end of the run."""
ended_after_s: list[float] = []
"""Of each end of test_many_ends.py, likewise."""
_ROWS: dict[object, tuple[Row, Command]] = {}
"""By the test, and by (test, id of its case) where a test is of many rows."""


def row(body: Body) -> Test:
    """Make *body* a test of its own that runs beside others."""
    return _as_test(Row(body), "source")


def row_within(limit_s: float) -> Callable[[Body], Test]:
    """As `row`, for one that may take longer than others."""
    return lambda body: _as_test(Row(body, limit_s), "source")


def rows_of(cases: Mapping[str, Case], *, by_default: str) -> Callable[[CaseBody[Case]], Test]:
    """Make a test of one row for each case, by its name; all but one are run with --full alone."""

    def as_test(body: CaseBody[Case]) -> Test:
        async def on_source_lanes(matrix: Matrix, case: str) -> None:
            await matrix.outcome(row_of(test, case))

        params = [
            pytest.param(name, marks=() if name == by_default else pytest.mark.full)
            for name in cases
        ]
        on_source_lanes.__name__ = getattr(body, "__name__", "rows")
        on_source_lanes.__doc__, on_source_lanes.__module__ = body.__doc__, body.__module__
        test: Test = on_lanes(pytest.mark.parametrize("case", params)(on_source_lanes))
        for name, case in cases.items():
            _ROWS[test, name] = (Row(_with(body, name, case)), "source")
        return test

    return as_test


def _with(body: CaseBody[Case], name: str, case: Case) -> Body:
    async def row_body(stage: Stage) -> None:
        await body(stage, case)

    row_body.__name__ = f"{getattr(body, '__name__', 'rows')}[{name}]"
    row_body.__doc__, row_body.__module__ = body.__doc__, body.__module__
    return row_body


def on_frozen(test: Test, case: str | None = None) -> Test:
    """The same row on the frozen sidecar; one of --full stays one."""
    marks = () if case is not None else getattr(test, "pytestmark", ())
    return _as_test(row_of(test, case), "frozen", marks)


def row_of(test: object, case: str | None = None) -> Row:
    """The row behind a test; *case* names which, where it has many."""
    return _ROWS[test if case is None else (test, case)][0]


def selected(items: Iterable[pytest.Item], command: Command) -> list[Row]:
    """The rows on *command* among collected tests."""
    found = [_ROWS.get(_key(item)) for item in items]
    return [each[0] for each in found if each is not None and each[1] == command]


def _key(item: pytest.Item) -> object:
    test, called = getattr(item, "obj", None), getattr(item, "callspec", None)
    return test if called is None else (test, called.params.get("case"))


def on_lanes(test: Marked) -> Marked:
    """Run *test* on the lanes' loop."""
    # The SDK asserts in a finaliser that the native layer still has what it drops.
    ignored = "ignore:Exception ignored in. <function FfiHandle.__del__"
    quiet = pytest.mark.filterwarnings(f"{ignored}:pytest.PytestUnraisableExceptionWarning")
    marked: Marked = quiet(pytest.mark.asyncio(loop_scope="session")(test))
    return marked


def _as_test(tested: Row, command: Command, marks: Iterable[pytest.Mark] = ()) -> Test:
    async def on_source_lanes(matrix: Matrix) -> None:
        await matrix.outcome(tested)

    async def on_frozen_lanes(frozen_matrix: Matrix) -> None:
        await frozen_matrix.outcome(tested)

    test: Test = on_frozen_lanes if command == "frozen" else on_source_lanes
    test.__name__ = getattr(tested.body, "__name__", "row")
    test.__doc__ = tested.body.__doc__
    test.__module__ = tested.body.__module__
    _ROWS[test] = (tested, command)
    if any(mark.name == "full" for mark in marks):
        test = pytest.mark.full(test)
    return on_lanes(test)


async def _first_of(body: Awaitable[None], broken: asyncio.Future[None]) -> None:
    """Run *body*, unless *broken* fails before it ends."""
    running = asyncio.ensure_future(body)
    await asyncio.wait({running, broken}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        running.cancel()
        await asyncio.wait({running})
        broken.result()
    running.result()
