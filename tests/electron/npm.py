"""npm, run by the very Node of the tests: what it installs, and what it makes of the bridge.

Owns the commands and the cache of installed packages; test_bridge.py owns what the package must
hold.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests import parts
from tests.only_one import only_one

REPOSITORY = Path(__file__).resolve().parents[2]
BRIDGE = REPOSITORY / "electron-bridge"
CACHE = REPOSITORY / ".cache" / "electron-bridge"
NPMRC = BRIDGE / ".npmrc"

NPM_TIMEOUT_S = 300.0
TOOL_TIMEOUT_S = 300.0
"""For one run of tsc, npm pack or Electron as Node: 3 s, and up to a minute when all is busy."""


def run(
    command: list[str],
    timeout_s: float = TOOL_TIMEOUT_S,
    *,
    cwd: Path = REPOSITORY,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command to its success, and give its stdout; a failure shows all it said."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=cwd, env=env
    )
    assert done.returncode == 0, f"{command[0]} said:\n{done.stdout[-20_000:]}\n{done.stderr}"
    return done.stdout


def npm_command(node: Path) -> list[str]:
    """Give npm, run by this very node, or skip."""
    on_path = shutil.which("npm")
    beside = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    program = Path(on_path).resolve() if on_path else beside
    parts.require("npm", None if program.is_file() else "no npm; install Node 20 or newer")
    return [str(node), str(program)]


def installed(node: Path, manifest: Path) -> Path:
    """Give a folder whose node_modules has what a package.json asks for; or skip.

    By `npm install`, since `npm ci` wants a lock file; the versions in package.json are exact,
    and its `overrides` name the transitive ones.
    """
    told = json.loads(manifest.read_text(encoding="utf-8"))
    wanted = [told.get(each) for each in ("dependencies", "devDependencies", "overrides")]
    pins = json.dumps([wanted, NPMRC.read_text(encoding="utf-8")])
    folder = CACHE / hashlib.sha256(pins.encode()).hexdigest()[:16]
    with only_one(folder.with_suffix(".lock")):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            # Not the packages that bring the sidecar: the tests use their own.
            text = json.dumps({**told, "optionalDependencies": {}})
            (folder / manifest.name).write_text(text, encoding="utf-8")
            shutil.copy(NPMRC, folder)
            command = [*npm_command(node), "install", "--no-audit", "--no-fund", "--loglevel=error"]
            try:
                run(command, NPM_TIMEOUT_S, cwd=folder)
            except AssertionError as error:
                parts.require("npm packages", f"npm install failed: {error}")
            (folder / "done").touch()
    parts.require("npm packages", None)
    return folder


def packed_bridge(node: Path, folder: Path) -> Path:
    """Pack the bridge and unpack it into `folder`, as `npm install clara-voice-bridge` would."""
    source = folder / "source"
    shutil.copytree(BRIDGE, source, ignore=shutil.ignore_patterns("node_modules"))
    run([*npm_command(node), "pack", "--silent", "--pack-destination", str(folder)], cwd=source)
    (tarball,) = folder.glob("*.tgz")
    # By tar, since Debian 12's Python 3.11.2 does not know tarfile's `filter` yet (3.11.4).
    run(["tar", "-xzf", str(tarball), "-C", str(folder)], cwd=folder)
    return folder / "package"
