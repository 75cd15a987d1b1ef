"""Hears the server's webhooks.

Owns the HTTP endpoint. Does not check signatures: only our own server knows the port.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from aiohttp import web


class Webhooks:
    """`async with Webhooks(take) as hooks`; the server is told `hooks.url`."""

    def __init__(self, take: Callable[[float, Mapping[str, object]], None]) -> None:
        """*take* is given the time of arrival, monotonic seconds, and each event."""
        self.url = ""
        self._take = take
        app = web.Application()
        app.router.add_post("/", self._on_post)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Webhooks:
        """Listen on a free port of loopback."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    async def _on_post(self, request: web.Request) -> web.Response:
        self._take(time.monotonic(), json.loads(await request.read()))
        return web.Response()
