"""A forward proxy on loopback, as companies run one: CONNECT, and requests in absolute form.

Owns its connections and the ledger of what it was asked for. It resolves every name to this
machine, so that a name that nobody else can resolve is reached through it or not at all. Media
does not pass through such a proxy.
"""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import urlsplit

from tests.livekit.listener import Listener, pump


class HttpProxy(Listener):
    """`async with HttpProxy() as proxy`: listens at `proxy.url`; `proxy.asked` is its ledger."""

    def __init__(self, credentials: str | None = None) -> None:
        """`credentials` is `user:password`; who does not bring it is answered 407."""
        super().__init__()
        self.asked: list[str] = []
        """The first line of each request, in order."""
        self._authorization = credentials and (
            "Basic " + base64.b64encode(credentials.encode()).decode()
        )
        self._userinfo = f"{credentials}@" if credentials else ""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._userinfo}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, or open one tunnel."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *fields = head.rstrip().split("\r\n")
        self.asked.append(request)
        if self._authorization is not None and not any(
            field.lower().startswith("proxy-authorization:")
            and field.partition(":")[2].strip() == self._authorization
            for field in fields
        ):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            await writer.drain()
            return
        method, target, version = request.split()
        if method == "CONNECT":
            port = int(target.rpartition(":")[2])
            onward = b""
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            parts = urlsplit(target)
            port = parts.port or 80
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            # One request a connection: its answer's end is the connection's.
            kept = [
                each for each in fields if not each.lower().startswith(("proxy-", "connection:"))
            ]
            lines = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
            onward = "\r\n".join(lines).encode("latin-1")
        there = await asyncio.open_connection("127.0.0.1", port)
        there[1].write(onward)
        try:
            await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
        finally:
            there[1].close()
