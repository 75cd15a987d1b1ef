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

VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
UNRELEASED = re.compile(r"^## \[Unreleased\].*$", re.MULTILINE)
CONTRACT_TIMEOUT_S = 120.0
PLACES = (
    ("sidecar/__init__.py", r'(?<=^__version__ = ")[^"]+'),
    ("pyproject.toml", r'(?<=^version = ")[^"]+'),
    (
        "docs/packaging.md",
        r"(?<=^npm install --no-save --force clara-voice-sidecar-darwin-x64@)\S+",
    ),
)
"""Files with one line of the version, and where it is in that line."""


class NotChanged(RuntimeError):
    """The version was not changed; the message has the cause and the fix."""


def change_version(repository: Path, version: str, today: date) -> list[str]:
    """Write `version` into all its places, and give the names of the files that changed.

    Moves the unreleased changes of CHANGELOG.md under the heading of the new version. The version
    may be the current one, as at the first release. Raises NotChanged before anything is written.
    """
    found = VERSION.fullmatch(version)
    if found is None:
        raise NotChanged(f"{version} is no version. Fix: give three numbers, such as 0.2.0.")
    changelog = repository / "CHANGELOG.md"
    log = changelog.read_text(encoding="utf-8")
    if f"## [{version}]" in log:
        raise NotChanged(f"CHANGELOG.md has {version} already. Fix: give a newer version.")
    before, heading, rest = _parted(log)
    if not rest.split("\n## ")[0].strip():
        raise NotChanged("CHANGELOG.md has no unreleased change. Fix: write what is new.")
    texts: dict[str, str] = {}
    for name, pattern in PLACES:
        old = (repository / name).read_text(encoding="utf-8")
        texts[name], count = re.subn(pattern, version, old, flags=re.M)
        if count != 1:
            raise NotChanged(f"{name} has no line with its version. Fix: write one.")
    bridge = "electron-bridge/package.json"
    told = json.loads((repository / bridge).read_text(encoding="utf-8"))
    current = VERSION.fullmatch(told["version"])
    if current is not None and _numbers(found) < _numbers(current):
        raise NotChanged(f"{version} is before {told['version']}. Fix: give a newer version.")
    told["version"] = version
    told["optionalDependencies"] = dict.fromkeys(PACKAGES, version)
    texts[bridge] = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    released = f"{heading}\n\n## [{version}] - {today.isoformat()}"
    texts["CHANGELOG.md"] = before + released + rest
    changed = []
    for name, text in texts.items():
        if (repository / name).read_text(encoding="utf-8") != text:
            (repository / name).write_text(text, encoding="utf-8", newline="\n")
            changed.append(name)
    # Another process: the contract's texts have the version that is in the repository now.
    subprocess.run(
        [sys.executable, "-m", "sidecar.dev.contract", "--write"],
        cwd=repository,
        check=True,
        capture_output=True,
        timeout=CONTRACT_TIMEOUT_S,
    )
    return [*changed, "what the contract's generator writes"]


def _numbers(version: re.Match[str]) -> tuple[int, ...]:
    return tuple(map(int, version.groups()))


def _parted(log: str) -> tuple[str, str, str]:
    """Split the changelog at the heading `Unreleased`: the text before it, itself, the rest."""
    found = UNRELEASED.search(log)
    if found is None:
        raise NotChanged('CHANGELOG.md has no heading "## [Unreleased]". Fix: add it.')
    return log[: found.start()], "## [Unreleased]", log[found.end() :]
