"""The lanes that the rows of the fault matrix run in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.livekit.faults.rows import Matrix, selected


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def matrix(
    request: pytest.FixtureRequest,
    server_binary: Path,
    source_command: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matrix]:
    """The selected rows, on the source."""
    rows = selected(request.session.items, "source")
    running = Matrix(server_binary, source_command, tmp_path_factory.mktemp("rows"), rows)
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def frozen_matrix(
    request: pytest.FixtureRequest,
    server_binary: Path,
    matrix: Matrix,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Matrix]:
    """The selected rows, on the frozen sidecar, after the others."""
    await matrix.idle()  # the build blocks the loop for half a minute
    command: list[str] = request.getfixturevalue("frozen_command")
    rows = selected(request.session.items, "frozen")
    running = Matrix(server_binary, command, tmp_path_factory.mktemp("frozen"), rows)
    yield running
    await running.stop()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run by `.ci/run --full` alone, until each row has been seen to hold on an idle machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
