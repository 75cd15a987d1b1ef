"""The frozen sidecar in the environments in which app packages for Linux start it.

Owns what an AppImage, a snap, and a bare service manager set; the values are those of their
documentation, the folders are the test's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.rpc.raw_sidecar import raw_sidecar

pytestmark = pytest.mark.full

SELF_TEST_WITHIN_S = 60.0
Environment = dict[str, str]


def _app_image(folder: Path) -> Environment:
    """Its libraries come first, with names that the sidecar's own libraries have, too."""
    libraries = folder / "usr" / "lib"
    libraries.mkdir(parents=True)
    for name in ("libcrypto.so.3", "libffi.so.8", "libpython3.11.so.1.0", "libssl.so.3"):
        (libraries / name).write_bytes(b"not a library")
    return {
        "APPDIR": str(folder),
        "APPIMAGE": str(folder / "An app.AppImage"),
        "LD_LIBRARY_PATH": str(libraries),
        "PYTHONHOME": str(folder / "usr"),
        "PYTHONPATH": str(folder / "usr" / "lib" / "python3"),
        "XDG_DATA_DIRS": str(folder / "usr" / "share"),
    }


def _snap(folder: Path) -> Environment:
    """Its home is a folder of its own, and the folders of the user's session are not there."""
    home = folder / "snap" / "an-app" / "1"
    home.mkdir(parents=True)
    return {
        "SNAP": str(folder / "none"),
        "SNAP_USER_DATA": str(home),
        "HOME": str(home),
        "LD_LIBRARY_PATH": f"{folder}/none:/var/lib/snapd/lib/gl",
        "TMPDIR": str(folder / "none"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_RUNTIME_DIR": str(folder / "none"),
    }


def _nothing(_: Path) -> Environment:
    """Not even a home."""
    return {}


SURROUNDINGS: dict[str, Callable[[Path], Environment]] = {
    "AppImage": _app_image,
    "snap": _snap,
    "nothing": _nothing,
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_it_loads_its_own_libraries_and_answers(
    frozen_command: list[str], tmp_path: Path, name: str
) -> None:
    environment = SURROUNDINGS[name](tmp_path)
    done = subprocess.run(
        [*frozen_command, "--self-test"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SELF_TEST_WITHIN_S,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    with raw_sidecar([*frozen_command, "--wait"], env=environment) as sidecar:
        sidecar.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        (answer,) = sidecar.read_lines(1)
        assert b'"pong"' in answer
        sidecar.close_stdin()
        assert sidecar.wait() == 0
