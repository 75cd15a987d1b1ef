"""`python -m sidecar demo` as a person runs it: its lines, its status, and that nothing is left."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer, answers_200

ENDS_WITHIN_S = 60.0
GONE_WITHIN_S = 10.0
MARK = "SIDECAR_TEST_MARK"


class Demo:
    """A running demo; `lines` is what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process, mark: str) -> None:
        self.process = process
        self.lines: list[str] = []
        self._mark = mark

    async def until(self, pattern: str) -> re.Match[str]:
        """Read on to the first line that matches."""
        while line := (await self.process.stdout.readline()).decode():
            self.lines.append(line.rstrip("\n"))
            if match := re.search(pattern, line):
                return match
        pytest.fail("\n".join([f"the demo ended without {pattern!r}:", *self.lines]))

    async def end(self) -> int:
        """Read to its end; give its status."""
        async with asyncio.timeout(ENDS_WITHIN_S):
            while line := await self.process.stdout.readline():
                self.lines.append(line.decode().rstrip("\n"))
            return await self.process.wait()

    def relatives(self) -> list[int]:
        """The pids of all that carry the demo's mark in their environment."""
        found = []
        for environment in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"{MARK}={self._mark}".encode() in environment.read_bytes():
                    found.append(int(environment.parent.name))
            except OSError:
                continue
        return found

    async def until_nothing_is_left(self) -> None:
        """Wait until its children are gone and its server does not answer."""
        port = int(re.search(r"LiveKit server: ws://127.0.0.1:(\d+)", "\n".join(self.lines))[1])
        async with asyncio.timeout(GONE_WITHIN_S):
            while self.relatives() or await answers_200(port):  # noqa: ASYNC110 - tells by no event
                await asyncio.sleep(0.05)


@asynccontextmanager
async def demo(binary: Path, *arguments: str, **variables: str) -> AsyncIterator[Demo]:
    mark = uuid.uuid4().hex
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "demo", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LIVEKIT_SERVER": str(binary), MARK: mark, **variables},
    )
    try:
        yield Demo(process, mark)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_demo_shows_each_person_come_and_go_and_ends_by_itself(server_binary):
    # None of these is the demo's business without --url.
    variables = {"LIVEKIT_URL": "ws://127.0.0.1:1", "LIVEKIT_API_SECRET": "not-to-be-used"}
    async with demo(server_binary, **variables) as running:
        assert await running.end() == 0, "\n".join(running.lines)
        await running.until_nothing_is_left()
    text = "\n".join(running.lines)
    for name in ("anna", "ben"):
        assert len(re.findall(rf"session-created +session_\d+_{name} ", text)) == 1
        assert len(re.findall(rf"session-closed +session_\d+_{name} reason=left ", text)) == 1
        assert f"🎤 Participant joined: {name}" in text
    assert re.search(r"app <- sidecar +listSessions +2: session_\d+_anna ", text)
    assert re.search(r"app <- sidecar +listSessions +none", text)
    assert "The promise held" in text
    assert running.lines[-1].startswith("Next: ")


@pytest.mark.full
async def test_a_kept_demo_can_be_joined_with_the_token_it_prints_and_ends_on_ctrl_c(server_binary):
    async with demo(server_binary, "--keep") as running:
        url = (await running.until(r"^  url +(\S+)"))[1]
        token = (await running.until(r"^  token +(\S+)"))[1]
        you = Person(url, token, "you")
        await you.join()
        await running.until(r"session-created +session_\d+_you ")
        await you.leave()
        await running.until(r"session-closed +session_\d+_you reason=left ")
        running.process.send_signal(signal.SIGINT)
        assert await running.end() == 0
        await running.until_nothing_is_left()


@pytest.mark.full
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
async def test_a_demo_that_is_ended_early_leaves_nothing(server_binary, name):
    async with demo(server_binary) as running:
        await running.until(r"anna joins")
        running.process.send_signal(signal.Signals[name])
        assert await running.end() == (-9 if name == "SIGKILL" else 130)
        await running.until_nothing_is_left()


@pytest.mark.full
async def test_the_demo_uses_a_given_server_and_leaves_it_running(server_binary):
    async with DevServer(server_binary) as server:
        variables = {
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
        }
        async with demo(
            server_binary, "--url", server.url, "--room", "mine", **variables
        ) as running:
            assert await running.end() == 0, "\n".join(running.lines)
        assert f"LiveKit server: {server.url}, room: mine" in running.lines
        assert server.api_secret not in "\n".join(running.lines)
        assert server.alive


async def test_a_given_server_without_keys_is_a_sentence_with_the_fix(server_binary):
    async with demo(server_binary, "--url", "ws://127.0.0.1:1") as running:
        assert await running.end() == 2
    assert "LIVEKIT_API_KEY, LIVEKIT_API_SECRET not set. Fix: " in running.lines[-1]


async def test_a_server_that_is_not_there_fails_the_demo_with_the_cause(server_binary):
    variables = {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "s" * 32}
    async with demo(server_binary, "--url", "ws://127.0.0.1:1", **variables) as running:
        assert await running.end() == 1
    (told,) = (line for line in running.lines if line.startswith("The demo failed: 1002 "))
    assert " Fix: " in told
    assert "{" not in told


async def test_the_demo_takes_a_servers_url_and_keys_from_a_file(server_binary, tmp_path):
    file = tmp_path / "a.env"
    file.write_text(
        "LIVEKIT_URL=ws://127.0.0.1:1\nLIVEKIT_API_KEY=key\n"
        f"LIVEKIT_API_SECRET={'s' * 32}\nLIVEKIT_ROOM=other\n"
    )
    async with demo(server_binary, "--env-file", str(file)) as running:
        assert await running.end() == 1
    assert any(
        re.match(r"LiveKit server: ws://127.0.0.1:1, room: demo-", line) for line in running.lines
    )
