"""A TCP proxy on loopback that can be cut, closed, and made silent.

Owns the sockets between one client and one server. Knows nothing of what they say.
"""

from __future__ import annotations

import asyncio
import contextlib

CHUNK_BYTES = 65_536


class Wire:
    """`async with Wire(port) as wire`; clients go to `wire.port`.

    Silent: what either side sends is held back and follows on `speak()`, as on a network that
    stalls. Cut: both sides see a reset. Closed: nobody new is let in.
    """

    def __init__(self, to_port: int) -> None:
        """Prepare, inside the running loop, a way to 127.0.0.1:*to_port*."""
        self.port = 0
        self._to_port = to_port
        self._speaking = asyncio.Event()
        self._speaking.set()
        self._is_open = True
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"ws://127.0.0.1:{self.port}"

    def silence(self) -> None:
        """Hold everything back from now on."""
        self._speaking.clear()

    def speak(self) -> None:
        """Let what was held back, and all that comes, through."""
        self._speaking.set()

    def cut(self) -> None:
        """Reset every connection there is."""
        for writer in self._writers:
            writer.transport.abort()

    def close_door(self) -> None:
        """Reset every new connection."""
        self._is_open = False

    def open_door(self) -> None:
        """Let new connections in."""
        self._is_open = True

    async def __aenter__(self) -> Wire:
        """Listen."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more; every connection ends."""
        self.speak()
        if self._server is not None:
            self._server.close()
        self.cut()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._speaking.wait()
            if not self._is_open:
                return
            from_there, there = await asyncio.open_connection("127.0.0.1", self._to_port)
            self._writers.add(there)
            ways = {
                asyncio.create_task(self._pump(reader, there)),
                asyncio.create_task(self._pump(from_there, writer)),
            }
            # HTTP and websockets: where one way has ended the other is of no use.
            _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
        except OSError:
            pass
        finally:
            for each in (writer, there):
                if each is not None:
                    self._writers.discard(each)
                    each.close() if self._is_open else each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._speaking.wait()
                writer.write(data)
                await writer.drain()
        await self._speaking.wait()  # an end is held back as well
