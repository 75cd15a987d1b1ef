"""TLS in front of a server of loopback, with the certificate of a private authority.

Owns the authority and the connections: it deciphers and passes all on, and knows no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import trustme

CHUNK_BYTES = 65_536


class TlsFront:
    """`async with TlsFront(url, folder) as front`: `front.url` is the server behind TLS."""

    def __init__(self, url: str, folder: Path) -> None:
        """*url* is ws://host:port; the authority's certificate is put into *folder*."""
        self._behind = urlsplit(url)
        self.authority = folder / "authority.pem"
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"wss://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> TlsFront:
        """Make the certificates, and listen."""
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(self.authority)
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all connections."""
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        host, port = self._behind.hostname, self._behind.port
        with contextlib.suppress(OSError):
            there, to_there = await asyncio.open_connection(host, port)
            with contextlib.closing(to_there), contextlib.closing(writer):
                ways = (_pass(reader, to_there), _pass(there, writer))
                await asyncio.wait(map(asyncio.ensure_future, ways), return_when="FIRST_COMPLETED")


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
