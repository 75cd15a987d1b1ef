"""The .env files: how a line is read, and what is said of a file that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.env_files import EnvFile, read_env_file
from tests.started import client, configured, refusing_url


def file(folder: Path, text: str | bytes) -> Path:
    """Write a .env file."""
    path = folder / ".env"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=b", {"A": "b"}),
        ("  A = b  ", {"A": "b"}),
        ("export A=b", {"A": "b"}),
        ("A='b c'", {"A": "b c"}),
        ('A="b # c"', {"A": "b # c"}),
        ("A=b # c", {"A": "b"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=b=c==", {"A": "b=c=="}),
        ("A=", {"A": ""}),
        ("# A=b", {}),
        ("", {}),
        ("A=1\r\nB=2\n\nA=3", {"A": "3", "B": "2"}),
        ("A=ä 🎤", {"A": "ä 🎤"}),
        ("A=$B${C}", {"A": "$B${C}"}),
        ("\ufeffA=b", {"A": "b"}),
    ],
)
def test_a_line_is_read_as_shells_read_it_and_a_dollar_stays_one(tmp_path, line, expected):
    assert read_env_file(file(tmp_path, line)) == EnvFile(expected)


@pytest.mark.parametrize("wrong", ["A", "=b", "hunter2 hunter2", 'B="hunter2'])
def test_a_line_that_sets_nothing_is_named_by_its_number_and_not_repeated(tmp_path, wrong):
    found = read_env_file(file(tmp_path, f"C=d\n\n{wrong}\nE=f\n"))
    assert found.variables == {"C": "d", "E": "f"}
    (sentence,) = found.wrong_lines
    assert f"{tmp_path / '.env'}, line 3" in sentence
    assert "hunter2" not in sentence


def test_a_file_that_is_not_there_says_nothing(tmp_path):
    assert read_env_file(tmp_path / ".env") == EnvFile({})


def test_a_file_in_utf_16_is_named_with_the_fix(tmp_path):
    found = read_env_file(file(tmp_path, "A=b\n".encode("utf-16")))
    assert found.variables == {}
    assert found.problem.startswith(f"{tmp_path / '.env'} is not UTF-8. Fix: ")


def test_a_folder_of_that_name_is_named_with_the_fix(tmp_path):
    (tmp_path / ".env").mkdir()
    assert read_env_file(tmp_path / ".env").problem.startswith(f"{tmp_path / '.env'} is a folder.")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file"
)
def test_a_file_without_the_right_to_read_is_named_with_the_fix(tmp_path):
    path = file(tmp_path, "A=b")
    path.chmod(0)
    assert "cannot be read (Permission denied). Fix: " in read_env_file(path).problem


async def test_a_run_by_hand_says_which_file_it_could_not_read_and_goes_on(
    source_command, tmp_path
):
    file(tmp_path, "LIVEKIT_ROOM=hunter2\n".encode("utf-16"))
    async with client(source_command, cwd=tmp_path) as sidecar:
        assert "Fix: " in await sidecar.logged(".env is not UTF-8")
        await sidecar.logged("Not configured")
        assert await sidecar.request("ping") == "pong"


async def test_a_run_by_hand_says_which_line_it_passed_over(source_command, tmp_path):
    variables = configured(refusing_url(), "room")
    lines = [f"{name}={value}" for name, value in variables.items()]
    file(tmp_path, "\n".join(["no variable", *lines]))
    async with client(source_command, cwd=tmp_path) as sidecar:
        await sidecar.logged(".env, line 1 is no NAME=value")
        assert (await sidecar.call("getStatus"))["room"] == "room"
