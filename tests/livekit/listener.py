"""A TCP server of a test on a free port of loopback, which ends all its connections with itself.

Owns the connections; a class derived from it decides what becomes of each.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class Listener(ABC):
    """`async with`: listens at `port`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        """*context*: with TLS."""
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 where it listens."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all connections."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, which is closed afterwards."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on all that *reader* gives, its end too where the connection can tell it."""
    while part := await reader.read(CHUNK_BYTES):
        writer.write(part)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
