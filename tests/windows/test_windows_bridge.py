"""The bridge's own tests in Windows' Node: every law but those that a table leaves out with why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.electron import javascript_suite
from tests.electron.javascript_suite import NOT_ON_WINDOWS
from tests.windows.conftest import run
from tests.windows.prepare import Windows, windows_path

pytestmark = pytest.mark.full

NOT_UNDER_WINE = {
    "a link in the app's path does not shut": "Wine 8 makes no junctions",
    "a package that pnpm linked goes": "Wine 8 makes no junctions",
}
"""The beginning of a test's name: why it cannot run here, beside what Windows itself lacks."""
LEFT_OUT = {**NOT_ON_WINDOWS, **NOT_UNDER_WINE}
PASSED = re.compile(r"^ℹ pass (\d+)", re.MULTILINE)


def test_what_is_left_out_are_tests() -> None:
    assert javascript_suite.unknown(LEFT_OUT) == []


def test_the_laws_of_the_bridge_hold(machine: Windows, tmp_path: Path) -> None:
    launcher = tmp_path / "launcher.exe"
    launcher.write_bytes(javascript_suite.script_launcher(machine.python.parent / "Lib"))
    files = map(windows_path, javascript_suite.files())
    command = machine.relayed(machine.node, *javascript_suite.arguments(LEFT_OUT, files))
    said = run(machine, command, {javascript_suite.LAUNCHER: windows_path(launcher)})
    passed = sum(map(int, PASSED.findall(said)))
    assert passed > 450
