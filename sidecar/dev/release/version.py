"""The version: written once, and copied by this file into all its other places.

`sidecar/__init__.py` is the one place. A test compares the others with it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from sidecar.dev.release.npm import PACKAGES

VERSION = re.compile(r"\d+\.\d+\.\d+")
UNRELEASED = re.compile(r"^## \[Unreleased\].*$", re.MULTILINE)
CONTRACT_TIMEOUT_S = 120.0


class NotChanged(RuntimeError):
    """The version was not changed; the message has the cause and the fix."""


def change_version(repository: Path, version: str, today: date) -> list[str]:
    """Write `version` into all its places, and give their names.

    Moves the unreleased changes of CHANGELOG.md under the heading of the new version. Raises
    NotChanged before anything is written.
    """
    if VERSION.fullmatch(version) is None:
        raise NotChanged(f"{version} is no version. Fix: give three numbers, such as 0.2.0.")
    changelog = repository / "CHANGELOG.md"
    log = changelog.read_text(encoding="utf-8")
    if f"## [{version}]" in log:
        raise NotChanged(f"CHANGELOG.md has {version} already. Fix: give a newer version.")
    before, heading, rest = _parted(log)
    if not rest.split("\n## ")[0].strip():
        raise NotChanged("CHANGELOG.md has no unreleased change. Fix: write what is new.")
    for name, pattern in (
        ("sidecar/__init__.py", r'(?<=^__version__ = ")[^"]+'),
        ("pyproject.toml", r'(?<=^version = ")[^"]+'),
    ):
        file = repository / name
        text, count = re.subn(pattern, version, file.read_text(encoding="utf-8"), flags=re.M)
        if count != 1:
            raise NotChanged(f"{name} has no line with its version. Fix: write one.")
        file.write_text(text, encoding="utf-8", newline="\n")
    bridge = repository / "electron-bridge" / "package.json"
    told = json.loads(bridge.read_text(encoding="utf-8"))
    told["version"] = version
    told["optionalDependencies"] = dict.fromkeys(PACKAGES, version)
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    bridge.write_text(text, encoding="utf-8", newline="\n")
    released = f"{heading}\n\n## [{version}] - {today.isoformat()}"
    changelog.write_text(before + released + rest, encoding="utf-8", newline="\n")
    # Another process: the contract's texts have the version that is in the repository now.
    subprocess.run(
        [sys.executable, "-m", "sidecar.dev.contract", "--write"],
        cwd=repository,
        check=True,
        capture_output=True,
        timeout=CONTRACT_TIMEOUT_S,
    )
    return [
        "sidecar/__init__.py",
        "pyproject.toml",
        "electron-bridge/package.json",
        "CHANGELOG.md",
        "what the contract's generator writes",
    ]


def _parted(log: str) -> tuple[str, str, str]:
    """Split the changelog at the heading `Unreleased`: the text before it, itself, the rest."""
    found = UNRELEASED.search(log)
    if found is None:
        raise NotChanged('CHANGELOG.md has no heading "## [Unreleased]". Fix: add it.')
    return log[: found.start()], "## [Unreleased]", log[found.end() :]
