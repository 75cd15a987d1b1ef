"""The example app in electron.exe, with sidecar.exe out of its npm package behind it.

The server and the guest are on Linux; its user is a person at the window.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from sidecar.dev.person import Person
from sidecar.dev.release.npm import Target, manifest
from sidecar.dev.server import DevServer
from tests import parts
from tests.electron.example_window import CONNECTED, Window, copy_of_the_bridge, window
from tests.electron.packaged_app import link_or_copy
from tests.windows.conftest import run
from tests.windows.prepare import Windows, WineMissing, why_no_fonts, windows_path
from tests.windows.prepare import electron as downloaded
from tests.windows.processes import program, programs

pytestmark = pytest.mark.full

GONE_WITHIN_S = 10.0
"""The window's close lets the app drain its sidecar."""
SIDECAR = ("sidecar.exe", "--wait")


@pytest.fixture(scope="session")
def electron_exe() -> Path:
    """Windows' Electron."""
    parts.require("electron.exe", why_no_fonts())
    try:
        return downloaded()
    except WineMissing as error:
        parts.require("electron.exe", str(error))
        raise


@pytest.fixture
def example_for_windows(sidecar_exe: Path, livekit_client: Path, tmp_path: Path) -> Path:
    """The example with the npm package that brings sidecar.exe, in a folder of many letters."""
    copy = copy_of_the_bridge(tmp_path / "Jürgen Müßig's Programme", livekit_client)
    target = Target("win32", "x64")
    package = copy / "node_modules" / target.package
    shutil.copytree(sidecar_exe.parent, package / "sidecar", copy_function=link_or_copy)
    (package / "package.json").write_text(json.dumps(manifest(target)), encoding="utf-8")
    return copy / "example"


class Example(Protocol):
    """Opens the example's window under Wine."""

    def __call__(self) -> contextlib.AbstractAsyncContextManager[Window]: ...


@pytest.fixture
def shown_example(
    machine: Windows,
    electron_exe: Path,
    example_for_windows: Path,
    display: str,
    server: DevServer,
    room: str,
    tmp_path: Path,
) -> Example:
    """The way to open it."""
    start = tmp_path / "electron-exe"
    command = shlex.join(machine.relayed(electron_exe))
    start.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    start.chmod(0o755)
    surroundings = {
        "DISPLAY": display,
        "SIDECAR_PYTHON": "",
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "LIVEKIT_ROOM": room,
    }
    app = Path(windows_path(example_for_windows))
    return lambda: window(start, app, machine.environment(surroundings), tmp_path)


async def test_the_example_shows_its_people_over_a_crash_and_leaves_no_process(
    shown_example: Example, person: Callable[[str], Person]
) -> None:
    async with shown_example() as shown:
        await shown.page.until(CONNECTED, "the agent in the room")
        zoe = person("zoë 日本")
        await zoe.join()
        await shown.rows("rows.length === 1", "her row")

        killed = program(*SIDECAR)
        killed.kill()
        assert killed.is_gone_within(GONE_WITHIN_S)
        await zoe.leave()
        await shown.rows("rows.length === 0", "no row, told by the next sidecar")

        running = [*programs("electron.exe", ""), program(*SIDECAR)]
        await shown.page.evaluate("window.close()")
        for each in running:
            assert each.is_gone_within(GONE_WITHIN_S)


async def test_the_end_of_the_session_of_windows_ends_the_app_and_its_sidecar(
    machine: Windows, shown_example: Example
) -> None:
    async with shown_example() as shown:
        await shown.page.until(CONNECTED, "the agent in the room")
        running = [*programs("electron.exe", ""), program(*SIDECAR)]
        run(machine, [str(machine.loader), "wineboot", "--end-session"])
        for each in running:
            assert each.is_gone_within(GONE_WITHIN_S)
