"""Which configuration wins, and what is refused of it, in one sentence, with status 2."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sidecar.dev.child import environment_without_livekit
from sidecar.dev.stdio_client import RpcError, SidecarClient
from tests.started import ENDS_WITHIN_S, client, configured, refusing_url, run, token_for


@pytest.fixture(scope="module")
def url() -> str:
    return refusing_url()


def write_dotenv(path: Path, variables: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


async def first_target(sidecar: SidecarClient) -> tuple[object, object]:
    """Give the url and the room of the first attempt, which the sidecar makes by itself."""
    await sidecar.notified("agent-state-changed", lambda params: params["state"] == "connecting")
    status = await sidecar.call("getStatus")
    return status["url"], status["room"]


LAYERS = ["--room", "environment", ".env.local", ".env"]


@pytest.mark.parametrize("strongest", range(len(LAYERS)), ids=LAYERS)
async def test_the_layers_go_options_environment_dotenv_local_dotenv(
    source_command, tmp_path, url, strongest
):
    """Each test has the layers from `strongest` on; the url comes from the weakest alone."""
    weakest = configured(url, room=".env")
    write_dotenv(tmp_path / ".env", weakest)
    if strongest <= 2:
        write_dotenv(tmp_path / ".env.local", {"LIVEKIT_ROOM": ".env.local"})
    env = {"LIVEKIT_ROOM": "environment"} if strongest <= 1 else {}
    options = ["--room=--room"] if strongest == 0 else []
    async with client([*source_command, *options], env, tmp_path) as sidecar:
        assert await first_target(sidecar) == (url, LAYERS[strongest])


async def test_the_params_of_connect_are_stronger_than_all(sidecar_command, url):
    env = configured(url, "environment")
    async with client([*sidecar_command, "--room=option", "--identity=option"], env) as sidecar:
        assert await first_target(sidecar) == (url, "option")
        await sidecar.notified("agent-state-changed", lambda params: params["state"] == "backoff")
        with pytest.raises(RpcError) as failure:
            await sidecar.call("connect", {"room": "params"})
        status = await sidecar.call("getStatus")
    assert failure.value.code == 1002
    assert (status["url"], status["room"], status["identity"]) == (url, "params", "option")


async def test_an_empty_variable_counts_as_not_set(sidecar_command, url):
    env = {**configured(url, "environment"), "LIVEKIT_ROOM": "", "LIVEKIT_TOKEN": ""}
    async with client(sidecar_command, env) as sidecar:
        assert "LIVEKIT_ROOM not set" in await sidecar.logged("Not configured")
        assert (await sidecar.call("getStatus"))["state"] == "idle"


def test_what_is_configured_shows_in_the_very_first_answer(sidecar_command, url):
    """url is null "when not configured", and it is configured."""
    said = b'{"jsonrpc":"2.0","id":1,"method":"getStatus"}\n'
    for _ in range(3):  # a race, where it goes wrong
        done = subprocess.run(
            sidecar_command,
            env=environment_without_livekit(configured(url, "room")),
            input=said,
            capture_output=True,
            timeout=ENDS_WITHIN_S,
            check=False,
        )
        messages = map(json.loads, done.stdout.splitlines())
        (status,) = (each["result"] for each in messages if each.get("id") == 1)
        assert (status["url"], status["room"]) == (url, "room")


async def test_a_frozen_sidecar_reads_no_dotenv(frozen_command, tmp_path, url):
    """Whoever may write to the working directory must not decide where an app connects."""
    write_dotenv(tmp_path / ".env", configured(url, "room"))
    write_dotenv(tmp_path / ".env.local", configured(url, "room"))
    async with client(frozen_command, cwd=tmp_path) as sidecar:
        await sidecar.logged("Not configured")
        status = await sidecar.call("getStatus")
    assert (status["state"], status["url"], status["room"]) == ("idle", None, None)


async def test_wait_ignores_every_layer(sidecar_command, tmp_path, url):
    write_dotenv(tmp_path / ".env", configured(url, "room"))
    command = [*sidecar_command, "--wait", f"--url={url}", "--room=room"]
    async with client(command, configured(url, "room"), tmp_path) as sidecar:
        status = await sidecar.call("getStatus")
        with pytest.raises(RpcError) as failure:
            await sidecar.call("connect")
        assert list(sidecar.notifications) == []
        assert list(sidecar.stderr_lines) == []
    assert (status["state"], status["url"], status["room"]) == ("idle", None, None)
    assert failure.value.code == -32602


async def test_wait_does_not_even_look_at_wrong_values(sidecar_command):
    async with client([*sidecar_command, "--wait"], {"LIVEKIT_URL": "nonsense"}) as sidecar:
        assert await sidecar.request("ping") == "pong"


async def test_without_configuration_it_says_what_lacks_and_waits(sidecar_command, url):
    async with client([*sidecar_command, f"--url={url}"]) as sidecar:
        line = await sidecar.logged("Not configured")
        assert (await sidecar.call("getStatus"))["state"] == "idle"
    assert "LIVEKIT_API_KEY, LIVEKIT_API_SECRET, LIVEKIT_ROOM" in line
    assert "LIVEKIT_URL" not in line


async def test_a_failed_first_connect_leaves_a_process_that_stays_and_answers(sidecar_command, url):
    async with client(sidecar_command, configured(url, "room")) as sidecar:
        await sidecar.logged("Critical: ClaraVoiceAgent failed to connect to the LiveKit server.")
        assert "unreachable" in await sidecar.logged(url)
        assert await sidecar.request("ping") == "pong"


WRONG = {
    "no scheme": ({"LIVEKIT_URL": "127.0.0.1:7880"}, [], "LIVEKIT_URL"),
    "another scheme": ({"LIVEKIT_URL": "ftp://127.0.0.1"}, [], "LIVEKIT_URL"),
    "no host": ({"LIVEKIT_URL": "ws://"}, [], "LIVEKIT_URL"),
    "a password in it": ({"LIVEKIT_URL": "ws://me:hunter2@host"}, [], "LIVEKIT_URL"),
    "a query in it": ({"LIVEKIT_URL": "ws://host?token=hunter2"}, [], "LIVEKIT_URL"),
    "a port that is none": ({"LIVEKIT_URL": "ws://host:notaport"}, [], "LIVEKIT_URL"),
    "a space in it": ({"LIVEKIT_URL": "ws://a host"}, [], "LIVEKIT_URL"),
    "no url at all": ({}, ["--url=hunter2"], "--url"),
    "an empty url": ({}, ["--url="], "--url"),
    "a long room": ({"LIVEKIT_ROOM": "r" * 257}, [], "LIVEKIT_ROOM"),
    "an empty room": ({}, ["--room="], "room"),
    "a long identity": ({}, [f"--identity={'i' * 257}"], "identity"),
    "another room's token": (
        {"LIVEKIT_TOKEN": token_for("other"), "LIVEKIT_API_SECRET": "", "LIVEKIT_API_KEY": ""},
        [],
        "LIVEKIT_ROOM",
    ),
    "a token that is none": (
        {"LIVEKIT_TOKEN": "hunter2", "LIVEKIT_API_SECRET": "", "LIVEKIT_API_KEY": ""},
        [],
        "LIVEKIT_TOKEN",
    ),
}


@pytest.mark.parametrize(("env", "options", "named"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_one_line_that_names_it_and_the_status_is_2(
    sidecar_command, url, env, options, named
):
    done = run([*sidecar_command, *options], {**configured(url, "room"), **env})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert named in line
    assert line.endswith(".")
    assert "hunter2" not in line


NO_TEXT = b"x\xff"
"""What no UTF-8 decoder takes."""


@pytest.mark.parametrize(
    "named", ["LIVEKIT_URL", "LIVEKIT_ROOM", "LIVEKIT_API_KEY", "--room", "--identity", "--name"]
)
def test_a_value_that_is_no_utf_8_is_refused_and_named(sidecar_command, url, named):
    """It could not be said in JSON: every status would be an internal error."""
    env = {name.encode(): value.encode() for name, value in configured(url, "room").items()}
    command = [each.encode() for each in sidecar_command]
    if named.startswith("--"):
        command.append(named.encode() + b"=" + NO_TEXT)
    else:
        env[named.encode()] += NO_TEXT
    base = {name.encode(): v.encode() for name, v in environment_without_livekit().items()}
    done = subprocess.run(
        command,
        env={**base, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert named.removeprefix("--") in line
