"""The frozen sidecar for the tests: built from build.spec whenever its inputs changed.

It is built on this machine, or for old Linuxes in a root of Debian 11.

Owns the folder `.cache/frozen/` of the repository. `dist/`, which may be stale, is never read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from sidecar.dev.toolchain import cache_folder, uv_command
from tests.only_one import only_one

REPOSITORY = Path(__file__).resolve().parent.parent
FREEZE_ON_DEBIAN_11 = REPOSITORY / ".ci" / "freeze-on-debian-11"
KEPT_BUILDS = 4
"""Older ones are removed; more than one, since another run may still use its own."""
BUILD_TIMEOUT_S = 900.0
"""A build takes about half a minute on two cores; in the root of Debian 11, a minute."""
PROGRAM = "sidecar.exe" if sys.platform == "win32" else "sidecar"


class BuildFailed(RuntimeError):
    """PyInstaller failed; the message ends with its last lines."""


def frozen_sidecar() -> Path:
    """Give the path of the frozen program of exactly these sources, building it if need be."""
    return _frozen(inputs_hash(), _on_this_machine)


def frozen_for_old_linuxes() -> Path:
    """Give the path of the same program, built in the root of Debian 11, which must be there."""
    return _frozen(f"{inputs_hash()}-debian-11", _on_debian_11)


def has_root_of_debian_11() -> bool:
    """Tell whether `.ci/freeze-on-debian-11` has made its root on this machine."""
    return (cache_folder() / "build-root-bullseye" / "steps" / "python").is_file()


def why_no_build() -> str | None:
    """Give the reason and the cure when nothing can be frozen here, else None."""
    if importlib.util.find_spec("PyInstaller") is None:
        return "no PyInstaller; uv sync"
    if sys.platform == "linux" and shutil.which("objdump") is None:
        return "no objdump, which PyInstaller calls; apt-get install binutils"
    return None


def inputs_hash(repository: Path = REPOSITORY) -> str:
    """Give a hash of all that decides what the build contains."""
    digest = hashlib.sha256(f"{platform.platform()} {sys.version}".encode())
    sources = sorted((repository / "sidecar").rglob("*"))
    development = repository / "sidecar" / "dev"
    release = development / "release"  # build.spec ends with it
    top = (repository / each for each in ("LICENSE", "build.spec", "pyproject.toml"))
    for path in (*top, *sources):
        is_frozen = not path.is_relative_to(development) or path.is_relative_to(release)
        if path.is_file() and path.suffix != ".pyc" and is_frozen:
            name = path.relative_to(repository).as_posix()
            digest.update(f"{name}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _frozen(name: str, command: Callable[[Path], list[str]]) -> Path:
    """Give the path of the program in the build of that name, made now unless it is there."""
    folder = REPOSITORY / ".cache" / "frozen" / name
    with only_one(folder.with_suffix(".lock")):
        if not folder.is_dir():
            _build(folder, command)
    os.utime(folder)
    _forget_old_builds(folder.parent)
    return folder / "sidecar" / PROGRAM


def _on_this_machine(temporary: Path) -> list[str]:
    """Give the command that builds into the folder `dist` of *temporary*."""
    return [
        *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
        *("--distpath", str(temporary / "dist"), "--workpath", str(temporary / "work")),
        str(REPOSITORY / "build.spec"),
    ]


def _on_debian_11(temporary: Path) -> list[str]:
    """Give the command that builds into the folder `dist` of *temporary*."""
    return [str(FREEZE_ON_DEBIAN_11), str(temporary / "dist")]


def _build(folder: Path, command: Callable[[Path], list[str]]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="build.", dir=folder.parent))
    try:
        done = subprocess.run(
            command(temporary),
            cwd=REPOSITORY,
            env={**os.environ, "UV": " ".join(uv_command())},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise BuildFailed(f"build.spec was not frozen:\n{done.stderr[-4000:]}")
        try:
            (temporary / "dist").rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run was first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _forget_old_builds(root: Path) -> None:
    builds = [path for path in root.iterdir() if path.is_dir() and "." not in path.name]
    for old in sorted(builds, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_BUILDS:]:
        shutil.rmtree(old, ignore_errors=True)
