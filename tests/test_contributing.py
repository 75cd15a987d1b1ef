"""The three changes that CONTRIBUTING.md works through, done in a copy of the sources.

Each is made by its smallest edits. What is generated then changes in the files that CONTRIBUTING.md
names, and the changed sidecar speaks the new contract.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

CONTRACT = "sidecar/core/contract"


@dataclass(frozen=True)
class Edit:
    """*new* goes before the first place of *anchor* in a file."""

    path: str
    anchor: str
    new: str


CHANGES = {
    "Add a method": (
        Edit(
            f"{CONTRACT}/messages.py",
            "@dataclass(frozen=True, slots=True)\nclass Check:",
            "@dataclass(frozen=True, slots=True)\nclass SessionCount:\n"
            '    """What `countSessions` answers."""\n\n'
            '    open: int = member("Open sessions.")\n\n\n',
        ),
        Edit(f"{CONTRACT}/protocol.py", "    SessionList,\n", "    SessionCount,\n"),
        Edit(
            f"{CONTRACT}/protocol.py",
            '        Method(\n            "connect",',
            '        Method("countSessions", "How many are open.", NoParams, SessionCount),\n',
        ),
        Edit("sidecar/agent/agent.py", "    SessionList,\n", "    SessionCount,\n"),
        Edit(
            "sidecar/agent/agent.py",
            "    def session_list(self",
            "    def session_count(self) -> SessionCount:\n"
            "        return SessionCount(len(self._sessions))\n\n",
        ),
        Edit("sidecar/rpc/methods.py", "    SessionList,\n", "    SessionCount,\n"),
        Edit(
            "sidecar/rpc/methods.py",
            "    def session_list(self",
            '    def session_count(self) -> SessionCount:\n        """How many are open."""\n\n',
        ),
        Edit(
            "sidecar/rpc/methods.py",
            '        "getSession": (',
            '        "countSessions": (lambda _: agent().session_count(), True),\n',
        ),
    ),
    "Add a field to a session": (
        Edit(
            f"{CONTRACT}/messages.py",
            "\n\n@dataclass(frozen=True, slots=True)\nclass Capabilities:",
            '    language: str | None = member("The attribute `language`.", optional=True)\n',
        ),
        Edit(
            "sidecar/core/registry/stays.py",
            '        "truncated": True if person.is_cut',
            '        "language": person.attributes.get("language"),\n',
        ),
    ),
    "Add a close reason": (
        Edit(f"{CONTRACT}/close_reasons.py", "    SIDECAR_EXITED =", '    MIGRATED = "migrated"\n'),
    ),
}
"""The heading in CONTRIBUTING.md: the edits by hand. Tests are left out."""

ASKED = """
{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}
{"jsonrpc":"2.0","id":2,"method":"countSessions"}
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources and what is generated of them."""
    left_out = shutil.ignore_patterns("node_modules", "__pycache__")
    for name in ("sidecar", "docs", "electron-bridge"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    return tmp_path


def section(heading: str) -> str:
    """What CONTRIBUTING.md says under a heading."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.split(r"^## ", text.partition(f"## {heading}\n")[2], flags=re.M)[0]


def run(folder: Path, *arguments: str, given: str = "") -> str:
    """Run Python on the copy."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize("heading", CHANGES)
def test_a_change_needs_the_files_that_contributing_names(heading: str, copy: Path) -> None:
    for edit in CHANGES[heading]:
        path = copy / edit.path
        before, anchor, after = path.read_text(encoding="utf-8").partition(edit.anchor)
        assert anchor, f"{edit.path} has no {edit.anchor!r}"
        path.write_text(before + edit.new + anchor + after, encoding="utf-8")
    written = re.findall(r"^written: (\S+)$", run(copy, "sidecar.dev.contract", "--write"), re.M)
    named = set(re.findall(r"`([\w./-]+\.\w+)`", section(heading)))
    assert {edit.path for edit in CHANGES[heading]} <= named
    told = section(heading).partition("--write`. It writes ")[2].partition(".\n")[0]
    told = told.partition(". The bridge")[0]
    assert set(written) == set(re.findall(r"`([\w./-]+)`", told))
    if heading == "Add a method":
        answers = [
            json.loads(line)
            for line in run(copy, "sidecar", "--wait", given=ASKED).split("\n")
            if line
        ]
        assert {"jsonrpc": "2.0", "id": 2, "result": {"open": 0}} in answers
