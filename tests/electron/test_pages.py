"""Who may use window.clara, in a real Electron: windows, iframes, pages from elsewhere.

The app is fixtures/pages-app, whose preload is in every frame.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from tests.electron.devtools import ADDRESS_WORDS, Page, pages_of
from tests.electron.electron_app import ElectronApp
from tests.electron.example_window import BRIDGE, FIXTURES, window

RELOADS = 10
CODES_OF_ALL_CALLS = """Promise.all(
    [clara.listSessions(), clara.getStatus(), clara.createConnection(), clara.closeSession('x')]
        .map((call) => call.then(() => 'answered', ({code}) => code))
)"""


@dataclass(frozen=True)
class Windows:
    """The app's pages."""

    app: ElectronApp
    first: Page
    second: Page
    foreign: Page


@pytest_asyncio.fixture
async def foreign_url() -> AsyncIterator[str]:
    """A page from elsewhere."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            text="<!doctype html><title>elsewhere</title>", content_type="text/html"
        )

    site = web.Application()
    site.router.add_get("/", answer)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/"
    await runner.cleanup()


@pytest_asyncio.fixture
async def windows(
    electron: Path, display: str, server: DevServer, foreign_url: str, tmp_path: Path
) -> AsyncIterator[Windows]:
    """Start the app and take hold of its pages."""
    environment = {
        "DISPLAY": display,
        "BRIDGE": str(BRIDGE / "index.cjs"),
        "FOREIGN_URL": foreign_url,
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "LIVEKIT_ROOM": tmp_path.name,
    }
    program = FIXTURES / "pages-app"
    async with window(electron, program, environment, tmp_path) as shown:
        await shown.app.line(lambda line: line.startswith("Preload: "), "the last window")
        said = await shown.app.line(lambda line: line.startswith(ADDRESS_WORDS), "DevTools")
        ours, foreign = [], []
        for each in await pages_of(said.removeprefix(ADDRESS_WORDS)):
            chosen = foreign if each["url"] == foreign_url else ours
            chosen.append(each["webSocketDebuggerUrl"])
        async with contextlib.AsyncExitStack() as stack:
            pages = [await stack.enter_async_context(Page(url)) for url in ours]
            # The window without context isolation has no clara.
            own = [each for each in pages if await each.evaluate("'clara' in window")]
            elsewhere = await stack.enter_async_context(Page(foreign[0]))
            yield Windows(shown.app, own[0], own[1], elsewhere)


async def test_the_pages_of_the_app_hear_the_same_and_nobody_else_hears_anything(
    windows: Windows, server: DevServer, tmp_path: Path
) -> None:
    token = mint_token(server.api_key, server.api_secret, tmp_path.name, "ada")
    async with PersonProcess(server.url, token, "ada") as ada:
        await ada.join()
        await ada.publish()
        for page in (windows.first, windows.second):
            await page.until("told.some(({type}) => type === 'created')", "ada's session")
        await ada.leave()
        kept = "told.map(({type, seq, sessions}) => [type, seq, sessions.length])"
        heard = []
        for page in (windows.first, windows.second):
            await page.until("told.some(({type}) => type === 'closed')", "its end")
            heard.append([each for each in await page.evaluate(kept) if each[0] != "snapshot"])
        assert heard[0] == heard[1]
        assert heard[0][0][0] == "created"
        assert heard[0][-1][0] == "closed"

    # With nodeIntegrationInSubFrames the iframe has window.clara, and each of its calls is denied.
    for page in (windows.first, windows.second):
        await page.until("window.fromFrame", "what the iframe found")
        assert await page.evaluate("fromFrame") == {"codes": ["DENIED"] * 4, "isTold": False}

    codes = await windows.foreign.evaluate(CODES_OF_ALL_CALLS)
    assert codes == ["DENIED"] * 4
    await windows.foreign.evaluate("window.told = []; clara.onSessions((each) => told.push(each))")
    await windows.foreign.evaluate("clara.getStatus().catch(() => {})")
    assert await windows.foreign.evaluate("told") == []
    assert any("DENIED" in line for line in windows.foreign.console)


@pytest.mark.full
async def test_without_context_isolation_the_preload_says_what_it_needs(windows: Windows) -> None:
    said = await windows.app.line(lambda line: line.startswith("Preload: "), "the refusal")
    assert said.startswith("Preload: preload.cjs: ")
    assert "contextIsolation" in said


@pytest.mark.full
async def test_a_page_that_subscribes_in_its_first_moment_is_told_after_every_reload(
    windows: Windows,
) -> None:
    for _ in range(RELOADS):
        await windows.first.reload()
        await windows.first.until("told.length > 0", "a snapshot")
        assert (await windows.first.evaluate("told"))[0]["type"] == "snapshot"


@pytest.mark.full
async def test_a_failure_arrives_in_the_page_with_all_its_members(windows: Windows) -> None:
    await windows.first.evaluate("clara.onAgentState((status) => { window.agent = status })")
    await windows.first.until("window.agent?.state === 'connected'", "the agent in the room")
    failure = await windows.first.evaluate(
        "clara.closeSession('session_1_x').catch((each) => each)"
    )
    assert failure["name"] == "RpcError"
    assert failure["code"] == 1003
    assert failure["message"]
    assert failure["data"]["fix"]
    assert json.dumps(failure)
    refused = await windows.first.evaluate("clara.createConnection({ttl: 1}).catch((each) => each)")
    assert refused["name"] == "ClaraError"
    assert refused["code"] == "INVALID_ARGUMENT"
