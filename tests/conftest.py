"""What holds for every test: no configuration from outside, real parts, an honest last line.

Owns the environment of the suite, the choice and the order of the tests, the suite's account of
itself, and the fixtures of the real parts that several folders use: livekit-server, Node, and the
sidecar's command as source and frozen.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from sidecar.dev.server import DevServer
from sidecar.dev.server_build import ServerMissing, find_server
from sidecar.dev.toolchain import ToolMissing, find
from sidecar.rtc.interfaces import has_interface_beside_loopback
from tests import parts
from tests.ahead import WORKS, Ahead, works_for
from tests.frozen_build import frozen_sidecar, why_no_build

# For the server's fixture, which is the one that may use it.
GIVEN_LIVEKIT_SERVER = os.environ.get("LIVEKIT_SERVER")

GIVEN_COMMAND = shlex.split(os.environ.get("SIDECAR_COMMAND", ""))
"""Another sidecar than that of these sources, to run the tests of `sidecar_command` with."""

for _name in list(os.environ):
    # The SDK honours this proxy even for a server on this machine.
    if _name.upper().startswith("LIVEKIT_") or _name.upper() == "HTTP_PROXY":
        del os.environ[_name]

pytest_plugins = ["tests.examples"]

GIVEN = "livekit_server"
HASH_SEED = "PYTHONHASHSEED"
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop(HASH_SEED, None)  # the sidecars' are their own
PROCESSES = 3
"""For two cores: most tests wait most of the time."""
FROZEN_ALWAYS = {"test_first_light", "test_clean_ends"}
"""Their rows of `sidecar_command` run frozen without --full too: start, join, leave and end."""
T = TypeVar("T")

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
        full = [item for item in items if _is_full(item)]
        config.stash[_left_out] = len(full)
        if full:
            config.hook.pytest_deselected(items=full)
            items[:] = [item for item in items if not _is_full(item)]
    items.sort(key=lambda item: (_rank(item), not _is_fault(item.nodeid)))


def _is_full(item: pytest.Item) -> bool:
    """Tell whether a test runs with --full alone: it is marked, or repeats a law frozen."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    is_repeated = params.get("sidecar_command") == "frozen" and item.path.stem not in FROZEN_ALWAYS
    return is_repeated or item.get_closest_marker("full") is not None


def _rank(item: pytest.Item) -> int:
    """Tell how late a test is to run: behind what needs no build."""
    return max((WORKS.index(work) + 1 for work in works_for(item)), default=0)


def _is_fault(nodeid: str) -> bool:
    """Tell whether a test is a row of the fault matrix."""
    return nodeid.startswith("tests/livekit/faults/")


class _Groups(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each process whole groups of tests.

    All rows of the fault matrix are one group: one process has all their lanes. The tests of a file
    are one group, and its tests of the frozen build another. The mark `xdist_group` does nothing:
    pytest-xdist 3.8.0 writes it into a member that pytest 9.2 does not read.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Name the group of a test."""
        if _is_fault(nodeid):
            return "faults"
        if nodeid.startswith("tests/windows/"):
            return "windows"  # they share Wine's one prefix
        path, _, test = nodeid.partition("::")
        return f"{path} frozen" if "frozen" in test else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Groups:
    """Schedule by groups."""
    return _Groups(config, log)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run all tests in several processes, and those that are named in this one."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    os.environ[HASH_SEED] = "0"  # all processes must find the same tests, also those made of sets
    return PROCESSES


def pytest_configure_node(node: WorkerController) -> None:
    """Tell another process what the environment said before it was emptied."""
    node.workerinput[GIVEN] = GIVEN_LIVEKIT_SERVER


def _from_controller(config: pytest.Config, name: str, otherwise: T) -> T:
    """Give what the first process told this one; `otherwise` where this is the first."""
    told: dict[str, T] = getattr(config, "workerinput", {})
    return told.get(name, otherwise)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Begin what takes long to make, beside the first tests, in one of the processes.

    First of all: pytest-xdist's own loop is registered later, and ends the call of this hook.
    """
    is_first = _from_controller(session.config, "workerid", "gw0") == "gw0"
    if session.config.getoption("collectonly") or not is_first:
        return
    ahead = session.config.stash[_ahead] = Ahead()
    for work in sorted(set().union(*map(works_for, session.items))):
        ahead.begin(work)


def pytest_testnodedown(node: WorkerController) -> None:
    """Take over the account of another process."""
    told = getattr(node, "workeroutput", {})
    parts.ran.update(dict.fromkeys(told.get("ran", ())))
    parts.not_run.update(told.get("not_run", {}))
    node.config.stash[_left_out] = told.get("left_out", 0)


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
    if hasattr(session.config, "workeroutput"):
        left_out = session.config.stash.get(_left_out, 0)
        account = {"ran": list(parts.ran), "not_run": parts.not_run, "left_out": left_out}
        session.config.workeroutput.update(account)


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server_binary(pytestconfig: pytest.Config) -> Path:
    """The livekit-server to run, built on first use (1 to 3 minutes from nothing)."""
    reporter = pytestconfig.pluginmanager.get_plugin("terminalreporter")

    def show(line: str) -> None:
        if reporter is not None:
            reporter.write_line(line)

    try:
        given = _from_controller(pytestconfig, GIVEN, GIVEN_LIVEKIT_SERVER)
        binary = await find_server(show, given=given)
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
    # A given sidecar may run under Wine, whose UDP does not reach loopback.
    async with DevServer(server_binary, ice_tcp=bool(GIVEN_COMMAND)) as running:
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
def frozen_command() -> list[str]:
    """The command of the frozen sidecar, built now unless it is there and of these sources."""
    parts.require("frozen sidecar", why_no_build())
    return [str(frozen_sidecar())]


@pytest.fixture(scope="session", params=["given"] if GIVEN_COMMAND else ["source", "frozen"])
def sidecar_command(request: pytest.FixtureRequest) -> list[str]:
    """The command of the sidecar: $SIDECAR_COMMAND, else once as source and once frozen."""
    if GIVEN_COMMAND:
        return GIVEN_COMMAND
    command: list[str] = request.getfixturevalue(f"{request.param}_command")
    return command
