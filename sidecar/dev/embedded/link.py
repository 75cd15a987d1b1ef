"""One signalling connection: the messages of a WebSocket, out in order and bounded.

Knows no participant. Drops messages that are sent after close().
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import ClientConnectionError, web
from livekit.protocol.rtc import SignalResponse

from sidecar.dev.embedded.script import Outgoing

MAX_QUEUED = 10_000
"""Messages that may wait for a slow reader; with more, its connection is cut."""


class Link:
    """One connection, open until close() or cut()."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.BaseTransport | None,
        sends: Callable[[SignalResponse], Outgoing],
    ) -> None:
        """Begin to write to *socket*, prepared on *transport*. Make it inside the running loop.

        *sends* returns the message to send in place of each message.
        """
        self._socket = socket
        self._transport = transport
        self._sends = sends
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_QUEUED)
        self._writing = asyncio.create_task(self._write())

    def send(self, message: SignalResponse) -> None:
        """Send *message*, or its replacement by the script."""
        for each in self._sends(message):
            self.send_raw(each if isinstance(each, bytes) else each.SerializeToString())

    def send_raw(self, data: bytes) -> None:
        """Send one binary frame unchanged."""
        self._put(data)

    def close(self) -> None:
        """Close the WebSocket once everything is written."""
        self._put(None)

    def cut(self) -> None:
        """Drop the connection at once, as when the network fails."""
        self._writing.cancel()
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    async def ended(self) -> None:
        """Wait until the last message is written."""
        await asyncio.wait({self._writing})

    def _put(self, item: bytes | None) -> None:
        try:
            self._queue.put_nowait(item)
        except asyncio.QueueFull:
            self.cut()

    async def _write(self) -> None:
        with contextlib.suppress(ClientConnectionError, ConnectionError):
            while (item := await self._queue.get()) is not None:
                await self._socket.send_bytes(item)
            await self._socket.close()
