"""What takes long to make is begun ahead, beside the first tests, each work in its own process.

Owns those processes. Three works: livekit-server is built (1 to 3 minutes from nothing), the
sidecar is frozen (half a minute), the JavaScript tests run (half a minute, mostly waiting).
conftest.py begins what the selected tests need; the fixture or the test that needs it waits with
`ended(name)`. Nothing depends on it: a fixture makes what is not there.

`python -m tests.ahead server|frozen|javascript` does one work.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from sidecar.dev.server_build import find_server
from sidecar.dev.toolchain import ToolMissing, find
from tests.frozen_build import BuildFailed, frozen_sidecar, why_no_build

REPOSITORY = Path(__file__).resolve().parent.parent
JAVASCRIPT_TESTS = REPOSITORY / "tests" / "electron"
WORKS = ("javascript", "frozen", "server")
BUILDS_ARE_NICE = 10
"""The priority of builds: below that of the tests, some of which look at the clock."""
JAVASCRIPT_AT_ONCE = 4
"""Files of JavaScript tests at a time: they wait most of the time."""
JAVASCRIPT_TIMEOUT_S = 900.0
"""All of the JavaScript tests; they take half a minute on two cores, minutes when all is busy."""
STOP_WITHIN_S = 10.0
"""For a build to remove what it has half made."""


@dataclass(frozen=True)
class Ended:
    """How a work ended: its exit status and all that it said."""

    status: int
    said: str


class Ahead:
    """The works that were begun, by name."""

    def __init__(self) -> None:
        """Nothing is begun yet."""
        self._begun: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    def begin(self, work: str) -> None:
        """Begin one of WORKS, unless it is begun."""
        if work in self._begun:
            return
        output = tempfile.TemporaryFile()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.ahead", work],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        self._begun[work] = (process, output)

    def ended(self, work: str) -> Ended | None:
        """Wait for the end of a work; None when it was never begun."""
        if work not in self._begun:
            return None
        process, output = self._begun[work]
        status = process.wait()
        output.seek(0)
        return Ended(status, output.read().decode("utf-8", "replace"))

    def stop(self) -> None:
        """End what still runs, as Ctrl-C would."""
        running = [each for each, _ in self._begun.values() if each.poll() is None]
        for process in running:
            process.send_signal(signal.SIGINT if sys.platform != "win32" else signal.SIGTERM)
        for process in running:
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def works_for(item: pytest.Item) -> set[str]:
    """Name the works whose results a test uses."""
    names = set(getattr(item, "fixturenames", ()))
    params = getattr(getattr(item, "callspec", None), "params", {})
    names |= {each for each in params.values() if isinstance(each, str)}
    works = set()
    if names & {"server_binary", "real_server"}:
        works.add("server")
    if names & {"frozen_command", "frozen_matrix", "frozen"}:
        works.add("frozen")
    if item.name == "test_the_javascript_tests_pass":
        works.add("javascript")
    return works


def javascript_tests(node: Path) -> list[str]:
    """Give the command that runs all JavaScript tests."""
    # The list of files: `node --test <folder>` fails on Node 24, a quoted glob on Node 20.
    files = sorted(str(path) for path in JAVASCRIPT_TESTS.glob("*.test.cjs"))
    at_once = f"--test-concurrency={JAVASCRIPT_AT_ONCE}"
    return [str(node), "--test", "--test-reporter=spec", at_once, *files]


def main(arguments: list[str]) -> int:
    """Do one work; 2 where there is none of that name."""
    if len(arguments) != 1 or arguments[0] not in WORKS:
        print(f"usage: python -m tests.ahead {'|'.join(WORKS)}", file=sys.stderr)
        return 2
    (work,) = arguments
    if work == "javascript":
        try:
            command = javascript_tests(find("node"))
            return subprocess.run(command, timeout=JAVASCRIPT_TIMEOUT_S, check=False).returncode
        except (ToolMissing, subprocess.TimeoutExpired) as error:
            print(error)
            return 1
    if hasattr(os, "nice"):
        os.nice(BUILDS_ARE_NICE)
    if work == "server":
        asyncio.run(find_server(print))
    elif why_no_build() is None:
        try:
            frozen_sidecar()
        except BuildFailed as error:
            print(error)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
