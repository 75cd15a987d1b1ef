"""The example app with its window open, driven as a person would, and what its page says.

Owns the start of electron-bridge/example with the packages it needs, and the way to its page.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.electron.devtools import ADDRESS_WORDS, Page, pages_of
from tests.electron.electron_app import LINE_TIMEOUT_S, ElectronApp
from tests.electron.npm import BRIDGE

FIXTURES = Path(__file__).resolve().parent / "fixtures"
MISSING_IN_CHROME_83 = (FIXTURES / "chrome-83.js").read_text(encoding="utf-8")

POLL_S = 0.05
SWITCHES = ["--remote-debugging-port=0", "--use-fake-device-for-media-stream"]
CONNECTED = "document.getElementById('agent').dataset.tone === 'good'"
"""In the page: the agent is in the room."""


def copy_of_the_bridge(folder: Path, packages: Path) -> Path:
    """Copy the bridge with its example, and put the example's packages beside it."""
    copy = folder / "electron-bridge"
    shutil.copytree(BRIDGE, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "example" / "node_modules").symlink_to(packages, target_is_directory=True)
    return copy


@dataclass(frozen=True)
class Window:
    """The app and its one page."""

    app: ElectronApp
    page: Page

    async def rows(self, condition: str, what: str) -> None:
        """Wait until a condition holds of the table's rows, an array `rows` of elements."""
        rows = "[...document.querySelectorAll('#rows tr')]"
        await self.page.until(f"((rows) => {condition})({rows})", what)


class Open(Protocol):
    """Opens the example's window; unless told otherwise in a room of the suite's server."""

    def __call__(self, **environment: str) -> contextlib.AbstractAsyncContextManager[Window]: ...


@contextlib.asynccontextmanager
async def window(
    electron: Path,
    program: Path,
    environment: Mapping[str, str],
    home: Path,
    switches: list[str] | None = None,
) -> AsyncIterator[Window]:
    """Start an app and give its first page, with what its Chromium lacks supplied."""
    arguments = [*(SWITCHES if switches is None else switches), str(program)]
    environment = {"SIDECAR_PYTHON": sys.executable, **environment}
    async with ElectronApp(electron, arguments, environment, home) as app:
        said = await app.line(lambda line: line.startswith(ADDRESS_WORDS), "DevTools")
        address = said.removeprefix(ADDRESS_WORDS)
        first = await first_page(address)
        async with Page(first) as page:
            # Into the running page it comes too late for scripts that have run: loaded anew.
            await page.until("document.readyState === 'complete'", "the page, loaded")
            await page.before_each_document(MISSING_IN_CHROME_83)
            await page.reload()
            yield Window(app, page)


async def first_page(address: str) -> str:
    """Wait for a page that shows a file, and give its DevTools' address."""
    async with asyncio.timeout(LINE_TIMEOUT_S):
        while True:
            for each in await pages_of(address):
                if each["url"].startswith("file:"):
                    return each["webSocketDebuggerUrl"]
            # The protocol tells of new pages to who is connected to one, and there is none yet.
            await asyncio.sleep(POLL_S)
