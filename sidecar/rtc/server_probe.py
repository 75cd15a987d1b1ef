"""Owns a look at a LiveKit server from outside: whether it answers, its clock, and a token.

Does not know rooms, nor what the findings mean.
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
"""Each of two requests: `diagnose` answers within 10 s."""


def http_url(url: str) -> str:
    """The address of the server's HTTP side: `ws://` and `wss://` stand for that as well."""
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url


async def look(url: str, token: str, proxy: str | None) -> ServerProbe:
    """Look at the server at *url* through *proxy*, and let it judge *token*; never raises."""
    has_network = await asyncio.to_thread(has_interface_beside_loopback)
    import aiohttp

    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S), proxy=proxy
    ) as http:
        status, time_ms = await _status(http, url, {})
        if status is None:
            return ServerProbe(has_network)
        # In a header, not in the address, which servers and proxies write to their logs.
        bearer = {"Authorization": f"Bearer {token}"}
        token_status, _ = await _status(http, f"{url.rstrip('/')}/rtc/validate", bearer)
    return ServerProbe(has_network, status, token_status, time_ms)


async def _status(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> tuple[int | None, int | None]:
    """The status, and the server's clock in milliseconds; None where there is no such thing."""
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
