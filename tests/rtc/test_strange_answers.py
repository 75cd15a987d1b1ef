"""What a join says when something other than LiveKit answers: the real SDK, scripted answers.

No real server can be made to answer these.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from sidecar.core.config import Settings, target
from sidecar.core.contract.failures import Category
from sidecar.core.facts import Fact, JoinFailed
from sidecar.redaction import Redactor
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.room import LiveKitRoom

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjbGFyYSIsInZpZGVvIjp7InJvb20iOiJyIn19.c2lnbmF0dXJl"
PAGE = b"<html>Sign in</html>"


def answer(status: bytes, body: bytes = b"", header: bytes = b"") -> bytes:
    """An answer of HTTP/1.1 that closes its connection."""
    length = str(len(body)).encode()
    head = b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: " + length
    return head + b"\r\n" + header + b"\r\n" + body


@contextlib.asynccontextmanager
async def answering(text: bytes, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A port on which every request gets *text*."""

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(text.replace(b"PORT", str(port).encode()))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield port
        for each in writers:
            each.transport.abort()
    await asyncio.sleep(0)  # an aborted transport closes its socket at the next turn


async def refused(url: str) -> JoinFailed:
    """The one fact of a join at *url*."""
    facts: list[Fact] = []
    at = target(Settings(url=url, token=TOKEN, room="r"))
    room = LiveKitRoom(
        at,
        TOKEN,
        facts.append,
        now_s=asyncio.get_running_loop().time,
        proxies=Proxies(os.environ),
        rss_bytes=lambda: 0,
        redact=Redactor(),
    )
    await room.join()
    (fact,) = facts
    assert isinstance(fact, JoinFailed)
    return fact


@pytest.mark.parametrize(
    ("text", "category", "words"),
    [
        (answer(b"200 OK", PAGE), Category.OTHER_SERVER, "200 OK"),
        (answer(b"403 Forbidden", PAGE), Category.OTHER_SERVER, "403 Forbidden - <html>Sign in"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", Category.OTHER_SERVER, "no HTTP"),
        (answer(b"502 Bad Gateway", PAGE), Category.SERVER_DOWN, "502 Bad Gateway"),
        (answer(b"429 Too Many Requests"), Category.RATE_LIMITED, ""),
        (answer(b"500 Oops", b"token " + TOKEN.encode()), Category.UNKNOWN, "token [token]"),
        (
            answer(b"301 Moved", b"", b"Location: https://127.0.0.1/\r\n"),
            Category.USE_WSS,
            "",
        ),
        (
            answer(b"302 Found", b"", b"Location: https://portal.example/\r\n"),
            Category.OTHER_SERVER,
            "302 Found",
        ),
    ],
    ids=["page", "403", "ssh", "502", "429", "500", "https", "portal"],
)
async def test_what_answers_in_place_of_livekit_is_told_as_what_it_is(
    text: bytes, category: Category, words: str
) -> None:
    async with answering(text) as port:
        fact = await refused(f"ws://127.0.0.1:{port}")
    assert fact.category == category
    assert words in fact.answer
    assert TOKEN not in fact.answer


async def test_a_port_with_tls_asks_for_wss(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with answering(answer(b"200 OK"), context) as port:
        assert (await refused(f"ws://127.0.0.1:{port}")).category == Category.USE_WSS


async def test_a_certificate_that_nobody_signed_is_not_trusted() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with answering(answer(b"200 OK"), context) as port:
        fact = await refused(f"wss://127.0.0.1:{port}")
    assert fact.category == Category.UNTRUSTED_CERTIFICATE


async def test_the_clock_of_a_server_that_refuses_the_token_is_read() -> None:
    header = b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    text = answer(b"401 Unauthorized", b"invalid token: x, error: token has invalid claims", header)
    async with answering(text) as port:
        fact = await refused(f"ws://127.0.0.1:{port}")
    assert (fact.category, fact.server_ms) == (Category.UNAUTHORIZED, 1_767_225_600_000)
