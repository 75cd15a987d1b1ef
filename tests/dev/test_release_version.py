"""A version is changed by one command, in all its places."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

import sidecar
from sidecar.dev.contract import stale
from sidecar.dev.release.npm import PACKAGES
from sidecar.dev.release.version import NotChanged, change_version
from tests.repository import ROOT, repository_files

NEW = "7.8.9"
TODAY = date(2026, 11, 26)
PRIVATE = {
    "electron-bridge/example/package.json",
    "tests/electron/fixtures/driven-app/package.json",
}
"""Apps of the tests and the documents, with versions of their own."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository."""
    for path in repository_files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def test_one_command_writes_a_version_into_all_its_places(copy):
    before = sidecar.__version__
    change_version(copy, NEW, TODAY)
    bridge = json.loads((copy / "electron-bridge" / "package.json").read_text(encoding="utf-8"))
    assert bridge["version"] == NEW
    assert bridge["optionalDependencies"] == dict.fromkeys(PACKAGES, NEW)
    said = subprocess.run(
        [sys.executable, "-m", "sidecar", "--version"], cwd=copy, capture_output=True, text=True
    )
    assert said.stdout == f"clara-voice-sidecar {NEW}\n"
    old = re.compile(rf"(?<![\d.=]){re.escape(before)}(?![\d.])")
    for folder in ("sidecar", "electron-bridge", "tests/electron", "docs"):
        for path in (copy / folder).rglob("*"):
            name = path.relative_to(copy).as_posix()
            if path.suffix in (".py", ".cjs", ".ts", ".json") and name not in PRIVATE:
                assert old.search(path.read_text(encoding="utf-8")) is None, name
    assert f"-x64@{NEW}" in (copy / "docs/packaging.md").read_text(encoding="utf-8")


def test_the_contract_s_documents_have_the_new_version(copy):
    change_version(copy, NEW, TODAY)
    check = [sys.executable, "-m", "sidecar.dev.contract", "--check"]
    done = subprocess.run(check, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert stale() == []  # this repository is as it was


def test_what_was_unreleased_is_the_version_s_and_the_next_changes_have_a_place(copy):
    log = copy / "CHANGELOG.md"
    unreleased = log.read_text(encoding="utf-8").split("## [Unreleased]")[1].partition("\n")[2]
    change_version(copy, NEW, TODAY)
    after = log.read_text(encoding="utf-8")
    assert f"## [Unreleased]\n\n## [{NEW}] - 2026-11-26\n{unreleased}" in after
    with pytest.raises(NotChanged, match="no unreleased change"):
        change_version(copy, "7.9.0", TODAY)


@pytest.mark.parametrize(
    "version", ["1.2", "v1.2.3", "1.2.3-rc1", "next", "", "00.2.0", "\u0661.\u0662.\u0663"]
)
def test_what_is_no_version_is_refused_and_changes_nothing(version, copy):
    before = (copy / "pyproject.toml").read_bytes()
    with pytest.raises(NotChanged, match="three numbers"):
        change_version(copy, version, TODAY)
    assert (copy / "pyproject.toml").read_bytes() == before


def test_a_version_that_was_released_is_refused(copy):
    change_version(copy, NEW, TODAY)
    with pytest.raises(NotChanged, match=f"has {NEW} already"):
        change_version(copy, NEW, TODAY)


def test_a_version_before_the_current_one_is_refused(copy):
    with pytest.raises(NotChanged, match=r"0\.0\.1 is before .* give a newer version"):
        change_version(copy, "0.0.1", TODAY)


def test_the_first_release_may_have_the_current_version_and_tells_what_changed(copy):
    changed = change_version(copy, sidecar.__version__, TODAY)
    assert changed == ["CHANGELOG.md", "what the contract's generator writes"]


def test_a_place_without_its_version_is_named_and_nothing_is_changed(copy):
    project = copy / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("\nversion =", "\nverzion ="))
    with pytest.raises(NotChanged, match="pyproject.toml has no line with its version"):
        change_version(copy, NEW, TODAY)
    assert NEW not in (copy / "sidecar" / "__init__.py").read_text(encoding="utf-8")
