"""The option `proxy`, with a real proxy in front of the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest_asyncio

from sidecar.dev.server import DevServer
from tests.electron.access_app import access_app
from tests.livekit.http_proxy import HttpProxy

HOST = "livekit.test"
"""No name server knows it (RFC 6761, 6.2); the proxy takes it for this machine."""


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[HttpProxy]:
    async with HttpProxy() as running:
        yield running


def behind(server: DevServer) -> str:
    """The server's host and port as somebody beyond the proxy knows it."""
    return f"{HOST}:{urlsplit(server.url).port}"


def options(server: DevServer, room: str, host: str, **more: object) -> dict[str, Any]:
    """An app with a secret, which joins through whatever `more` says."""
    connect = {
        "url": f"ws://{host}",
        "room": room,
        "apiKey": server.api_key,
        "apiSecret": server.api_secret,
    }
    return {"connect": connect, **more}


async def test_the_systems_proxy_is_asked_for_and_gone_through(
    node: Path, server: DevServer, proxy: HttpProxy, tmp_path: Path
) -> None:
    host = behind(server)
    words = f"PROXY {urlsplit(proxy.url).netloc}; DIRECT"
    given = options(server, tmp_path.name, host, proxy="system")
    async with access_app(node, given, systemProxy=words) as app:
        assert "error" not in await app.call("start")
        await app.agent("connected")
        assert {"resolving": f"http://{host}"} in app.said
        assert f"CONNECT {host} HTTP/1.1" in proxy.asked


async def test_a_proxy_by_its_address_counts_more_than_the_environment(
    node: Path, server: DevServer, proxy: HttpProxy, tmp_path: Path
) -> None:
    host = behind(server)
    environment = {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "*"}
    given = options(server, tmp_path.name, host, proxy=proxy.url)
    async with access_app(node, given, environment=environment) as app:
        await app.call("start")
        await app.agent("connected")
        assert f"CONNECT {host} HTTP/1.1" in proxy.asked


async def test_without_a_proxy_that_of_the_environment_is_not_gone_through(
    node: Path, server: DevServer, proxy: HttpProxy, tmp_path: Path
) -> None:
    given = options(server, tmp_path.name, behind(server), proxy="none")
    environment = {"HTTP_PROXY": proxy.url, "https_proxy": proxy.url}
    async with access_app(node, given, environment=environment) as app:
        await app.call("start")
        unreachable = await app.agent("backoff")
        assert unreachable["error"]["category"] == "unreachable"
    assert proxy.asked == []


async def test_the_environment_counts_unless_there_is_an_option(
    node: Path, server: DevServer, proxy: HttpProxy, tmp_path: Path
) -> None:
    host = behind(server)
    given = options(server, tmp_path.name, host)
    async with access_app(node, given, environment={"HTTP_PROXY": proxy.url}) as app:
        await app.call("start")
        await app.agent("connected")
        assert f"CONNECT {host} HTTP/1.1" in proxy.asked


async def test_a_server_on_this_machine_is_reached_without_the_systems_proxy(
    node: Path, server: DevServer, proxy: HttpProxy, tmp_path: Path
) -> None:
    words = f"PROXY {urlsplit(proxy.url).netloc}"
    host = urlsplit(server.url).netloc
    given = options(server, tmp_path.name, host, proxy="system")
    async with access_app(node, given, systemProxy=words) as app:
        await app.call("start")
        await app.agent("connected")
    assert proxy.asked == []
