"""The network that rows cut and silence: what passes, when, and as what. No LiveKit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.livekit.faults.proxy import Mode, TcpProxy

BOUND_S = 10.0


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that says back what it hears."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while heard := await reader.read(1000):
            writer.write(heard)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_what_is_silenced_passes_afterwards_and_nothing_before(echo: int) -> None:
    async with TcpProxy(echo) as proxy, asyncio.timeout(BOUND_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        proxy.set(Mode.SILENT)
        writer.write(b"during")
        # A way that is open shows that the time was enough for what was held, had it passed.
        async with TcpProxy(echo) as other:
            there, to_there = await asyncio.open_connection("127.0.0.1", other.port)
            to_there.write(b"x")
            await there.readexactly(1)
            to_there.close()
        hearing = asyncio.create_task(reader.readexactly(6))
        await asyncio.sleep(0)
        assert not hearing.done()
        proxy.set(Mode.PASS)
        assert await hearing == b"during"
        writer.close()


async def test_a_cut_resets_what_is_open_and_what_is_opened(echo: int) -> None:
    async with TcpProxy(echo) as proxy, asyncio.timeout(BOUND_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"x")
        await reader.readexactly(1)
        proxy.set(Mode.CUT)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        late, to_late = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await late.read()
        for end in (writer, to_late):
            end.close()
        proxy.set(Mode.PASS)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"y")
        assert await reader.readexactly(1) == b"y"
        writer.close()


async def test_a_port_is_replaced_also_where_the_text_comes_in_two_parts(echo: int) -> None:
    replaced = (b"12345", b"54321")
    async with TcpProxy(echo, replaced, continued_s=BOUND_S) as proxy, asyncio.timeout(BOUND_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"port 123")
        assert await reader.readexactly(5) == b"port "
        writer.write(b"45, port 12")
        writer.write_eof()
        assert await reader.read() == b"54321, port 12"
        writer.close()


async def test_what_only_looks_like_the_beginning_of_the_port_is_not_held_for_long(
    echo: int,
) -> None:
    async with TcpProxy(echo, (b"12345", b"54321")) as proxy, asyncio.timeout(BOUND_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"up to 12")
        assert await reader.readexactly(8) == b"up to 12"
        writer.close()
