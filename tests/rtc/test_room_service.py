"""A call of the server's API against a server that misbehaves: bounded, and told as what it is.

No real server can be made to answer these; what the real one answers is held by tests/livekit.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import ssl
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import jwt
import pytest
import trustme
from aiohttp import web
from livekit import api

from sidecar.core.config import Settings, Target, target
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.rtc import trust
from sidecar.rtc.livekit_api import LiveKitServerApi
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.room_service import MAX_ANSWER_BYTES
from sidecar.rtc.server_probe import time_ms

SECRET = "a-secret-that-is-long-enough-0123456789"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[Target]:
    """The target of a server that gives *answer* to every request."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    scheme = "ws" if context is None else "wss"
    try:
        yield target(
            Settings(
                url=f"{scheme}://127.0.0.1:{port}", api_key="key", api_secret=SECRET, room="den"
            )
        )
    finally:
        await runner.cleanup()


async def listing(at: Target) -> int:
    """How many participants the list has."""
    return len(await LiveKitServerApi(Proxies({})).list_participants(at))


async def refusal(at: Target) -> str:
    """What a failed list says."""
    with pytest.raises(ApiCallFailed) as refused:
        await listing(at)
    return f"{refused.value.message} {refused.value.data['fix']}"


async def test_an_answer_without_end_is_read_up_to_the_limit() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"\n\x00" * 500_000)
                sent += 1_000_000
        return response

    async with serving(endless) as at:
        assert str(MAX_ANSWER_BYTES) in await refusal(at)
    assert sent < 3 * MAX_ANSWER_BYTES


async def test_a_packed_answer_is_refused_unread() -> None:
    """1.9 MB of gzip can be 1.9 GB of text."""
    bomb = gzip.compress(b"\x00" * 50_000_000)

    async def pack(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serving(pack) as at:
        tracemalloc.start()
        assert "packed" in await refusal(at)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak_bytes < 10_000_000


async def test_a_list_of_ten_million_participants_is_refused_and_holds_no_other_work() -> None:
    async def crowd(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\n\x00" * 10_000_000)

    async with serving(crowd) as at:
        assert "more than 20000 participants" in await refusal(at)


async def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else() -> None:
    asked: list[str] = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with serving(redirect) as at:
        assert "not as a LiveKit server does" in await refusal(at)
    assert asked == ["/twirp/livekit.RoomService/ListParticipants"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (502, "<html>Bad Gateway</html>", "the LiveKit server behind it does not"),
        (429, "", "too many requests"),
        (403, "<html>Sign in</html>", "not as a LiveKit server does"),
        (403, json.dumps({"code": "permission_denied", "msg": "x"}), "permission_denied"),
        (401, "invalid API key: key", "refused the access token"),
        (500, json.dumps({"code": "internal", "msg": SECRET}), "(status 500, internal)"),
        (500, json.dumps({"code": f"evil {SECRET}"}), "does not know"),
        (200, "<html>Sign in</html>", "not as a LiveKit server does"),
    ],
)
async def test_a_refusal_is_told_as_what_it_is(status: int, body: str, words: str) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    async with serving(refuse) as at:
        told = await refusal(at)
    assert words in told
    assert SECRET not in told


async def test_each_call_has_a_token_for_this_call_alone() -> None:
    tokens: list[dict[str, object]] = []

    async def read(request: web.Request) -> web.StreamResponse:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        tokens.append(jwt.decode(token, SECRET, algorithms=["HS256"]))
        return web.Response(body=api.ListParticipantsResponse().SerializeToString())

    async with serving(read) as at:
        assert await listing(at) == 0
    (claims,) = tokens
    granted = {name for name, value in dict(claims["video"]).items() if value is True}
    assert claims["video"]["room"] == "den"
    assert granted == {"roomAdmin"}
    assert claims["exp"] - claims["nbf"] == 60


@pytest.mark.parametrize("ahead", [timedelta(minutes=5), timedelta(hours=-3), timedelta(days=999)])
async def test_a_clock_that_differs_from_the_server_s_does_not_end_the_calls(
    ahead: timedelta,
) -> None:
    """A token for a minute has expired then, or is not valid yet. A server may name any time."""
    spans: list[int] = []

    async def check(request: web.Request) -> web.StreamResponse:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        now = datetime.now(UTC) + ahead
        times = {"verify_exp": False, "verify_nbf": False}
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], options=times)
        spans.append(claims["exp"] - claims["nbf"])
        if not claims["nbf"] - 60 < now.timestamp() < claims["exp"] + 60:
            date = {"Date": format_datetime(now, usegmt=True)}
            return web.Response(status=401, text="invalid token", headers=date)
        return web.Response(body=api.ListParticipantsResponse().SerializeToString())

    async with serving(check) as at:
        assert await listing(at) == 0
    assert spans == [60, 60]


