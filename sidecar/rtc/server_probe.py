"""Owns the probe of a LiveKit server: does it answer, what is its clock, does it accept a token.

Does not know rooms, nor which fix a finding needs.
"""

from __future__ import annotations

import asyncio
import email.utils
from typing import TYPE_CHECKING

from sidecar.core.diagnosis import ServerProbe
from sidecar.rtc.interfaces import has_interface_beside_loopback

if TYPE_CHECKING:
    import aiohttp

ANSWER_WITHIN_S = 3.25
"""Seconds for each of two requests. `diagnose` must answer within 10 s."""


def http_url(url: str) -> str:
    """Return the HTTP address for *url*: `ws` becomes `http`, `wss` becomes `https`."""
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url


async def look(url: str, token: str, proxy: str | None) -> ServerProbe:
    """Probe the server at the HTTP address *url* through *proxy*; never raises.

    *proxy* None: directly. The server also checks *token*; the probe does not join a room.
    """
    has_network = await asyncio.to_thread(has_interface_beside_loopback)
    import aiohttp

    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S), proxy=proxy
    ) as http:
        status, time_ms = await _status(http, url, {})
        if status is None:
            return ServerProbe(has_network)
        # Sends the token in a header: servers and proxies write addresses to their logs.
        bearer = {"Authorization": f"Bearer {token}"}
        token_status, _ = await _status(http, f"{url.rstrip('/')}/rtc/validate", bearer)
    return ServerProbe(has_network, status, token_status, time_ms)


async def _status(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> tuple[int | None, int | None]:
    """Return the HTTP status and the server's clock in milliseconds since 1970.

    Without an answer, both are None. Without a readable `Date` header, the clock is None.
    """
    import aiohttp

    try:
        async with http.get(url, headers=headers, allow_redirects=False) as answer:
            return answer.status, _time_ms(answer.headers.get("Date", ""))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None, None


def _time_ms(date: str) -> int | None:
    try:
        return round(email.utils.parsedate_to_datetime(date).timestamp() * 1000)
    except (ValueError, TypeError):
        return None
