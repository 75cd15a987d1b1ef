"""The example's token endpoint, as its own process."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

from sidecar.dev.server import DevServer
from tests.electron.npm import BRIDGE

PROGRAM = BRIDGE / "example" / "token-server.cjs"
STARTS_WITHIN_S = 30.0


@contextlib.asynccontextmanager
async def token_endpoint(
    node: Path, packages: Path, server: DevServer, room: str
) -> AsyncIterator[str]:
    """Serve tokens for one room, and give the endpoint's address.

    *packages*: the node_modules of the example.
    """
    process = await asyncio.create_subprocess_exec(
        str(node),
        str(PROGRAM),
        stdout=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "NODE_PATH": str(packages),
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
            "LIVEKIT_ROOM": room,
            "PORT": "0",
        },
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            url = await process.stdout.readline()
        yield url.decode().strip()
    finally:
        process.kill()
        await process.wait()
