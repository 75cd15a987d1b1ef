"""A participant who gets as far as the websocket: signalling by hand, and never any media.

Owns one such connection. The server takes it for one who is joining; nobody is told of it at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp

PROTOCOL = "17"
"""Of LiveKit's signalling; rust-sdks livekit-api/src/signal_client/mod.rs."""


@contextlib.asynccontextmanager
async def websocket_only(url: str, token: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Join *url* over the websocket alone, until the end of the block drops it."""
    query = urlencode(
        {
            "access_token": token,
            "protocol": PROTOCOL,
            "auto_subscribe": "0",
            "sdk": "python",
            "version": "1.2.1",
        }
    )
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{url}/rtc?{query}", autoping=True) as websocket:
            first = await websocket.receive(timeout=10.0)
            assert first.type is aiohttp.WSMsgType.BINARY, first  # the JoinResponse
            yield websocket
