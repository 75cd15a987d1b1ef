"""What holds for every test: no configuration from outside, real parts, an honest last line.

Owns the environment of the suite, the choice and the order of the tests, the suite's account of
itself, and the fixtures of the real parts that several folders use: livekit-server, Node, and the
sidecar's command as source and frozen.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.dev.server import DevServer
from sidecar.dev.server_build import ServerMissing, find_server
from sidecar.dev.toolchain import ToolMissing, find
from sidecar.rtc.interfaces import has_interface_beside_loopback
from tests import parts
from tests.ahead import WORKS, Ahead, works_for
from tests.frozen_build import frozen_sidecar, why_no_build

# For the server's fixture, which is the one that may use it.
GIVEN_LIVEKIT_SERVER = os.environ.get("LIVEKIT_SERVER")

for _name in list(os.environ):
    # The SDK honours this proxy even for a server on this machine.
    if _name.upper().startswith("LIVEKIT_") or _name.upper() == "HTTP_PROXY":
        del os.environ[_name]

_status = pytest.StashKey[int]()
_left_out = pytest.StashKey[int]()
_ahead = pytest.StashKey[Ahead]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --full."""
    parser.addoption("--full", action="store_true", help="run every row, in up to half an hour")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the rows of --full out, and put what needs a build behind what needs none.

    Whoever asks for more gets it: by --full, by `-m`, or by the very name of a test.
    """
    named = any("::" in argument for argument in config.args)
    if not (config.getoption("--full") or config.getoption("markexpr") or named):
        full = [item for item in items if item.get_closest_marker("full")]
        config.stash[_left_out] = len(full)
        if full:
            config.hook.pytest_deselected(items=full)
            items[:] = [item for item in items if not item.get_closest_marker("full")]
    items.sort(key=lambda item: max((WORKS.index(work) + 1 for work in works_for(item)), default=0))


def pytest_runtestloop(session: pytest.Session) -> None:
    """Begin what takes long to make, beside the first tests."""
    if session.config.getoption("collectonly"):
        return
    ahead = session.config.stash[_ahead] = Ahead()
    for work in sorted(set().union(*map(works_for, session.items)), key=WORKS.index):
        ahead.begin(work)


@pytest.fixture(scope="session", autouse=True)
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run everything in an empty folder, so that no `.env` of anybody's is read."""
    before = Path.cwd()
    folder = tmp_path_factory.mktemp("empty")
    os.chdir(folder)
    yield folder
    os.chdir(before)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the status for pytest_unconfigure, and end what nobody waits for any more."""
    session.config.stash[_status] = int(exitstatus)
    if _ahead in session.config.stash:
        session.config.stash[_ahead].stop()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the last lines what did not run; then end the process in the way that never aborts."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and _status in config.stash:
        for line in parts.account(config.stash.get(_left_out, 0)):
            reporter.write_line(line)
    if "livekit.rtc" in sys.modules and _status in config.stash:
        # A normal interpreter exit after livekit.rtc was used aborts in 2 to 5 % of runs.
        from sidecar.dev.person import end_process

        end_process(config.stash[_status])


@pytest.fixture(scope="session")
def ahead(pytestconfig: pytest.Config) -> Ahead:
    """What was begun ahead."""
    return pytestconfig.stash[_ahead]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server_binary(pytestconfig: pytest.Config, ahead: Ahead) -> Path:
    """The livekit-server to run, built on first use (1 to 3 minutes from nothing)."""
    await asyncio.to_thread(ahead.ended, "server")
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")

    def show(line: str) -> None:
        if reporter is not None:
            reporter.write_line(line)

    try:
        binary = await find_server(show, given=GIVEN_LIVEKIT_SERVER)
    except ServerMissing as error:
        parts.require("livekit-server", str(error))
        raise
    if not has_interface_beside_loopback():
        parts.require("livekit-server", "only loopback is up; bring up any other interface")
    parts.require("livekit-server", None)
    return binary


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(server_binary: Path) -> AsyncIterator[DevServer]:
    """The suite's one real LiveKit server. Take a room of your own; never stop this server.

    Who kills, freezes or configures one makes it: `async with DevServer(server_binary, ...)`.
    """
    async with DevServer(server_binary) as running:
        yield running


@pytest.fixture(scope="session")
def node() -> Path:
    """Node 20 or newer, from PATH or from PyPI."""
    try:
        program = find("node")
    except ToolMissing as error:
        parts.require("node", str(error))
        raise
    parts.require("node", None)
    return program


@pytest.fixture(scope="session")
def source_command() -> list[str]:
    """The command of the sidecar's source."""
    return [sys.executable, "-m", "sidecar"]


@pytest.fixture(scope="session")
def frozen_command(ahead: Ahead) -> list[str]:
    """The command of the frozen sidecar, built now unless it is there and of these sources."""
    parts.require("frozen sidecar", why_no_build())
    ahead.ended("frozen")
    return [str(frozen_sidecar())]


@pytest.fixture(scope="session", params=["source", "frozen"])
def sidecar_command(request: pytest.FixtureRequest) -> list[str]:
    """The command of the sidecar, once as source and once frozen."""
    command: list[str] = request.getfixturevalue(f"{request.param}_command")
    return command
