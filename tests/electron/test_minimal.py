"""example/minimal: the smallest app with the bridge, in a folder of its own."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer
from tests.electron.electron_app import all_gone
from tests.electron.example_window import window
from tests.electron.npm import BRIDGE, npm_command, run

MINIMAL = BRIDGE / "example" / "minimal"
FILES = ("index.html", "main.cjs", "page.js")
INSTALLED = ("node_modules", "package-lock.json")
"""What `npm install` adds."""
MOST_LINES = 60


def test_it_is_a_main_process_and_a_page_of_at_most_60_lines_together() -> None:
    names = {each.name for each in MINIMAL.iterdir()}.difference(INSTALLED, ["package.json"])
    assert tuple(sorted(names)) == FILES
    texts = [(MINIMAL / name).read_text(encoding="utf-8") for name in FILES]
    assert sum(len(text.splitlines()) for text in texts) <= MOST_LINES


def test_npm_install_in_its_folder_brings_the_bridge(node: Path, tmp_path: Path) -> None:
    bridge = tmp_path / "electron-bridge"
    left_out = shutil.ignore_patterns(*INSTALLED)
    shutil.copytree(BRIDGE, bridge, ignore=left_out)
    folder = bridge / "example" / "minimal"
    run([*npm_command(node), "install", "--offline"], cwd=folder)
    found = run([str(node), "-p", "require.resolve('clara-voice-bridge')"], cwd=folder)
    assert Path(found.strip()) == (bridge / "index.cjs").resolve()
    told = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    assert (folder / told["main"]).is_file()


async def test_it_shows_who_is_in_the_room_and_leaves_nothing_behind(
    electron: Path,
    display: str,
    server: DevServer,
    bridge_package: Path,
    guest: Callable[..., PersonProcess],
    room: str,
    tmp_path: Path,
) -> None:
    app = tmp_path / "app"
    shutil.copytree(MINIMAL, app, ignore=shutil.ignore_patterns(*INSTALLED))
    shutil.copytree(bridge_package, app / "node_modules" / "clara-voice-bridge")
    environment = {
        "DISPLAY": display,
        "SIDECAR_PYTHON": sys.executable,
        "LIVEKIT_URL": server.url,
        "LIVEKIT_ROOM": room,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    async with (
        window(electron, app / "main.cjs", environment, tmp_path) as shown,
        guest("ada", "Ada") as ada,
    ):
        voice = "document.getElementById('voice').textContent"
        await shown.page.until(f"{voice}.includes('connected')", "the agent in the room")
        await ada.join()
        await ada.publish()
        people = "document.getElementById('people').innerText"
        await shown.page.until(f"{people} === 'Ada: connected'", "ada in the page")
        await shown.app.line(lambda line: line == "joined: ada", "her session in the main process")
        await ada.leave()
        await shown.page.until(f"{people} === ''", "nobody in the page")
        await shown.app.line(lambda line: line == "left: ada left", "its end")
        processes = shown.app.processes()
        assert await shown.app.end() == 0
        await all_gone(processes)
