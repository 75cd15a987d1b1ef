"""sidecar.exe as it is shipped: its parts, its name, and what it wants of Windows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import sidecar
from tests.windows.conftest import run
from tests.windows.prepare import Windows, windows_path

pytestmark = pytest.mark.full

OF_WINDOWS = set(
    "advapi32 avrt bcrypt bcryptprimitives combase crypt32 d3d11 dwmapi dxgi gdi32 iphlpapi"
    " kernel32 msvcrt ntdll ole32 oleaut32 powrprof psapi rpcrt4 secur32 shcore shell32 shlwapi"
    " user32 userenv version winhttp winmm ws2_32".split()
)
"""In every Windows since version 8.1; `api-ms-win-*` are their other names."""
MEDIA_FEATURE_PACK = {"msdmo"}
"""Not in Windows N and Server Core: docs/packaging.md says what to do."""


def test_the_self_test_passes(machine: Windows, sidecar_exe: Path) -> None:
    said = run(machine, [str(machine.loader), str(sidecar_exe), "--self-test"])
    assert said.splitlines()[-1] == f"clara-voice-sidecar {sidecar.__version__} self-test: ok"


def test_it_says_its_name_and_version_and_imports_nothing_that_is_not_there(
    machine: Windows, sidecar_exe: Path
) -> None:
    audit = windows_path(Path(__file__).with_name("audit.py"))
    folder = windows_path(sidecar_exe.parent)
    told = json.loads(run(machine, machine.run_python(audit, folder)))
    assert told["texts"] == {
        "FileDescription": "Clara voice sidecar",
        "FileVersion": sidecar.__version__,
        "InternalName": "sidecar",
        "OriginalFilename": "sidecar.exe",
        "ProductName": "Clara voice sidecar",
        "ProductVersion": sidecar.__version__,
    }
    ours = {Path(name).name.lower() for name in told["imports"]}
    assert {"sidecar.exe", "livekit_ffi.dll"} <= ours
    assert "_wmi.pyd" not in ours  # of Python 3.12 and later: it makes a start wait
    wanted = {
        dll.removesuffix(".dll")
        for dlls in told["imports"].values()
        for dll in dlls
        if dll not in ours and not dll.startswith("api-ms-win-")
    }
    assert wanted - OF_WINDOWS == MEDIA_FEATURE_PACK


LONGEST = 254
"""Characters of the path of _internal; below it paths are longer than Windows' old limit of 260.
Wine cannot name a longer folder: GetFinalPathNameByHandle fails (WinError 234)."""


@pytest.mark.parametrize("place", ["Jürgen Müßig's Programme (x86)/日本 🎤", "long"])
def test_it_runs_from_any_folder(
    machine: Windows, sidecar_exe: Path, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / place
    if place == "long":
        folder /= "f" * (LONGEST - len(windows_path(folder / "_internal")) - 1)
    shutil.copytree(sidecar_exe.parent, folder)
    said = run(machine, [str(machine.loader), str(folder / "sidecar.exe"), "--self-test"])
    assert said.splitlines()[-1].endswith("self-test: ok")
