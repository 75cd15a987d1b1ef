"""The command line: its options, what it says of itself, and that it keeps secrets."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sidecar import __version__
from sidecar.dev.commands import COMMANDS
from sidecar.dev.stdio_client import RpcError
from tests.started import client, configured, refusing_url, run, token_for


@pytest.fixture(scope="module")
def url() -> str:
    return refusing_url()


@pytest.mark.parametrize(
    "options",
    [["--log-level=loud"], ["--log-format=xml"], ["--colour"], ["--ur=ws://host"], ["surplus"]],
)
def test_a_wrong_option_is_a_usage_error(sidecar_command, options):
    done = run([*sidecar_command, *options])
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


SECRET_OPTIONS = ["--token", "--api-secret", "--secret", "--apiSecret"]


@pytest.mark.parametrize("option", SECRET_OPTIONS)
@pytest.mark.parametrize("joined", [True, False])
def test_a_secret_is_no_option_and_is_not_repeated_when_given_as_one(
    sidecar_command, option, joined
):
    """argv can be read by every user of the machine; stderr ends up in log files."""
    secret = token_for("room")
    given = [f"{option}={secret}"] if joined else [option, secret]
    done = run([*sidecar_command, *given])
    assert (done.returncode, done.stdout) == (2, "")
    assert secret not in done.stderr
    assert option in done.stderr


@pytest.mark.parametrize("dashes", ["-t", "-", "--", ""])
def test_what_stands_astray_on_the_command_line_is_not_repeated(sidecar_command, dashes):
    """As in `mysql -pPASSWORD`: what follows the first letter may be a secret."""
    secret = token_for("room")
    done = run([*sidecar_command, f"{dashes}{secret}"])
    assert (done.returncode, done.stdout) == (2, "")
    assert secret not in done.stderr


def test_help_tells_of_every_option_of_the_configuration_and_of_no_secret(sidecar_command):
    done = run([*sidecar_command, "--help"])
    assert (done.returncode, done.stderr) == (0, "")
    options = ["--url", "--room", "--identity", "--name", "--auto-subscribe", "--wait"]
    options += ["--log-level", "--log-format", "--self-test", "--version"]
    variables = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN"]
    for word in [*options, *variables, "LIVEKIT_ROOM", ".env.local", "Exit codes"]:
        assert word in done.stdout
    for word in SECRET_OPTIONS:
        assert word not in done.stdout


def test_the_version_is_one_line(sidecar_command):
    done = run([*sidecar_command, "--version"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"clara-voice-sidecar {__version__}\n"


def test_the_commands_for_developers_are_there_in_the_source_and_not_in_the_frozen_build(
    source_command, frozen_command
):
    source = run([*source_command, "--help"]).stdout
    frozen = run([*frozen_command, "--help"]).stdout
    assert ".env.local" in frozen
    assert "Commands" not in frozen
    for name in COMMANDS:
        assert f"  {name} " in source
        assert run([*frozen_command, name]).returncode == 2


def test_the_self_test_passes(sidecar_command):
    """Loads the native library and LiveKit's API, and makes one round trip, in one process."""
    done = run([*sidecar_command, "--self-test"])
    assert done.stdout.splitlines() == [
        "native library: ok",
        "livekit api: ok",
        "round trip: ok",
        f"clara-voice-sidecar {__version__} self-test: ok",
    ]
    assert (done.returncode, done.stderr) == (0, "")


MISSING = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "livekit.rtc":
            raise ImportError("no native library here")
sys.meta_path.insert(0, Missing())
"""


def test_the_self_test_fails_with_the_cause_where_a_part_is_missing(source_command, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(MISSING)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = run([*source_command, "--self-test"], {"PYTHONPATH": path})
    assert done.returncode == 1
    assert "native library: FAILED: BrokenInstall: " in done.stdout
    assert "no native library here" in done.stdout
    assert "livekit api: ok" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("self-test: FAILED")


async def test_each_line_of_the_json_format_parses_at_every_level(sidecar_command, url):
    command = [*sidecar_command, "--log-format=json", "--log-level=debug"]
    async with client(command, configured(url, "room")) as sidecar:
        await sidecar.logged("unreachable")
        assert await sidecar.request("ping") == "pong"
    records = [json.loads(line) for line in sidecar.stderr_lines]
    assert all(set(each) - {"cause"} == {"time", "level", "logger", "message"} for each in records)
    (critical,) = (each for each in records if each["level"] == "critical")
    assert critical["message"].startswith("Critical: ClaraVoiceAgent failed to connect")
    assert critical["cause"].startswith("unreachable: ")
    assert {"debug", "critical"} <= {each["level"] for each in records}


@pytest.mark.parametrize(
    ("level", "expected"), [("debug", 1), ("info", 1), ("warning", 0), ("error", 0)]
)
async def test_the_log_level_is_the_least_that_is_said(sidecar_command, level, expected):
    async with client([*sidecar_command, f"--log-level={level}"]) as sidecar:
        assert await sidecar.request("ping") == "pong"
    said = [line for line in sidecar.stderr_lines if "Not configured" in line]
    assert len(said) == expected


@pytest.mark.parametrize("level", ["debug", "info"])
async def test_no_secret_is_on_stderr_or_in_an_answer_at_any_level(sidecar_command, url, level):
    secret, token = "hunter2-hunter2-hunter2-hunter2-hunter2", token_for("other")  # noqa: S105
    env = {**configured(url, "room"), "LIVEKIT_API_SECRET": secret}
    async with client([*sidecar_command, f"--log-level={level}"], env) as sidecar:
        await sidecar.logged("unreachable")
        for params in ({"token": token, "apiSecret": secret}, {"token": [token]}):
            with pytest.raises(RpcError):
                await sidecar.call("connect", params)
        await sidecar.call("getStatus")
    said = "\n".join(sidecar.stderr_lines) + b"".join(sidecar.lines).decode()
    assert "hunter2" not in said
    assert token[10:40] not in said


@pytest.mark.skipif(sys.platform == "win32", reason="reads /proc")
async def test_no_secret_is_in_the_command_line_of_the_process(sidecar_command, url):
    env = configured(url, "room")
    async with client(sidecar_command, env) as sidecar:
        assert await sidecar.request("ping") == "pong"
        shown = command_line(sidecar.pid)
    assert "sidecar" in shown
    assert env["LIVEKIT_API_SECRET"] not in shown


def command_line(pid: int) -> str:
    """What every user of the machine may read of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text()


@pytest.mark.parametrize("given", ["x", "0", "-1", "inf", "nan"])
def test_a_time_that_is_none_is_said_with_what_to_give(sidecar_command, given):
    done = run([*sidecar_command, f"--session-warning={given}"])
    assert done.returncode == 2
    assert f"'{given}' is no number of minutes above 0, such as 30" in done.stderr
