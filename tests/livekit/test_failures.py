"""A join that fails on the real server: said once, with its cause and its fix, and mended."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sidecar.agent.announcer import CRITICAL_LINE
from sidecar.dev.child import environment_without_livekit
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, RpcError, SidecarClient
from sidecar.dev.tokens import mint_token
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import connect_params, identities, session_of
from tests.livekit.tls_front import TlsFront

pytestmark = pytest.mark.full


def _refusal(caught: pytest.ExceptionInfo[RpcError]) -> JsonObject:
    assert caught.value.code == 1002
    assert isinstance(caught.value.data, dict)
    assert {"category", "detail", "fix", "retryable"} <= set(caught.value.data)
    return caught.value.data


async def _fails(sidecar: SidecarClient, params: JsonObject) -> JsonObject:
    with pytest.raises(RpcError) as caught:
        await sidecar.call("connect", params)
    return _refusal(caught)


@pytest.mark.parametrize(
    ("change", "category", "retryable"),
    [
        ({"apiSecret": "not-the-secret-of-this-server-0123456789"}, "unauthorized", False),
        ({"apiKey": "not-the-key"}, "unauthorized", False),
        ({"url": "ws://127.0.0.1:1"}, "unreachable", True),
        ({"url": "ftp://127.0.0.1:7880"}, "malformed", False),
        ({"url": "not a url"}, "malformed", False),
    ],
    ids=["secret", "key", "port", "scheme", "url"],
)
async def test_a_failed_connect_names_the_category_and_the_fix_and_the_process_stays_up(
    server: DevServer,
    room: str,
    sidecar_command: list[str],
    change: JsonObject,
    category: str,
    retryable: bool,
) -> None:
    async with SidecarClient([*sidecar_command, "--wait", "--log-level", "debug"]) as sidecar:
        told = await _fails(sidecar, {**connect_params(server, room), **change})
        assert (told["category"], told["retryable"]) == (category, retryable)
        await sidecar.logged(f"{category}: ")
        lines = list(sidecar.stderr_lines)
        assert lines[lines.index(CRITICAL_LINE) + 1].startswith(f"{category}: ")
        status = await sidecar.call("getStatus")
        assert status["state"] == ("backoff" if retryable else "failed")
        assert status["lastError"] == told
        # The cause gone, the same process joins.
        status = await sidecar.call("disconnect")
        assert status["state"] == "idle"
        status = await sidecar.call("connect", connect_params(server, room))
        assert status["state"] == "connected"
        assert "lastError" not in status
        assert await sidecar.stop() == 0


async def test_a_path_in_the_url_is_not_found(
    server: DevServer, room: str, sidecar_command: list[str]
) -> None:
    async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
        params = connect_params(server, room, url=server.url + "/nowhere")
        assert (await _fails(sidecar, params))["category"] == "not-found"
        await sidecar.stop()


async def test_tls_to_a_server_without_it_is_a_matter_of_tls(
    server: DevServer, room: str, sidecar_command: list[str]
) -> None:
    async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
        params = connect_params(server, room, url=server.url.replace("ws://", "wss://"))
        assert (await _fails(sidecar, params))["category"] == "tls"
        await sidecar.stop()


async def test_a_proxy_that_drops_upgrades_is_told_as_that(
    server: DevServer, room: str, sidecar_command: list[str]
) -> None:
    """nginx without `proxy_set_header Upgrade` does this; a real server behind it."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        kept = re.sub(rb"(?im)^(upgrade|connection):.*\r\n", b"", head)
        behind, onward = await asyncio.open_connection("127.0.0.1", urlsplit(server.url).port)
        onward.write(kept.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        writer.write(await behind.read())
        onward.close()
        writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as proxy:
        port = proxy.sockets[0].getsockname()[1]
        async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
            params = connect_params(server, room, url=f"ws://127.0.0.1:{port}")
            told = await _fails(sidecar, params)
            assert (told["category"], told["retryable"]) == ("no-websockets", True)
            assert await sidecar.stop() == 0


async def test_one_trust_store_serves_the_join_and_the_calls_of_the_api(
    server: DevServer,
    room: str,
    person: Arrive,
    sidecar_command: list[str],
    tmp_path: Path,
) -> None:
    """A real server behind TLS of a private authority, for the source and the frozen build."""
    async with TlsFront(server.url, tmp_path) as front:
        params = connect_params(server, room, url=front.url)
        async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
            told = await _fails(sidecar, params)
            assert (told["category"], told["retryable"]) == ("untrusted-certificate", True)
            assert await sidecar.stop() == 0
        trusting = environment_without_livekit({"SSL_CERT_FILE": str(front.authority)})
        async with SidecarClient([*sidecar_command, "--wait"], env=trusting) as sidecar:
            await sidecar.call("connect", params)
            await person("bob").join()
            created = await sidecar.notified("session-created")
            session_id = session_of(created.params)["sessionId"]
            closed = await sidecar.call("closeSession", {"sessionId": session_id})
            assert closed["connectionState"] == "closed"
            checks = (await sidecar.call("diagnose"))["checks"]
            assert [each["name"] for each in checks if not each["ok"]] == []
            assert await sidecar.stop() == 0


async def test_a_server_that_takes_the_connection_and_says_nothing_is_answered_in_time(
    server: DevServer, room: str, sidecar_command: list[str]
) -> None:
    """A listening socket that nobody accepts from: no real server can be made to do this."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
            params = connect_params(server, room, url=f"ws://127.0.0.1:{port}")
            told = await _fails(sidecar, params)
            assert (told["category"], told["retryable"]) == ("timeout", True)
            assert (await sidecar.call("getStatus"))["state"] == "connecting"
            # In time also while a connect is in flight that must not be cancelled.
            assert await sidecar.stop() == 0


async def test_the_agent_joins_by_itself_once_the_server_is_there(
    server_binary: Path, room: str, sidecar_command: list[str]
) -> None:
    server = DevServer(server_binary)
    async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
        told = await _fails(sidecar, connect_params(server, room))
        assert told["category"] == "unreachable"
        async with server:
            await sidecar.notified(
                "agent-state-changed", lambda params: params["state"] == "connected", timeout_s=35
            )
            assert list(sidecar.stderr_lines).count(CRITICAL_LINE) == 1
            assert (await sidecar.call("getStatus"))["attempt"] == 0
            assert await sidecar.stop() == 0


async def test_without_configuration_the_sidecar_says_so_waits_and_then_connects(
    server: DevServer, room: str, person: Arrive, sidecar_command: list[str]
) -> None:
    async with SidecarClient(sidecar_command) as sidecar:
        assert "LIVEKIT_URL" in await sidecar.logged("Not configured")
        assert (await sidecar.call("getStatus"))["state"] == "idle"
        with pytest.raises(RpcError) as caught:
            await sidecar.call("connect")
        assert caught.value.code == -32602
        assert (await sidecar.call("getStatus"))["state"] == "idle"
        await sidecar.call("connect", connect_params(server, room))
        bob = person("bob")
        await bob.join()
        await sidecar.notified("session-created")
        assert await identities(sidecar) == ["bob"]
        await sidecar.stop()


async def test_no_token_and_no_secret_is_ever_shown(
    server: DevServer, room: str, sidecar_command: list[str]
) -> None:
    """A server that refuses a token says the whole token back."""
    wrong = "a-secret-that-this-server-does-not-know-0123456789"
    token = mint_token(server.api_key, wrong, room, "clara", kind="agent")
    environment = environment_without_livekit({"LIVEKIT_RTC_DEBUG": "1", "RUST_LOG": "trace"})
    command = [*sidecar_command, "--wait", "--log-level", "debug"]
    async with SidecarClient(command, env=environment) as sidecar:
        for credentials in (
            {"apiKey": server.api_key, "apiSecret": wrong},
            {"token": token},
        ):
            told = await _fails(sidecar, {"url": server.url, "room": room, **credentials})
            assert told["category"] == "unauthorized"
        await sidecar.call("connect", connect_params(server, room))
        assert await sidecar.stop() == 0
        shown = b"".join(sidecar.lines).decode() + "\n".join(sidecar.stderr_lines)
    for secret in (token, token[:24], wrong, server.api_secret, "eyJ"):
        assert secret not in shown
