"""A page of LiveKit's own components beside the agent: they find it, its state, sound and words."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from tests.electron.chromium import blank_page, installed_chromium
from tests.electron.devtools import Page
from tests.electron.npm import installed, run
from tests.livekit.stdio import connect_params, session_of, with_plug_in
from tests.repository import ROOT

pytestmark = pytest.mark.full

SOURCE = Path(__file__).resolve().parent / "fixtures" / "components"
BUNDLE = ["page.mjs", "--bundle", "--outfile=page.js", '--define:process.env.NODE_ENV="production"']


@pytest.fixture(scope="module")
def site(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page and its bundle."""
    folder = tmp_path_factory.mktemp("components")
    shutil.copy(SOURCE / "page.mjs", folder)
    modules = installed(node, SOURCE / "package.json") / "node_modules"
    (folder / "node_modules").symlink_to(modules, target_is_directory=True)
    run([str(node), str(modules / "esbuild" / "bin" / "esbuild"), *BUNDLE], cwd=folder)
    (folder / "index.html").write_text('<body><script src="page.js"></script></body>')
    return folder


@pytest_asyncio.fixture
async def page(site: Path, tmp_path: Path) -> AsyncIterator[Page]:
    """Show the page in Chromium, whose microphone is a test tone."""
    program = installed_chromium()
    served = web.Application()
    served.router.add_static("/", site)
    runner = web.AppRunner(served)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with blank_page(program, tmp_path / "profile") as shown:
        await shown.send("Page.navigate", url=f"http://127.0.0.1:{port}/index.html")
        await shown.until("window.begin", "the page's own script")
        yield shown
    await runner.cleanup()


async def test_livekit_s_components_find_the_agent_its_state_its_sound_and_whose_words_are_whose(
    page: Page, server: DevServer, tmp_path: Path
) -> None:
    """They take an agent with `lk.publish_on_behalf` for an avatar: so the sidecar sets none."""
    async with SidecarClient(with_plug_in(), cwd=ROOT) as sidecar:
        await sidecar.call("connect", connect_params(server, tmp_path.name))
        connection = await sidecar.call("createConnection", {"identity": "anna"})
        joining = json.dumps([connection["url"], connection["token"]])
        await page.evaluate(f"begin(...{joining})")
        created = await sidecar.notified("session-created", timeout_s=30)
        session_id = session_of(created.params)["sessionId"]
        await page.until("shown.agent === 'clara-voice-agent'", "the agent")
        await page.until("shown.state === 'listening' && shown.hasSound", "the agent that listens")

        said = {"sessionId": session_id, "hz": 1000, "seconds": 3}
        await sidecar.request("probe.say", said)
        await page.until("shown.state === 'speaking'", "the agent that speaks")
        await page.until("shown.state === 'listening'", "the agent that listens again")
        states = await page.evaluate("states")
        assert states[-3:] == ["listening", "speaking", "listening"]

        for role, text in (("user", "what time is it?"), ("assistant", "It is late.")):
            words = {"sessionId": session_id, "role": role, "text": text}
            await sidecar.request("probe.write", words)
        await page.until("shown.words.length === 2", "the words of both sides")
        assert await page.evaluate("shown.words") == [
            ["anna", "what time is it?"],
            ["clara-voice-agent", "It is late."],
        ]
