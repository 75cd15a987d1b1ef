"""The bridge's own tests, and the example's, in Windows' Node.

Every law runs but those that a table leaves out with the reason.
"""

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
    "the getToken of ": "fetch of Node 20 does not connect under Wine 8: connect UNKNOWN",
}
"""The beginning of a test's name: why it cannot run here, beside what Windows itself lacks."""
LEFT_OUT = {**NOT_ON_WINDOWS, **NOT_UNDER_WINE}
PASSED = re.compile(r"^ℹ pass (\d+)", re.MULTILINE)


def test_what_is_left_out_are_tests() -> None:
    assert javascript_suite.unknown(LEFT_OUT) == []


def test_the_laws_of_the_bridge_and_of_the_example_hold(
    machine: Windows, livekit_client: Path, tmp_path: Path
) -> None:
    launcher = tmp_path / "launcher.exe"
    launcher.write_bytes(javascript_suite.script_launcher(machine.python.parent / "Lib"))
    files = [*javascript_suite.files(), *javascript_suite.files_of_the_example()]
    arguments = javascript_suite.arguments(LEFT_OUT, map(windows_path, files))
    surroundings = {
        javascript_suite.LAUNCHER: windows_path(launcher),
        "NODE_PATH": windows_path(livekit_client),
    }
    said = run(machine, machine.relayed(machine.node, *arguments), surroundings)
    (passed,) = PASSED.findall(said)
    assert int(passed) > 500
