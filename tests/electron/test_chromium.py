"""The example's page in today's Chromium, with today's livekit-client, on a real server.

What Electron's main process is to the page, this test is: `window.clara` hands on what a real
sidecar answers and tells. So the newest Chromium that Electron will have is tried before there is
an Electron with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from tests.electron.chromium import blank_page, installed_chromium
from tests.electron.devtools import Page
from tests.electron.example_window import copy_of_the_bridge
from tests.livekit.stdio import connect_params

pytestmark = pytest.mark.full

STAND_IN = """
window.app = {tryAgain: async () => {}};
window.clara = {
    onSessions(callback) {
        window.tellSessions = callback;
        callback({type: 'snapshot', sessions: [], seq: 0});
        return () => {};
    },
    onAgentState(callback) {
        window.tellAgent = callback;
        return () => {};
    },
    onSessionEvent: () => () => {},
    getStatus: async () => ({room: 'support'}),
    createConnection: (options) => new Promise((resolve) => {
        window.wanted = options;
        window.giveConnection = resolve;
    }),
};
"""
TYPES = {"session-created": "created", "session-updated": "updated", "session-closed": "closed"}


@pytest_asyncio.fixture
async def page(livekit_client: Path, tmp_path: Path) -> AsyncIterator[Page]:
    """Show the example's page in Chromium, whose microphone is a test tone."""
    program = installed_chromium()
    site = web.Application()
    folder = copy_of_the_bridge(tmp_path, livekit_client) / "example"
    site.router.add_static("/", folder, follow_symlinks=True)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with blank_page(program, tmp_path / "profile") as shown:
        await shown.before_each_document(STAND_IN)
        await shown.send("Page.navigate", url=f"http://127.0.0.1:{port}/index.html")
        await shown.until("window.tellAgent", "the page's own scripts")
        yield shown
    await runner.cleanup()


async def tell(page: Page, sidecar: SidecarClient) -> None:
    """Hand on what the sidecar tells, as the preload does."""
    open_sessions: dict[str, object] = {}
    while True:
        notification = await sidecar.queue.get()
        params = notification.params
        if notification.method not in TYPES:
            status = json.dumps({**params, "processState": "ready"})
            await page.evaluate(f"tellAgent({status})")
            continue
        session = params["session"]
        assert isinstance(session, dict)
        open_sessions[session["sessionId"]] = session
        if notification.method == "session-closed":
            del open_sessions[session["sessionId"]]
        event = {"type": TYPES[notification.method], "sessions": [*open_sessions.values()]}
        await page.evaluate(f"tellSessions({json.dumps({**params, **event})})")


async def test_the_page_of_today_joins_chats_and_leaves_and_is_a_session(
    page: Page, source_command: list[str], server: DevServer, tmp_path: Path
) -> None:
    async with SidecarClient([*source_command, "--wait"]) as sidecar:
        telling = asyncio.create_task(tell(page, sidecar))
        await sidecar.call("connect", connect_params(server, tmp_path.name))
        await page.until("document.getElementById('agent').dataset.tone === 'good'", "the agent")
        await page.type("#name", "Max")
        await page.click("#join-button")
        await page.until("window.giveConnection", "the page's call")
        wanted = await page.evaluate("wanted")
        connection = await sidecar.call("createConnection", wanted)
        await page.evaluate(f"giveConnection({json.dumps(connection)})")

        rows = "[...document.querySelectorAll('#rows tr')]"
        joined = f"{rows}.length === 1 && {rows}[0].dataset.state === 'connected'"
        await page.until(joined, "the page's own row")
        assert await page.evaluate("document.querySelector('#rows .name').textContent") == "Max"
        heard = "document.getElementById('call-words').textContent === 'You are in the room.'"
        await page.until(heard, "the page in the room, with its microphone")

        await page.click("#view-chat")  # the window is narrow
        await page.type("#text", "Good morning!")
        await page.click("#say button")
        await page.until(f"{rows}[0].querySelector('td.number').textContent === '1'", "counted")
        await page.click("#leave")
        await page.until(f"{rows}.length === 0", "no row")
        (closed,) = [n for n in sidecar.notifications if n.method == "session-closed"]
        assert closed.params["reason"] == "left"
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


