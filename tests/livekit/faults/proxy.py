"""A network between the sidecar and the server that can be cut, silenced and restored.

Owns TCP connections on loopback. Knows nothing of LiveKit but the one line of its signalling that
names the port for media over TCP, so that media can be led through here as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from enum import Enum
from types import TracebackType

CHUNK_BYTES = 65_536
CONTINUED_S = 0.1
"""Two parts of one text on loopback are never this far apart."""


class Mode(Enum):
    """What becomes of the traffic."""

    PASS = "pass"  # noqa: S105 - no password
    CUT = "cut"
    """Every connection is reset, new ones at once."""
    SILENT = "silent"
    """Nothing passes and nothing is said; as TCP has it, what was held passes afterwards."""


class TcpProxy:
    """One listening port of 127.0.0.1 in front of another."""

    def __init__(
        self,
        target_port: int,
        replaced: tuple[bytes, bytes] | None = None,
        *,
        continued_s: float = CONTINUED_S,
    ) -> None:
        """`replaced` is (old, new) of equal length, in what the target sends.

        What looks like a part of the old text is held for `continued_s`.
        """
        if replaced is not None and len(replaced[0]) != len(replaced[1]):
            raise ValueError("a replacement of another length would break the target's framing")
        self.port = 0
        self.tried = asyncio.Event()
        """Set once somebody connected, whatever became of it."""
        self._target_port = target_port
        self._replaced = replaced
        self._continued_s = continued_s
        self._mode = Mode.PASS
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def set(self, mode: Mode) -> None:
        """Change what becomes of the traffic, from the next byte on."""
        self._mode = mode
        if mode is Mode.SILENT:
            self._passing.clear()
        else:
            self._passing.set()
        if mode is Mode.CUT:
            self._reset_all()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Reset everything and listen no more."""
        self.set(Mode.CUT)
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> TcpProxy:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tried.set()
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        ends = [writer]
        try:
            await self._passing.wait()
            if self._mode is Mode.CUT:
                return
            there, to_there = await asyncio.open_connection("127.0.0.1", self._target_port)
            ends.append(to_there)
            self._writers.add(to_there)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, to_there, None))
                pumps.create_task(self._pump(there, writer, self._replaced))
        except (OSError, ExceptionGroup):
            pass  # one end is gone; so is the other now
        finally:
            for end in ends:
                self._writers.discard(end)
                _reset(end)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        replaced: tuple[bytes, bytes] | None,
    ) -> None:
        held = b""
        while True:
            try:
                # What looks like half of the text, and is not continued, is something else.
                async with asyncio.timeout(self._continued_s if held else None):
                    chunk = await reader.read(CHUNK_BYTES)
            except TimeoutError:
                await self._passing.wait()
                writer.write(held)
                held = b""
                continue
            if not chunk:
                break
            await self._passing.wait()
            if self._mode is Mode.CUT:
                raise ConnectionResetError
            if replaced is not None:
                chunk = (held + chunk).replace(*replaced)
                split = len(chunk) - _overlap(chunk, replaced[0])
                chunk, held = chunk[:split], chunk[split:]
            writer.write(chunk)
            await writer.drain()
        writer.write(held)
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    def _reset_all(self) -> None:
        for writer in self._writers:
            _reset(writer)


class Network:
    """The sidecar's way to one server: signalling, and media where `media_port` is given.

    Media can be led through here only over TCP, so the server must offer nothing else.
    """

    def __init__(self, signalling_port: int, media_port: int | None = None) -> None:
        """Prepare; the ports are the server's."""
        self._signalling_port = signalling_port
        self._media_port = media_port
        self._proxies: list[TcpProxy] = []

    @property
    def url(self) -> str:
        """The server's address by this way."""
        return f"ws://127.0.0.1:{self._proxies[-1].port}"

    async def media_tried(self) -> None:
        """Wait until somebody tried to open a way for media through here."""
        await self._proxies[0].tried.wait()

    def set(self, mode: Mode, *, media_alone: bool = False) -> None:
        """Change what becomes of all traffic, or of media alone."""
        for proxy in self._proxies[:1] if media_alone else self._proxies:
            proxy.set(mode)

    async def start(self) -> None:
        """Open the way."""
        replaced = None
        if self._media_port is not None:
            media = TcpProxy(self._media_port)
            await media.start()
            self._proxies.append(media)
            replaced = (_candidate(self._media_port), _candidate(media.port))
        signalling = TcpProxy(self._signalling_port, replaced)
        await signalling.start()
        self._proxies.append(signalling)

    async def stop(self) -> None:
        """Close it."""
        for proxy in self._proxies:
            await proxy.stop()


def _candidate(port: int) -> bytes:
    """How an ICE candidate line names a TCP port of the server (RFC 6544 section 4.5)."""
    return f" {port} typ host tcptype passive".encode()


def _overlap(chunk: bytes, pattern: bytes) -> int:
    """How many bytes at the end of *chunk* may be the beginning of *pattern*."""
    longest = min(len(pattern) - 1, len(chunk))
    return next((n for n in range(longest, 0, -1) if chunk.endswith(pattern[:n])), 0)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            # With a linger of 0 s the close is a reset, as of a machine that is gone.
            linger = (1).to_bytes(4, "little") + bytes(4)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
