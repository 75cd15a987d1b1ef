"""The workflows: they call the scripts of this repository, and build what the bridge depends on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sidecar.dev.release.components import OURS
from sidecar.dev.release.npm import PACKAGES
from sidecar.dev.toolchain import ToolMissing, find
from tests import parts

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.suffix != ".txt")
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
BUILD_TIMEOUT_S = 600.0


def text_of(name: str) -> str:
    return (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")


def test_the_workflows_call_scripts_that_exist_and_can_be_run():
    called = {each for path in WORKFLOWS for each in re.findall(r"\.ci/[\w-]+", path.read_text())}
    assert {".ci/run", ".ci/packages", ".ci/frozen", ".ci/canary"} == called
    for script in SCRIPTS:
        assert os.access(script, os.X_OK), script
        done = subprocess.run(
            [str(shutil.which("bash")), "-n", script], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_the_release_builds_each_package_that_the_bridge_depends_on():
    built = re.findall(r"target: ([\w-]+),", text_of("release.yml"))
    assert sorted(f"{OURS}-{each}" for each in built) == sorted(PACKAGES)
    assert f"= {len(PACKAGES) + 1}\n" in text_of("release.yml")  # with the bridge


def test_each_workflow_says_that_it_has_not_run_and_may_write_nothing_by_itself():
    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Not run yet: docs/releasing.md says what is known.\n"), path
        assert "\npermissions:\n  contents: read\n" in text, path


@pytest.mark.full
def test_actionlint_finds_nothing(tmp_path):
    try:
        go = find("go")
    except ToolMissing as error:
        parts.require("actionlint", str(error))
        raise
    environment = {**os.environ, "GOBIN": str(tmp_path), "GOFLAGS": "-modcacherw"}
    built = subprocess.run(
        [go, "install", ACTIONLINT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
    )
    parts.require("actionlint", built.stderr.strip() if built.returncode else None)
    done = subprocess.run(
        [tmp_path / "actionlint", *WORKFLOWS], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
