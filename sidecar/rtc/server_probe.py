"""Owns the probe of a LiveKit server: its answer, its clock, and whether it accepts a token.

Reads the status and the headers of an answer, and no body.

Does not know rooms, nor which fix a finding needs.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sidecar.core.diagnosis import ServerProbe
from sidecar.rtc import trust
from sidecar.rtc.interfaces import has_interface_beside_loopback

if TYPE_CHECKING:
    import aiohttp

ANSWER_WITHIN_S = 3.25
"""Seconds for each of two requests. `diagnose` must answer within 10 s."""


def http_url(url: str) -> str:
    """Return the HTTP address for *url*: `ws` becomes `http`, `wss` becomes `https`."""
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Answers of the server to two questions that a failed join leaves open."""

    time_ms: int | None = None
    """The server's clock, milliseconds since 1970; None if it sent none."""
    wants_tls: bool = False
    """Whether the server takes only connections with TLS."""


async def look_again(url: str, proxy: str | None) -> SecondLook:
    """Ask the server at the HTTP address *url* for its clock, and for TLS; never raises.

    The server wants TLS if it redirects to the same host with https, or if it gives no HTTP answer
    and completes a TLS handshake.
    """
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    asked = urlsplit(url)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=timeout, proxy=proxy, connector=await _trusting(url, proxy)
            ) as http,
            http.get(url, allow_redirects=False) as answer,
        ):
            to = urlsplit(answer.headers.get("Location", ""))
            wants_tls = (asked.scheme, to.scheme) == ("http", "https")
            return SecondLook(
                time_ms(answer.headers.get("Date", "")),
                wants_tls and to.hostname == asked.hostname,
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        if proxy is not None or asked.scheme != "http":
            return SecondLook()
    return SecondLook(wants_tls=await _speaks_tls(asked.hostname, asked.port or 80))


async def _trusting(url: str, proxy: str | None) -> aiohttp.TCPConnector:
    import aiohttp

    trusted = await asyncio.to_thread(trust.of_request, url, proxy, os.environ)
    return aiohttp.TCPConnector(ssl=trusted)


async def _speaks_tls(host: str | None, port: int) -> bool:
    """Whether a TLS handshake succeeds. Sends nothing, so the certificate does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (TimeoutError, OSError, ValueError):  # ssl.SSLError is an OSError
        return False
    writer.transport.abort()
    return True


async def look(url: str, token: str, proxy: str | None) -> ServerProbe:
    """Probe the server at the HTTP address *url* through *proxy*; never raises.

    *proxy* None: directly. The server also checks *token*; the probe does not join a room.
    """
    has_network = await asyncio.to_thread(has_interface_beside_loopback)
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    try:
        async with aiohttp.ClientSession(
            timeout=timeout, proxy=proxy, connector=await _trusting(url, proxy)
        ) as http:
            status, time_ms = await _status(http, url, {})
            if status is None:
                return ServerProbe(has_network)
            # Sends the token in a header: servers and proxies write addresses to their logs.
            bearer = {"Authorization": f"Bearer {token}"}
            token_status, _ = await _status(http, f"{url.rstrip('/')}/rtc/validate", bearer)
    except aiohttp.ClientConnectorDNSError:
        return ServerProbe(has_network, is_name_unknown=proxy is None)
    return ServerProbe(has_network, status, token_status, time_ms)


async def _status(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> tuple[int | None, int | None]:
    """Return the HTTP status and the server's clock in milliseconds since 1970.

    Without an answer, both are None. Without a readable `Date` header, the clock is None.

    Raises:
        aiohttp.ClientConnectorDNSError: no address was found for the name of the server or proxy.
    """
    import aiohttp

    try:
        async with http.get(url, headers=headers, allow_redirects=False) as answer:
            return answer.status, time_ms(answer.headers.get("Date", ""))
    except aiohttp.ClientConnectorDNSError:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None, None


def time_ms(date: str) -> int | None:
    """Return the time of a `Date` header, milliseconds since 1970; None if it has no such form."""
    import email.utils  # here: it takes 2 ms of each start, and the probe comes later

    try:
        return round(email.utils.parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None
