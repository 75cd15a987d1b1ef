"""What a process holds: memory, threads, file descriptors, and what lives inside it.

Reads Linux's /proc from outside, and asks the process itself for the rest.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from sidecar.dev.stdio_client import SidecarClient

ASKED_WITHIN_S = 30.0


def outside(pid: int) -> dict[str, float]:
    """Give the figures that the system has of a process."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "memory": int(lines["VmRSS"].split()[0]) / 1024,
        "threads": float(lines["Threads"]),
        "fds": float(len(list(Path(f"/proc/{pid}/fd").iterdir()))),
    }


async def of_sidecar(pid: int, handle: Path) -> dict[str, float]:
    """Give the figures of the sidecar behind the socket of `tests/livekit/faults/driven.py`."""
    async with asyncio.timeout(ASKED_WITHIN_S):
        reader, writer = await asyncio.open_unix_connection(str(handle))
        writer.write(json.dumps({"count": True}).encode() + b"\n")
        inside = json.loads(await reader.readline())
        writer.close()
    return {**outside(pid), **{name: float(inside[name]) for name in ("tasks", "objects")}}


async def of_bridge(client: SidecarClient) -> dict[str, float]:
    """Give the figures of the consumer's Node, after a collection of its garbage."""
    told = await client.request("resources", timeout_s=ASKED_WITHIN_S)
    assert isinstance(told, dict)
    assert client.pid is not None
    return {**outside(client.pid), **{name: float(told[name]) for name in told}}
