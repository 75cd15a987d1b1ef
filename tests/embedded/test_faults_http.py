"""A server that answers as none should: classified, within its bound, and mended by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp import web

from sidecar.agent.announcer import CRITICAL_LINE
from sidecar.dev.embedded.script import Script
from tests.embedded import scripts
from tests.embedded.conftest import StartSidecar, scripted
from tests.embedded.scripts import Answer, Answering

REJOINED_S = 60.0
"""The longest backoff, 30 s, and a join; the rest is for a busy machine."""

REFUSING: Mapping[str, tuple[Answer, str, bool]] = {
    "401": (scripts.status(401, "no permissions to access the room"), "unauthorized", False),
    "403": (scripts.status(403), "other-server", True),
    "404": (scripts.status(404), "other-server", True),
    "407": (scripts.status(407), "proxy", True),
    "429": (scripts.status(429), "rate-limited", True),
    "500": (scripts.status(500, "panic: <html>"), "unknown", True),
    "502": (scripts.status(502), "server-down", True),
    "503": (scripts.status(503), "server-down", True),
    "200": (scripts.status(200, "Welcome to nginx!"), "other-server", True),
}


@pytest.mark.full
@pytest.mark.parametrize("name", REFUSING)
async def test_a_status_instead_of_signalling_is_classified_and_the_join_follows_once_it_is_gone(
    sidecar_at: StartSidecar, name: str
) -> None:
    answer, category, retryable = REFUSING[name]
    script = Answering(scripts.SIGNALLING, answer)
    async with scripted(script) as server:
        sidecar = await sidecar_at(server)
        told = await sidecar.cause()
        assert (told["category"], told["retryable"]) == (category, retryable)
        await sidecar.client.logged(CRITICAL_LINE)
        script.is_on = False
        if not retryable:
            await sidecar.is_in("failed")
            await sidecar.connect()
        await sidecar.is_in("connected", within_s=REJOINED_S)
        assert list(sidecar.client.stderr_lines).count(CRITICAL_LINE) == 1


class Recording(Script):
    """Keeps what was asked of it, and knows nothing."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.asked: list[tuple[str, str | None]] = []
        """(path, Authorization header) of each request."""

    async def answers(self, request: web.Request) -> web.StreamResponse | None:
        """Keep it, and say that there is no such thing."""
        self.asked.append((request.path, request.headers.get("Authorization")))
        return web.Response(status=404)


async def test_a_redirect_elsewhere_is_a_failure_and_takes_no_token_along(
    sidecar_at: StartSidecar,
) -> None:
    elsewhere = Recording()
    async with scripted(elsewhere) as other:
        script = Answering(scripts.SIGNALLING, scripts.redirect(other.url.replace("ws", "http", 1)))
        async with scripted(script) as server:
            sidecar = await sidecar_at(server)
            told = await sidecar.cause()
            assert told["retryable"] is True
            script.is_on = False
            await sidecar.is_in("connected", within_s=REJOINED_S)
    assert [token for _, token in elsewhere.asked if token is not None] == []


async def test_a_redirect_to_itself_ends(sidecar_at: StartSidecar) -> None:
    async with scripted(Answering(scripts.SIGNALLING, scripts.redirect(""))) as server:
        sidecar = await sidecar_at(server)
        assert (await sidecar.cause())["retryable"] is True


async def test_what_does_not_speak_http_is_a_failure(sidecar_at: StartSidecar, room: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(range(256)))
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, scripted(Script()) as server:
        sidecar = await sidecar_at(server)
        there, sidecar.params["url"] = sidecar.params["url"], f"ws://127.0.0.1:{port}"
        told = await sidecar.cause()
        assert (told["category"], told["retryable"]) == ("other-server", True)
        await sidecar.client.call("disconnect")
        sidecar.params["url"] = there
        assert (await sidecar.connect())["state"] == "connected"
