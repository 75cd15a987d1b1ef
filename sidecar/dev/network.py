"""Whether a development server answers. Owns one request of HTTP."""

from __future__ import annotations

import asyncio
import contextlib


async def answers_200(port: int) -> bool:
    """Tell whether `GET /` on 127.0.0.1 says 200 within 1 s.

    By hand, since urllib would ask a proxy.
    """
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                status = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return b" 200 " in status