async def test_a_server_whose_clock_runs_wild_is_asked_twice() -> None:
    asked = 0

    async def refuse(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        then = datetime(2000 + 10 * asked, 1, 1, tzinfo=UTC)
        date = {"Date": format_datetime(then, usegmt=True)}
        return web.Response(status=401, text="invalid token", headers=date)

    async with serving(refuse) as at:
        assert "refused the access token" in await refusal(at)
    assert asked == 2


@pytest.mark.parametrize("date", ["", "soon", "Mon, 01 Jan 2024 00:00:99999999999 GMT"])
def test_a_date_that_no_clock_can_show_is_no_time(date: str) -> None:
    assert time_ms(date) is None


async def test_the_calls_trust_the_authorities_that_the_native_layer_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"")

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "folder" / "ca.pem"
    bundle.parent.mkdir()
    authority.cert_pem.write_to_path(bundle)
    (tmp_path / "folder" / "README").write_text("no certificate")
    async with serving(nothing, context) as at:
        assert "does not trust the certificate" in await refusal(at)
        for name, value in (("SSL_CERT_FILE", bundle), ("SSL_CERT_DIR", bundle.parent)):
            with monkeypatch.context() as patch:
                patch.setenv(name, str(value))
                assert await listing(at) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="Windows and macOS have one store for all")
def test_a_system_s_own_authorities_come_first_and_the_bundle_s_own_where_there_are_none(
    tmp_path: Path,
) -> None:
    """Fedora keeps them where a build made on Debian does not look."""
    fedora = tmp_path / "tls-ca-bundle.pem"
    fedora.touch()
    bundles = (str(tmp_path / "ca-certificates.crt"), str(fedora))
    environ: dict[str, str] = {}
    trust.choose(environ, bundles)
    assert environ == {"SSL_CERT_FILE": str(fedora)}
    fedora.unlink()
    trust.choose(environ, bundles)
    assert environ == {"SSL_CERT_FILE": str(fedora)}
    environ = {"SSL_CERT_DIR": "/my/certificates"}
    trust.choose(environ, bundles)
    assert environ == {"SSL_CERT_DIR": "/my/certificates"}
    environ = {}
    trust.choose(environ, bundles)
    assert trust.context(environ).get_ca_certs()


@pytest.mark.parametrize(
    ("url", "proxy", "reads"),
    [
        ("http://127.0.0.1:7880", None, False),
        ("http://127.0.0.1:7880", "http://proxy:3128", False),
        ("https://example.com", None, True),
        ("http://127.0.0.1:7880", "https://proxy:3128", True),
    ],
)
def test_a_request_reads_the_store_only_if_a_connection_of_it_has_tls(
    url: str, proxy: str | None, *, reads: bool
) -> None:
    trusted = trust.of_request(url, proxy, {"SSL_CERT_FILE": os.devnull})
    assert isinstance(trusted, ssl.SSLContext) is reads
    assert trusted
