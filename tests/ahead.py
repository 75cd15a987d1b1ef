"""What takes long to make is begun ahead, beside the first tests, each work in its own process.

Owns those processes. Two works: livekit-server is built (1 to 3 minutes from nothing), the sidecar
is frozen (half a minute). conftest.py begins what the selected tests need. Nothing depends on it: a
fixture makes what is not there, and waits for whoever is making it.

`python -m tests.ahead server|frozen` does one work.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.dev.server_build import find_server
from tests.frozen_build import BuildFailed, frozen_sidecar, why_no_build

REPOSITORY = Path(__file__).resolve().parent.parent
WORKS = ("frozen", "server")
BUILDS_ARE_NICE = 10
"""The priority of builds: below that of the tests, some of which look at the clock."""
STOP_WITHIN_S = 10.0
"""For a build to remove what it has half made."""


class Ahead:
    """The works that were begun."""

    def __init__(self) -> None:
        """Nothing is begun yet."""
        self._begun: list[subprocess.Popen[bytes]] = []

    def begin(self, work: str) -> None:
        """Begin one of WORKS; what it says is of no interest: a fixture says it again."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.ahead", work],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._begun.append(process)

    def stop(self) -> None:
        """End what still runs, as Ctrl-C would."""
        running = [each for each in self._begun if each.poll() is None]
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
    return works


def main(arguments: list[str]) -> int:
    """Do one work; 2 where there is none of that name."""
    if len(arguments) != 1 or arguments[0] not in WORKS:
        print(f"usage: python -m tests.ahead {'|'.join(WORKS)}", file=sys.stderr)
        return 2
    (work,) = arguments
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
