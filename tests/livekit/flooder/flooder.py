"""A participant who sends more than any person: builds main.go once, and runs it.

Owns the process. Go, since the Python SDK sends about 2,000 packets a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

from sidecar.dev import toolchain

SOURCES = Path(__file__).parent
BUILDS_WITHIN_S = 900.0
JOINS_WITHIN_S = 20.0

Kind = Literal[
    "packets",
    "old-chat",
    "texts",
    "packed",
    "open-texts",
    "one-long-text",
    "files",
    "calls",
    "odd",
    "tracks",
    "crowd",
    "attributes",
    "metadata",
    "names",
    "joins",
]


def built() -> Path:
    """Give the program, built now if these sources have not been built yet (about a minute).

    Raises toolchain.ToolMissing without Go, and CalledProcessError with Go's own words.
    """
    files = sorted(path for path in SOURCES.iterdir() if path.suffix in (".go", ".mod", ".sum"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    program = toolchain.cache_folder() / f"flooder-{digest}" / "flooder"
    if not program.is_file():
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [toolchain.find("go"), "build", "-ldflags", "-s -w", "-o", program, "."],
            cwd=SOURCES,
            env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"},
            check=True,
            timeout=BUILDS_WITHIN_S,
        )
    return program


@contextlib.asynccontextmanager
async def flood(
    program: Path,
    url: str,
    token: str,
    to: str,
    kind: Kind,
    per_second: float,
    size: int = 1,
    seconds: float = 60.0,
    crowd: Sequence[str] = (),
) -> AsyncIterator[None]:
    """Send so much to *to* while the block runs; *size* is the bytes of each message's filler.

    *crowd* has the tokens of the identities that come and go, for that kind.

    Nobody else gets the messages: people have machines of their own, and this machine plays them.
    """
    process = await asyncio.create_subprocess_exec(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    order = {"url": url, "token": token, "to": to, "kind": kind, "per_second": per_second}
    process.stdin.write(
        json.dumps({**order, "seconds": seconds, "bytes": size, "crowd": crowd}).encode()
    )
    process.stdin.close()
    try:
        async with asyncio.timeout(JOINS_WITHIN_S):
            assert b"joined" in await process.stdout.readline()
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
