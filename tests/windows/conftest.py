"""What the tests of Windows share: Wine with Windows' programs in it, sidecar.exe, nested runs.

Owns the one prefix of a run: only one run at a time uses it, and all that runs in it ends with it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.dev.server import DevServer
from tests import parts
from tests.electron.conftest import (  # noqa: F401 - fixtures; `electron` for `display`
    display,
    electron,
    livekit_client,
)
from tests.livekit.conftest import person  # noqa: F401 - a fixture
from tests.only_one import only_one
from tests.repository import ROOT
from tests.windows.prepare import (
    Windows,
    WineMissing,
    linux_path,
    services,
    why_no_wine,
    windows,
)

BUILD_TIMEOUT_S = 900.0
"""A build takes one minute on two idle cores."""
SUITE_TIMEOUT_S = 900.0
PASSED = re.compile(r"^(\d+) passed\b", re.MULTILINE)


@pytest.fixture(scope="session")
def machine() -> Iterator[Windows]:
    """Windows, as far as Wine has it."""
    parts.require("wine", why_no_wine())
    try:
        made = windows()
    except WineMissing as error:
        parts.require("wine", str(error))
        raise
    with only_one(made.prefix.with_suffix(".used")), services(made):
        yield made


@pytest.fixture(scope="session")
def sidecar_exe(machine: Windows) -> Path:
    """sidecar.exe: $SIDECAR_EXE, else of exactly these sources, by Windows' own Python."""
    if given_exe := os.environ.get("SIDECAR_EXE"):
        return ROOT / given_exe
    code = "from tests.frozen_build import frozen_sidecar; print(frozen_sidecar())"
    said = run(machine, machine.run_python("-c", code), timeout_s=BUILD_TIMEOUT_S)
    return linux_path(said.splitlines()[-1].strip())


@pytest_asyncio.fixture
async def server(server_binary: Path) -> AsyncIterator[DevServer]:
    """With media over TCP: Wine's UDP does not reach loopback."""
    async with DevServer(server_binary, ice_tcp=True) as running:
        yield running


@pytest.fixture
def room() -> str:
    """A room of one's own, with a name that is no ASCII."""
    return f"Gespräch 🎤 {uuid.uuid4().hex[:8]}"


def run(
    machine: Windows,
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    timeout_s: float = SUITE_TIMEOUT_S,
) -> str:
    """Run a command to its success, in the repository, and give its stdout."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=machine.environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, f"status {done.returncode}:\n{done.stdout[-20_000:]}{done.stderr}"
    return done.stdout


def passed(said: str) -> int:
    """How many tests a run of pytest says have passed."""
    found = PASSED.findall(said)
    assert found, said[-2000:]
    return int(found[-1])


def given(machine: Windows, program: Path) -> dict[str, str]:
    """Give the environment in which our tests, on Linux, drive *program*."""
    return {"SIDECAR_COMMAND": shlex.join([str(machine.loader), str(program)])}


def in_repository(machine: Windows) -> dict[str, str]:
    """Give the environment for a command that needs our own modules."""
    return machine.environment({"PYTHONPATH": str(ROOT)})
