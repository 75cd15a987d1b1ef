"""Debian's Chromium, where it is installed, for a page that is served over HTTP.

Owns one Chromium process, without a window and with an empty profile. Knows nothing of the page.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from tests import parts
from tests.electron.devtools import ADDRESS_WORDS, Page, pages_of

START_TIMEOUT_S = 60.0
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--remote-debugging-port=0",
]


def installed_chromium() -> str:
    """Give the Chromium on PATH, or skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    parts.require("chromium", None if found else "no chromium; apt-get install chromium")
    assert found is not None
    return found


@contextlib.asynccontextmanager
async def blank_page(program: str, profile: Path) -> AsyncIterator[Page]:
    """Start Chromium and give its one page."""
    process = await asyncio.create_subprocess_exec(
        program,
        *SWITCHES,
        f"--user-data-dir={profile}",
        "about:blank",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            address = await _address(process.stderr)
        reading = asyncio.create_task(_drain(process.stderr))
        (page,) = await pages_of(address)
        async with Page(page["webSocketDebuggerUrl"]) as shown:
            yield shown
        process.terminate()
        await reading
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _address(stream: asyncio.StreamReader) -> str:
    while line := (await stream.readline()).decode("utf-8", "replace"):
        if line.startswith(ADDRESS_WORDS):
            return line.removeprefix(ADDRESS_WORDS).strip()
    raise AssertionError("Chromium ended before it said where its DevTools are")


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass
