"""The developers' commands as a person uses them: what they print, write and leave, and refuse."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.core.config import Settings
from sidecar.dev.child import environment_without_livekit
from sidecar.dev.commands import COMMANDS
from sidecar.dev.server import answers_200
from sidecar.dev.tokens import explained, mint_token, person_token
from tests import parts
from tests.started import client, configured, refusing_url, run, token_for

BEGINS_WITHIN_S = 60.0
NAMES = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_ROOM"]
ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "sidecar"]


class Running:
    """A command that runs on; `lines` is what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Follow *process*."""
        self.process = process
        self.lines: list[str] = []

    async def until(self, pattern: str) -> re.Match[str]:
        """Read on to the first line that matches."""
        async with asyncio.timeout(BEGINS_WITHIN_S):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip("\n"))
                if match := re.search(pattern, line):
                    return match
        raise AssertionError("\n".join([f"ended without {pattern!r}:", *self.lines]))

    async def interrupted(self) -> int:
        """Press Ctrl-C; give its status."""
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(BEGINS_WITHIN_S):
            rest, _ = await self.process.communicate()
        self.lines += rest.decode().splitlines()
        return self.process.returncode


@asynccontextmanager
async def running(folder: Path, *arguments: str, **variables: str) -> AsyncIterator[Running]:
    """Start a command in *folder*; it is gone at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment_without_livekit(variables),
    )
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture(params=[pytest.param("real", marks=pytest.mark.full), "embedded"])
def server(request: pytest.FixtureRequest) -> tuple[list[str], dict[str, str]]:
    """The options and the environment with which `dev-server` runs the one or the other."""
    if request.param == "real":
        return [], {"LIVEKIT_SERVER": str(request.getfixturevalue("server_binary"))}
    pytest.importorskip("aiortc")
    parts.require("embedded room", None)
    return ["--embedded"], {}


def of(identity: str) -> Callable[[dict], bool]:
    """Match what is told of this participant."""
    return lambda params: params["session"]["participantId"] == identity


async def test_three_who_join_a_development_server_and_say_hi_are_three_sessions(tmp_path, server):
    """From an empty folder: the server writes .env, the sidecar and the people read it."""
    options, env = server
    async with running(tmp_path, "dev-server", *options, "--env-file", ".env", **env) as place:
        told = [(await place.until(f"^{name}=(.*)"))[1] for name in NAMES]
        async with client(COMMAND, cwd=tmp_path) as sidecar:
            await sidecar.notified(
                "agent-state-changed",
                lambda params: params["state"] == "connected",
                timeout_s=BEGINS_WITHIN_S,
            )
            said = ["--name", "guest", "--count", "3", "--say", "hi", "--for", "5s"]
            async with running(tmp_path, "join", *said) as people:
                await people.process.communicate()
                assert people.process.returncode == 0
            for name in ("guest-1", "guest-2", "guest-3"):
                await sidecar.notified("session-closed", of(name), timeout_s=BEGINS_WITHIN_S)
        methods = [each.method for each in sidecar.notifications]
        assert methods.count("session-created") == methods.count("session-closed") == 3
        closed = [n.params for n in sidecar.notifications if n.method == "session-closed"]
        assert [each["session"]["messageCount"] for each in closed] == [1, 1, 1]
        assert [each["reason"] for each in closed] == ["left"] * 3
        assert await place.interrupted() == 0
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines == [f"{name}={value}" for name, value in zip(NAMES, told, strict=True)]
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert not await answers_200(int(told[0].rpartition(":")[2]))


async def test_a_person_in_the_room_is_told_what_the_others_do(tmp_path, server):
    options, env = server
    async with running(tmp_path, "dev-server", *options, "--env-file", ".env", **env) as place:
        await place.until("^LIVEKIT_ROOM=dev")
        async with running(tmp_path, "join", "--name", "anna") as anna:
            await anna.until("anna +joins; also here: no one")
            said = ["--name", "ben", "--tone", "--say", "hello\x1b[2J\nboss", "--for", "2s"]
            async with running(tmp_path, "join", *said) as ben:
                await ben.until("ben +joins; also here: anna")
                await anna.until("ben +leaves")
            text = re.escape(r"says: hello\x1b[2J\x0aboss")
            for act in ("joins", "publishes microphone", text):
                assert any(re.search(f"ben +{act}", line) for line in anna.lines), anna.lines
            assert await anna.interrupted() == 0
            assert anna.lines[-1].endswith("anna  leaves")


async def test_a_person_who_cannot_join_is_told_why_and_what_to_do(tmp_path):
    env = configured(refusing_url(), "room")
    async with running(tmp_path, "join", "--name", "anna", **env) as person:
        await person.until("anna +could not join: .* Fix: ")
        rest, _ = await person.process.communicate()
        assert person.process.returncode == 1
        assert b"leaves" not in (rest or b"")


CTRL_C_AT = """
import os, signal, sys
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to its own process")
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("sidecar.cli", ["--help"]),
        ("sidecar.dev.commands", ["demo"]),
        ("livekit.rtc", ["join"]),
        ("sidecar.dev.server", ["dev-server", "--embedded"]),
        ("jwt", ["token"]),
    ],
    ids=str,
)
def test_a_ctrl_c_while_modules_load_ends_a_command_without_a_word(tmp_path, module, arguments):
    (tmp_path / "sitecustomize.py").write_text(CTRL_C_AT.format(module=module))
    env = configured("ws://127.0.0.1:1", "room") | {"PYTHONPATH": str(tmp_path)}
    done = run([*COMMAND, *arguments], env, tmp_path)
    assert (done.returncode, done.stderr) == (130, "")


# The .env file that dev-server writes


async def test_the_other_lines_of_an_existing_file_stay(tmp_path, server):
    options, env = server
    path = tmp_path / "app.env"
    path.write_text("# mine\nLIVEKIT_URL=ws://old\nOTHER='a b'\nno variable\nLIVEKIT_ROOM=old")
    path.chmod(0o640)
    arguments = ["dev-server", *options, "--room", "lobby", "--env-file", "app.env"]
    async with running(tmp_path, *arguments, **env) as place:
        url = (await place.until("^LIVEKIT_URL=(.*)"))[1]
        await place.until("^LIVEKIT_ROOM=lobby")
        assert await place.interrupted() == 0
    lines = path.read_text().splitlines()
    assert lines[:4] == ["# mine", f"LIVEKIT_URL={url}", "OTHER='a b'", "no variable"]
    assert lines[4] == "LIVEKIT_ROOM=lobby"
    assert [each.partition("=")[0] for each in lines[5:]] == NAMES[1:3]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_file_that_names_a_server_that_runs_is_not_written_by_a_second(tmp_path, server):
    options, env = server
    arguments = ["dev-server", *options, "--env-file", ".env"]
    async with running(tmp_path, *arguments, **env) as first:
        url = (await first.until("^LIVEKIT_URL=(.*)"))[1]
        written = (tmp_path / ".env").read_text()
        second = await asyncio.to_thread(run, [*COMMAND, *arguments], env, tmp_path)
        assert (second.returncode, second.stdout) == (2, "")
        assert f".env names a server that runs: {url}. Fix: " in second.stderr
        assert (tmp_path / ".env").read_text() == written
        assert await first.interrupted() == 0
    async with running(tmp_path, *arguments, **env) as third:
        await third.until("^LIVEKIT_ROOM=dev")


UTF_16 = "OTHER=1\n".encode("utf-16")


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("folder", "is a folder"),
        ("none/.env", "is no folder"),
        ("utf-16.env/.env", ""),
        ("utf-16.env", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_starts(tmp_path, name, cause):
    (tmp_path / "folder").mkdir()
    (tmp_path / "utf-16.env").write_bytes(UTF_16)
    done = run([*COMMAND, "dev-server", "--embedded", "--env-file", name], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Fix: " in done.stderr
    assert name in done.stderr
    assert cause in done.stderr
    assert (tmp_path / "utf-16.env").read_bytes() == UTF_16
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "utf-16.env"]


# Names, help, and what is refused


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_own_help_with_an_example(name):
    done = run([*COMMAND, name, "--help"])
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        f"Example:\n  python -m uv run python -m sidecar {name} {COMMANDS[name].example}"
        in done.stdout
    )
    assert f"  {name} " in run([*COMMAND, "--help"]).stdout


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("dmeo", "demo"), ("dev_server", "dev-server"), ("jion", "join"), ("diagnosis", "diagnose")],
)
def test_a_mistyped_command_names_the_nearest(typed, meant):
    done = run([*COMMAND, typed])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is no command `{typed}`; did you mean `{meant}`?" in done.stderr


@pytest.mark.parametrize(
    ("typed", "command", "meant"),
    [
        (["demo", "--embeded"], "demo", "--embedded"),
        (["join", "--nam=anna"], "join", "--name"),
        (["diagnose", "--jsno"], "diagnose", "--json"),
    ],
    ids=" ".join,
)
def test_a_mistyped_option_names_the_nearest_and_the_usage_of_its_command(typed, command, meant):
    done = run([*COMMAND, *typed])
    assert (done.returncode, done.stdout) == (2, "")
    assert f"did you mean `{meant}`?" in done.stderr
    assert f"usage: python -m sidecar {command} " in done.stderr


def test_an_unknown_option_or_word_is_not_repeated():
    for word in ("--hunter2", "hunter2", "--secret=hunter2"):
        done = run([*COMMAND, "demo", word])
        assert done.returncode == 2
        assert "--help lists all" in done.stderr
        assert "hunter2" not in done.stderr


REFUSED = {
    "no configuration": (["join"], {}, "LIVEKIT_URL, LIVEKIT_API_KEY"),
    "a time that is none": (["join", "--for", "soon"], {}, "30s"),
    "a time of nothing": (["join", "--for", "0s"], {}, "30s"),
    "no people": (["join", "--count", "0"], {}, "1 to 100"),
    "a token that is none": (["join", "--url", "ws://h", "--token", "hunter2"], {}, "--token"),
    "one token for two": (
        ["join", "--url", "ws://h", "--token", "hunter2", "--count", "2"],
        {},
        "--count",
    ),
    "a url that is none": (["join", "--url", "h:1"], {}, "--url"),
    "an env file that is not there": (["join", "--env-file", "dev.env"], {}, "dev-server"),
    "a token for no room": (["token"], {"LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s"}, "ROOM"),
    "nothing to decode": (["token", "--decode", "hunter2"], {}, "no access token"),
    "an option of another command": (["demo", "--say", "x"], {}, "--say"),
    "a voice in the double": (["demo", "--voice", "--embedded"], {}, "leave --embedded out"),
    "a program of no voice": (
        ["demo", "--voice", "--program", "main.cjs"],
        {},
        "main.cjs does not exist. Fix: give --program a voice plug-in's .py file",
    ),
    "a program that cannot be started": (
        ["demo", "--voice", "--program", str(ROOT / "README.md")],
        {},
        "README.md is no program. Fix: give --program a voice plug-in's .py file",
    ),
    "an env file for the double": (
        ["demo", "--embedded", "--env-file", "a.env"],
        {},
        "leave --env-file out",
    ),
    "an env file for the demo that is not there": (["demo", "--env-file", "a.env"], {}, "a.env"),
    "a time before now": (["join", "--for", "-2s"], {}, "argument --for: give a time like 30s"),
    "a person of an agent's name": (
        ["token", "--name", "clara-voice-agent"],
        configured("ws://h", "room"),
        "--name must not begin with clara-voice-agent",
    ),
    "people of an agent's name": (
        ["join", "--name", "clara-voice-agent-e74afcc0"],
        configured("ws://h", "room"),
        "--name must not begin with clara-voice-agent",
    ),
    "a WAV file of no voice": (["demo", "--wav", "a.wav"], {}, "--voice"),
    "an empty room": (["dev-server", "--room", ""], {}, "--room"),
}


@pytest.mark.parametrize(("arguments", "env", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_refused_with_cause_and_fix(tmp_path, arguments, env, named):
    done = run([*COMMAND, *arguments], env, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def package(tmp_path) -> Path:
    """A folder with the package alone, as a wheel installs it; a command in it runs that one."""
    shutil.copytree(
        ROOT / "sidecar", tmp_path / "sidecar", ignore=shutil.ignore_patterns("__pycache__")
    )
    return tmp_path


def test_the_help_outside_a_checkout_names_no_uv(package):
    done = run([*COMMAND, "token", "--help"], cwd=package)
    assert "Example:\n  python -m sidecar token --name" in done.stdout


def test_the_voice_demo_outside_a_checkout_is_refused_with_the_fix(package):
    done = run([*COMMAND, "demo", "--voice"], cwd=package)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--voice needs a checkout" in done.stderr


NO_JWT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "jwt":
            raise ModuleNotFoundError("No module named 'jwt'", name="jwt")
sys.meta_path.insert(0, Missing())
"""


def test_a_python_that_lacks_a_package_is_told_how_to_start_in_a_checkout(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NO_JWT)
    env = configured("ws://host", "room") | {"PYTHONPATH": str(tmp_path)}
    done = run([*COMMAND, "token"], env, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    fix = "Fix: start it with `python -m uv run python -m sidecar`."
    assert done.stderr == f"sidecar: Python has no module jwt. {fix}\n"


def test_the_env_file_that_is_named_is_stronger_than_the_environment(tmp_path):
    (tmp_path / "dev.env").write_text("LIVEKIT_ROOM=of-the-file\n")
    env = configured("ws://host", "of-the-environment")
    done = run([*COMMAND, "token", "--env-file", "dev.env"], env, tmp_path)
    assert done.returncode == 0
    assert "'of-the-file'" in explained(done.stdout.strip(), None)


# Tokens

SECRET = "a-secret-of-at-least-32-characters"
SETTINGS = Settings(url="ws://host", api_key="key", api_secret=SECRET, room="lobby")


def test_a_token_is_made_for_the_one_who_is_named_and_lasts_as_long_as_asked(tmp_path):
    env = configured("ws://host", "lobby")
    done = run([*COMMAND, "token", "--name", "anna", "--ttl", "90m"], env, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shown = run([*COMMAND, "token", "--decode", done.stdout.strip()], env, tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    for words in ("'anna', shown as 'Anna'", "a person", "'lobby'", "join the room", "(in 90 min)"):
        assert words in shown.stdout
    assert "by the LIVEKIT_API_SECRET that is set here" in shown.stdout
    assert env["LIVEKIT_API_SECRET"] not in shown.stdout
    assert done.stdout.strip() not in shown.stdout


def test_a_token_is_explained_from_stdin_too(tmp_path):
    done = subprocess.run(
        [*COMMAND, "token", "--decode", "-"],
        input=person_token(SETTINGS, "anna") + "\n",
        env=environment_without_livekit(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BEGINS_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0
    assert "who:         'anna'" in done.stdout
    assert "not checked" in done.stdout


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"ttl_s": -600.0}, "(10 min ago)"),
        ({"kind": "agent"}, "agent, which is no person to the sidecar"),
        ({"hidden": True}, "without being shown to the others"),
        ({"room_admin": True}, "list and remove the people of the room"),
        ({"metadata": "vip"}, '"metadata": "vip"'),
    ],
)
def test_what_is_particular_about_a_token_is_said(how, words):
    assert words in explained(mint_token("key", SECRET, "lobby", "anna", **how), SECRET)


def test_a_token_of_another_secret_is_told_apart():
    token = person_token(SETTINGS, "anna")
    assert "not by the LIVEKIT_API_SECRET" in explained(token, "another-secret-of-32-characters!!")


@pytest.mark.parametrize("claims", [{}, {"exp": 10**30}, {"exp": "soon", "video": "all"}])
def test_a_token_that_says_little_or_nonsense_is_explained_all_the_same(claims):
    import jwt

    token = jwt.encode(claims, SECRET, algorithm="HS256", headers={"typ": "JWT"})
    assert "nobody" in explained(token, SECRET)


# diagnose


async def test_diagnose_is_well_on_a_server_and_leaves_no_agent(tmp_path, server):
    options, env = server
    async with running(tmp_path, "dev-server", *options, "--env-file", ".env", **env) as place:
        await place.until("^LIVEKIT_ROOM=dev")
        done = await asyncio.to_thread(run, [*COMMAND, "diagnose", "--json"], None, tmp_path)
        shown = await asyncio.to_thread(run, [*COMMAND, "diagnose"], None, tmp_path)
    assert done.returncode == shown.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    assert [each["name"] for each in found["checks"]][-1] == "room"
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["ok"] * len(found["checks"])


async def test_diagnose_with_a_token_alone_leaves_a_running_agent_in_its_room(tmp_path, server):
    options, env = server
    async with running(tmp_path, "dev-server", *options, "--env-file", ".env", **env) as place:
        url, key, secret, room = [(await place.until(f"^{name}=(.*)"))[1] for name in NAMES]
        (tmp_path / ".env").unlink()
        by_token = {
            "LIVEKIT_URL": url,
            "LIVEKIT_TOKEN": mint_token(key, secret, room, "clara-1", kind="agent"),
        }
        async with client(COMMAND, by_token, tmp_path) as agent:
            await agent.notified(
                "agent-state-changed",
                lambda params: params["state"] == "connected",
                timeout_s=BEGINS_WITHIN_S,
            )
            command = [*COMMAND, "diagnose", "--json"]
            done = await asyncio.to_thread(run, command, by_token, tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            found = json.loads(done.stdout)
            assert found["checks"][-2]["detail"] == "The server accepts the agent's token."
            assert found["checks"][-1]["name"] == "room"
            assert found["checks"][-1]["detail"].startswith("Left out: ")
            assert "'clara-1'" in found["checks"][-1]["detail"]
            assert (await agent.call("getStatus"))["state"] == "connected"
            joined = await asyncio.to_thread(run, [*command, "--join"], by_token, tmp_path)
            assert joined.returncode == 0, joined.stdout + joined.stderr
            assert "is in room" in json.loads(joined.stdout)["checks"][-1]["detail"]


def test_diagnose_with_a_token_alone_fails_where_another_check_fails(tmp_path):
    env = {"LIVEKIT_URL": refusing_url(), "LIVEKIT_TOKEN": token_for("room")}
    done = run([*COMMAND, "diagnose"], env, tmp_path)
    assert done.returncode == 1
    assert re.search(r"FAIL  server .*\n      fix: ", done.stdout)
    assert re.search(r"room +Left out: ", done.stdout)


def test_diagnose_with_a_token_for_another_room_names_the_mistake(tmp_path):
    env = {"LIVEKIT_URL": refusing_url(), "LIVEKIT_TOKEN": token_for("room")}
    done = run([*COMMAND, "diagnose", "--room", "other"], env, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "differs from the room in the token. Fix: " in done.stderr


def test_diagnose_says_what_is_wrong_with_its_fix_and_fails(tmp_path):
    done = run([*COMMAND, "diagnose"], configured(refusing_url(), "room"), tmp_path)
    assert done.returncode == 1
    assert re.search(r"FAIL  server .*\n      fix: ", done.stdout)


def test_diagnose_without_configuration_names_what_lacks_and_fails(tmp_path):
    done = run([*COMMAND, "diagnose", "--json"], {"LIVEKIT_URL": "ws://127.0.0.1:1"}, tmp_path)
    assert done.returncode == 1
    assert "LIVEKIT_API_KEY, LIVEKIT_API_SECRET, LIVEKIT_ROOM not set" in done.stderr
    failed = [each["name"] for each in json.loads(done.stdout)["checks"] if not each["ok"]]
    assert failed == ["configuration"]
    plain = run([*COMMAND, "diagnose"], cwd=tmp_path)
    assert "fix: start `dev-server --env-file .env`" in plain.stdout
