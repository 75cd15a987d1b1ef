"""How rows run: four at a time, each on a stage of its own, each its own test.

Owns the lanes. All rows that were selected begin with the first; each test then waits for its own.
Knows nothing of what a row does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from tests.livekit.faults.stage import Stage

LANES = 4
ROW_LIMIT_S = 240.0
"""Few rows take half of this; one that hangs must not hold the others."""

Body = Callable[[Stage], Awaitable[None]]
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


Test = Callable[[Matrix], Awaitable[None]]
Marked = TypeVar("Marked", bound=Callable[..., Awaitable[None]])
took: list[tuple[float, str]] = []
"""(seconds, name) of each row that has ended, for the account at the end of the run."""
ended_after_s: list[float] = []
"""Of each end of test_many_ends.py, likewise."""
_ROWS: dict[object, tuple[Row, Command]] = {}


def row(body: Body) -> Test:
    """Make *body* a test of its own that runs beside others."""
    return _as_test(Row(body), "source")


def row_within(limit_s: float) -> Callable[[Body], Test]:
    """As `row`, for one that may take longer than others."""
    return lambda body: _as_test(Row(body, limit_s), "source")


def on_frozen(test: Test) -> Test:
    """The same row on the frozen sidecar; one of --full stays one."""
    return _as_test(row_of(test), "frozen", getattr(test, "pytestmark", []))


def row_of(test: object) -> Row:
    """The row behind a test."""
    return _ROWS[test][0]


def selected(items: Iterable[pytest.Item], command: Command) -> list[Row]:
    """The rows on *command* among collected tests."""
    found = [_ROWS.get(getattr(item, "obj", None)) for item in items]
    return [each[0] for each in found if each is not None and each[1] == command]


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