NARROWEST, LOW = 480, 480
"""Pixels: the example's window gets no smaller."""
MANY = 30
CONTROLS = ".dock button, .dock input, .views label, #try-again"
OUT_OF_SIGHT = (
    f"""[...document.querySelectorAll({json.dumps(CONTROLS)})]"""
    """
    .filter((each) => each.offsetParent !== null)
    .filter((each) => {
        const {top, left, bottom, right} = each.getBoundingClientRect();
        return top < 0 || left < 0 || bottom > innerHeight || right > innerWidth;
    }).map((each) => each.id || each.textContent)"""
)


async def test_at_480_px_with_30_people_every_control_is_in_reach_and_people_are_sorted(
    page: Page,
) -> None:
    await page.send(
        "Emulation.setDeviceMetricsOverride",
        width=NARROWEST,
        height=LOW,
        deviceScaleFactor=1,
        mobile=False,
    )
    names = [f"Person {number}" for number in range(MANY, 0, -1)]
    sessions = [
        {
            "sessionId": f"session_{name}",
            "participantId": name,
            "name": name,
            "connectionState": "connected",
            "connectionQuality": "good",
            "messageCount": 0,
            "startTime": "2026-01-01T00:00:00.000Z",
        }
        for name in names
    ]
    snapshot = {"type": "snapshot", "sessions": sessions, "seq": 1}
    await page.evaluate(f"tellSessions({json.dumps(snapshot)})")
    await page.until(f"document.querySelectorAll('#rows tr').length === {MANY}", "all of them")
    allowed = {"createConnection": True, "closeSession": True, "reconcile": True}
    error = {"category": "removed", "detail": "", "fix": "", "retryable": False}
    out = {"state": "failed", "processState": "ready", "capabilities": allowed, "error": error}
    for status in (out, {**out, "state": "connected", "error": None}):
        await page.evaluate(f"tellAgent({json.dumps(status)})")
        assert await page.evaluate(OUT_OF_SIGHT) == []
        wide = "document.documentElement.scrollWidth"
        assert await page.evaluate(wide) == NARROWEST
        shown = await page.evaluate(
            "[...document.querySelectorAll('#rows .name')].map((each) => each.textContent)"
        )
        assert shown == sorted(names, key=lambda name: int(name.split()[1]))


UNUSABLE = [
    {"state": "failed", "error": {"category": "removed"}},
    {"state": "failed", "error": {"category": "unauthorized"}},
    {"state": "backoff", "error": {"category": "unreachable"}, "retryInMs": 9000},
    {"state": "backoff", "reason": "lost"},
    {"state": "waiting-for-token", "error": {"category": "unauthorized"}},
    {"state": "reconnecting"},
    {"state": "idle", "reason": "disconnect"},
    {"state": "idle", "processState": "idle"},
    {"state": "idle", "processState": "backoff"},
    {"state": "idle", "processState": "failed", "processError": {"code": "SIDECAR_MISSING"}},
    {"state": "idle", "processState": "failed", "processError": {"code": "a new one"}},
]
"""Each state in which the user cannot simply go on."""


async def test_every_state_without_voice_has_a_reason_and_a_way_on(page: Page) -> None:
    await page.evaluate("window.app.tryAgain = async () => { window.tried = true; }")
    for status in UNUSABLE:
        await page.evaluate("window.tried = false")
        await page.evaluate(f"tellAgent({json.dumps({'processState': 'ready', **status})})")
        shown = await page.evaluate("document.getElementById('trouble').innerText")
        assert shown.split("\n")[0], status
        await page.click("#try-again")
        await page.until("window.tried", f"another try in {status}")
