"""TLS in front of a server of loopback, with the certificate of a private authority.

Owns the authority and the connections: it deciphers and passes all on, and knows no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from tests.livekit.listener import Listener, pump


class TlsFront(Listener):
    """`async with TlsFront(url, folder) as front`: `front.url` is the server behind TLS."""

    def __init__(self, url: str, folder: Path) -> None:
        """*url* is ws://host:port; the authority's certificate is put into *folder*."""
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        super().__init__(context)
        self._behind = urlsplit(url)
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"wss://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass all on, both ways, until one way ends: TLS cannot end one way alone."""
        there, to_there = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        with contextlib.closing(to_there):
            ways = [
                asyncio.create_task(pump(*way)) for way in ((reader, to_there), (there, writer))
            ]
            try:
                await asyncio.wait(ways, return_when="FIRST_COMPLETED")
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
