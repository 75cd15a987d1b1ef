"""Owns a call of LiveKit's room service: its token, its limits, and the cause of its failure.

Does not use `LiveKitAPI` of `livekit.api`, which follows redirects, unpacks and reads an answer
without end, and signs each call with a token for six hours. Does not know the calls' meanings.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sidecar.core.config import Target, shown_url
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.failures import Category, failure
from sidecar.rtc import access_tokens, trust
from sidecar.rtc.connect_errors import category_of_status
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.server_probe import http_url, time_ms

if TYPE_CHECKING:
    import aiohttp
    from google.protobuf.message import Message


Answer = TypeVar("Answer")

CALL_WITHIN_S = 8.0
"""Seconds for one call, the way through the proxy included."""
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""A list of 260 participants with all texts at the server's limits."""
MAX_ERROR_BYTES = 4 * 1024
TOKEN_S = 60
"""Seconds for which the token of one call is valid, by the server's clock."""

_LOCAL = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EACCES, errno.EPERM}


class NotFound(Exception):
    """The server does not find the participant or the room."""


class RoomService:
    """Calls the room service of a target's server, one request for each call."""

    def __init__(self, proxies: Proxies) -> None:
        """Ask *proxies* which proxy to use for each server."""
        self._proxies = proxies
        self._ahead_s = 0.0
        """How far the server's clock is ahead of this machine's, once it refused a token for it."""

    async def call(
        self, target: Target, method: str, request: Message, read: Callable[[bytes], Answer]
    ) -> Answer:
        """Call *method* of the target's server with *request*; return what *read* makes of it.

        *read* gets the answer on a thread, and raises DecodeError for an answer that is not fit.

        Raises:
            ApiCallFailed: the server refused, gave no fit answer, or none within 8 s.
            NotFound: the server does not find the participant or the room.
        """
        import aiohttp
        from google.protobuf.message import DecodeError

        url = shown_url(target.url)
        try:
            async with asyncio.timeout(CALL_WITHIN_S):
                proxy = await self._proxies.of(target.url)
                body = await self._post(target, method, request, proxy)
                return await asyncio.to_thread(read, body)
        except DecodeError as error:
            raise _failed(Category.OTHER_SERVER, url, str(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _failed(_category_of(error), url) from None

    async def _post(
        self,
        target: Target,
        method: str,
        request: Message,
        proxy: str | None,
        *,
        is_again: bool = False,
    ) -> bytes:
        """Return the answer. Asks again, with a token by the server's clock, if clocks differ."""
        import aiohttp

        token = access_tokens.service_token(target, TOKEN_S, self._ahead_s)
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/protobuf",
            "Accept-Encoding": "identity",
        }
        url = f"{http_url(target.url).rstrip('/')}/twirp/livekit.RoomService/{method}"
        trusted = await asyncio.to_thread(trust.of_request, url, proxy, os.environ)
        connector = aiohttp.TCPConnector(ssl=trusted)
        async with (
            aiohttp.ClientSession(connector=connector, auto_decompress=False) as http,
            http.post(
                url,
                data=request.SerializeToString(),
                headers=headers,
                proxy=proxy,
                allow_redirects=False,
            ) as answer,
        ):
            if answer.status == 200:
                return await _read(answer, shown_url(target.url))
            if not is_again and self._learns_clock(answer, target):
                return await self._post(target, method, request, proxy, is_again=True)
            raise await _refusal(answer, shown_url(target.url))

    def _learns_clock(self, answer: aiohttp.ClientResponse, target: Target) -> bool:
        """Take the server's clock if it may be why the server refused the token."""
        server_ms = time_ms(answer.headers.get("Date", ""))
        if answer.status != 401 or target.api_secret is None or server_ms is None:
            return False
        ahead_s = server_ms / 1000 - time.time()
        if abs(ahead_s - self._ahead_s) <= TOKEN_S:
            return False
        self._ahead_s = ahead_s
        return True


async def _read(answer: aiohttp.ClientResponse, url: str) -> bytes:
    """Return the body of *answer*, which must not be packed or over MAX_ANSWER_BYTES."""
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _failed(Category.OTHER_SERVER, url, "a packed answer that was not asked for")
    body = bytearray()
    async for chunk in answer.content.iter_chunked(256 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise _failed(Category.OTHER_SERVER, url, f"more than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


async def _refusal(answer: aiohttp.ClientResponse, url: str) -> Exception:
    """Return the error for an *answer* that is no success."""
    body = await answer.content.read(MAX_ERROR_BYTES)
    try:
        code = json.loads(body).get("code")
    except (ValueError, AttributeError, RecursionError):
        code = None
    if code == "not_found" and answer.status == 404:
        return NotFound()
    if isinstance(code, str) and code.isidentifier() and len(code) <= 32:  # Twirp's own errors
        return ApiCallFailed(
            f"The LiveKit server refused the call (status {answer.status}, {code}).",
            "Check that the API key and secret belong to this server, and look into its log.",
        )
    text = body.decode("utf-8", "replace").lower()
    category = category_of_status(answer.status, text, is_handshake=False)
    return _failed(category, url, f"status {answer.status}")


def _failed(category: Category, url: str, answer: str = "") -> ApiCallFailed:
    found = failure(category, url, answer)
    return ApiCallFailed(found.detail, found.fix)


def _category_of(error: Exception) -> Category:
    import aiohttp

    if isinstance(error, TimeoutError):
        return Category.TIMEOUT
    if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        return Category.PROXY
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return Category.UNTRUSTED_CERTIFICATE
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return Category.TLS
    if isinstance(error, OSError):
        return Category.LOCAL if error.errno in _LOCAL else Category.UNREACHABLE
    return Category.OTHER_SERVER if isinstance(error, aiohttp.ClientError) else Category.INTERNAL
