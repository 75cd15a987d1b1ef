"""sidecar.exe, driven over its pipes by the very tests that drive the sidecar on Linux.

The tests' own process is Linux: it sends the lines, runs livekit-server and brings the people.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from tests.livekit.stdio import closes, connect_params
from tests.windows.conftest import given, in_repository, passed, run
from tests.windows.prepare import Windows

pytestmark = pytest.mark.full

CONNECTED_WITHIN_S = 60.0
OVER_PIPES = [
    f"tests/rpc/test_{name}.py"
    for name in "process client_requests contract typed broken_pipes".split()
]
NOT_UNDER_WINE = {
    "signal_ends_it or every_way_at_once or SIGTERM": "Windows has no such signals but Ctrl-C",
    "parent_pid or named_as_its_parent": "Windows does not know the pids of Linux",
    "parent_was_killed": "Wine keeps the pipe that proves it: test_windows_node.py has that row",
    "without_stdin or nowhere or stderr": "Wine makes a broken handle of a closed one of Linux",
}
"""Words in the names of tests that cannot run here: why."""
IN_A_ROOM = [
    "tests/livekit/test_first_light.py",
    "tests/livekit/test_people.py::test_two_people_at_once_have_a_session_each_and_end_apart",
    "tests/livekit/test_client_requests.py::"
    "test_who_leaves_during_a_restart_is_closed_with_all_that_was_known_of_them",
    "tests/livekit/test_failures.py::test_no_token_and_no_secret_is_ever_shown",
]


def test_it_answers_and_ends_as_on_linux(machine: Windows, sidecar_exe: Path) -> None:
    words = " and ".join(["given", *(f"not ({word})" for word in NOT_UNDER_WINE)])
    command = [sys.executable, "-m", "pytest", "-q", "-k", words, *OVER_PIPES]
    assert passed(run(machine, command, given(machine, sidecar_exe))) >= 25


def test_it_joins_a_room_and_tells_who_comes_and_goes(machine: Windows, sidecar_exe: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-k", "given", "--full", *IN_A_ROOM]
    assert passed(run(machine, command, given(machine, sidecar_exe))) == 5


async def test_a_ctrl_c_in_its_console_closes_its_sessions_and_ends_it_with_0(
    machine: Windows,
    sidecar_exe: Path,
    server: DevServer,
    room: str,
    person: Callable[[str], Person],
) -> None:
    command = machine.in_console(sidecar_exe, "--wait")
    async with SidecarClient(command, env=in_repository(machine)) as sidecar:
        await sidecar.call("connect", connect_params(server, room), timeout_s=CONNECTED_WITHIN_S)
        await person("zoe").join()
        await sidecar.notified("session-created", timeout_s=CONNECTED_WITHIN_S)
        os.kill(sidecar.pid, signal.SIGINT)
        assert await sidecar.wait(timeout_s=CONNECTED_WITHIN_S) == 0
        assert closes(sidecar) == [("zoe", "sidecar-shutdown")]
