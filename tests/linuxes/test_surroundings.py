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

OWN_LIBRARIES = (
    "libcrypto.so.3",
    "libffi.so.7",
    "libffi.so.8",
    "libpython3.11.so.1.0",
    "libssl.so.3",
    "libstdc++.so.6",
)
"""Libraries of the frozen folder, built here or on Debian 11. libz is not among them: the frozen
program itself is linked with the system's."""


def _other_libraries(folder: Path) -> str:
    """Make libraries of the names of its own that would end it, and give their folder."""
    folder.mkdir(parents=True)
    for name in OWN_LIBRARIES:
        (folder / name).write_bytes(b"not a library")
    return str(folder)


def _app_image(folder: Path) -> Environment:
    """Its AppRun puts the image's libraries first, and Python's places into the image."""
    return {
        "APPDIR": str(folder),
        "APPIMAGE": str(folder / "An app.AppImage"),
        "LD_LIBRARY_PATH": _other_libraries(folder / "usr" / "lib"),
        "PYTHONHOME": str(folder / "usr"),
        "PYTHONPATH": str(folder / "usr" / "lib" / "python3"),
        "XDG_DATA_DIRS": str(folder / "usr" / "share"),
    }


def _snap(folder: Path) -> Environment:
    """Its home is the snap's own folder; those of the user's session are not there."""
    snap, home = folder / "snap" / "an-app" / "current", folder / "home" / "snap" / "an-app" / "1"
    home.mkdir(parents=True)
    libraries = _other_libraries(snap / "usr" / "lib" / "x86_64-linux-gnu")
    return {
        "SNAP": str(snap),
        "SNAP_NAME": "an-app",
        "SNAP_REVISION": "1",
        "SNAP_USER_DATA": str(home),
        "SNAP_USER_COMMON": str(home.with_name("common")),
        "SNAP_REAL_HOME": str(folder / "home"),
        "HOME": str(home),
        "LD_LIBRARY_PATH": f"/var/lib/snapd/lib/gl:{snap}/lib:{libraries}",
        "PYTHONPATH": f"{snap}/usr/lib/python3/dist-packages",
        "TMPDIR": str(folder / "none"),
        "XDG_CACHE_HOME": str(home.with_name("common") / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_DIRS": f"{snap}/usr/share",
        "XDG_DATA_HOME": str(home / ".local" / "share"),
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
