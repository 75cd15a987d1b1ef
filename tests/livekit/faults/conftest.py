"""The lanes that the rows of the fault matrix run in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.frozen_build import frozen_sidecar, why_no_build
from tests.livekit.faults.rows import LANES, Matrix, ended_after_s, selected, took


@pytest.fixture(scope="session")
def lanes() -> asyncio.Semaphore:
    """The lanes of all rows, whatever they run on."""
    return asyncio.Semaphore(LANES)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def matrix(
    request: pytest.FixtureRequest,
    server_binary: Path,
    source_command: list[str],
    lanes: asyncio.Semaphore,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matrix]:
    """The selected rows, on the source."""
    rows = selected(request.session.items, "source")
    folder = tmp_path_factory.mktemp("rows")
    running = Matrix(server_binary, source_command, folder, lanes, rows)
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def frozen_matrix(
    request: pytest.FixtureRequest,
    server_binary: Path,
    lanes: asyncio.Semaphore,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matrix]:
    """The selected rows, on the frozen sidecar."""
    if why_no_build() is None:
        await asyncio.to_thread(frozen_sidecar)  # which must not block the others' loop
    command: list[str] = request.getfixturevalue("frozen_command")
    rows = selected(request.session.items, "frozen")
    running = Matrix(server_binary, command, tmp_path_factory.mktemp("frozen"), lanes, rows)
    yield running
    await running.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the rows took, the longest first."""
    if took:
        seconds = sum(each for each, _ in took)
        terminalreporter.section(f"{len(took)} rows, {seconds:.0f} s, {LANES} at a time")
        for took_s, name in sorted(took, reverse=True):
            if took_s > 30.0 or terminalreporter.verbosity > 0:
                terminalreporter.write_line(f"{took_s:6.1f} s  {name}")
    if ended_after_s:
        longest_s = max(ended_after_s)
        terminalreporter.write_line(
            f"{len(ended_after_s)} ends of the process, the longest {longest_s:.2f} s"
        )
