"""A packaged app: whole, with a sidecar that crashes, and with one that cannot run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar import __version__
from sidecar.dev.server import DevServer
from tests.electron.driven_app import FOLDER, DrivenApp
from tests.electron.electron_app import all_gone, sidecar_of
from tests.electron.example_window import CONNECTED, window
from tests.electron.npm import BRIDGE
from tests.electron.packaged_app import lay_out

pytestmark = pytest.mark.full

NOWHERE = {"url": "ws://127.0.0.1:1", "room": "nowhere", "token": "t"}


async def test_a_packaged_app_joins_by_its_page_outlives_a_crash_and_leaves_no_process(
    electron: Path,
    display: str,
    bridge_package: Path,
    frozen_command: list[str],
    livekit_client: Path,
    server: DevServer,
    tmp_path: Path,
) -> None:
    program = lay_out(
        tmp_path / "app",
        electron,
        BRIDGE / "example",
        bridge_package,
        Path(frozen_command[0]).parent,
        livekit_client,
    )
    surroundings = {
        "DISPLAY": display,
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "LIVEKIT_ROOM": tmp_path.name,
        "SIDECAR_PYTHON": "/no/such/python",  # of no meaning to a packaged app
    }
    async with window(program, program.parent, surroundings, tmp_path) as shown:
        await shown.page.until(CONNECTED, "the agent in the room")
        await shown.page.type("#name", "Max")
        await shown.page.click("#join-button")
        await shown.rows("rows.length === 1", "the page's own row")
        await shown.page.evaluate("void clara.onSessions(({sessions}) => (window.told = sessions))")
        await shown.page.until(told("connected"), "the session, connected")
        (before,) = await shown.page.evaluate("window.told")

        sidecar = sidecar_of(shown.app.processes())
        assert sidecar.command.split()[0] == str(program.parent / "resources/sidecar/sidecar")
        os.kill(sidecar.pid, signal.SIGKILL)
        await all_gone([sidecar])
        await shown.page.until(told("reconnecting"), "the crash, shown")
        await shown.page.until(told("connected"), "the session, connected again")
        await shown.page.until(CONNECTED, "the agent in the room again")
        (after,) = await shown.page.evaluate("window.told")
        assert after["sessionId"] == before["sessionId"]

        await shown.page.click("#leave")
        await shown.rows("rows.length === 0", "no row")
        processes = shown.app.processes()
        assert sidecar_of(processes).pid != sidecar.pid
        assert await shown.app.end() == 0
        await all_gone(processes)


def told(state: str) -> str:
    """In the page: one session was told last, in that connectionState."""
    return f"(window.told || []).map((each) => each.connectionState).join() === '{state}'"


def without_sidecar(resources: Path) -> None:
    (resources / "sidecar").rename(resources / "left-out")


def without_program(resources: Path) -> None:
    (resources / "sidecar" / "sidecar").unlink()


def of_another_version(resources: Path) -> None:
    modules = resources / "app" / "node_modules"
    constants = modules / "clara-voice-bridge" / "lib" / "protocol.cjs"
    text = constants.read_text(encoding="utf-8")
    constants.write_text(text.replace(f"'{__version__}'", "'9.9.9'"), encoding="utf-8")


def without_run_bits(resources: Path) -> None:
    program = resources / "sidecar" / "sidecar"
    content = program.read_bytes()
    program.unlink()  # another name of the frozen build itself
    program.write_bytes(content)


def for_another_processor(resources: Path) -> None:
    program = resources / "sidecar" / "sidecar"
    content = bytearray(program.read_bytes())
    content[18] = 0 if content[18] else 62  # e_machine of the ELF header: none that exists
    program.unlink()
    program.write_bytes(content)
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("spoil", "code", "word"),
    [
        (without_sidecar, "SIDECAR_MISSING", "extra resource"),
        (without_program, "REMOVED", "antivirus"),
        (of_another_version, "VERSION_MISMATCH", "9.9.9"),
        (without_run_bits, "BLOCKED", "run bit"),
        (for_another_processor, "WRONG_ARCH", "processor"),
    ],
)
async def test_a_packaged_app_says_why_its_sidecar_cannot_run_and_lives_on(
    spoil: Callable[[Path], None],
    code: str,
    word: str,
    electron: Path,
    display: str,
    bridge_package: Path,
    frozen_command: list[str],
    tmp_path: Path,
) -> None:
    frozen = Path(frozen_command[0]).parent
    program = lay_out(tmp_path / "app", electron, FOLDER, bridge_package, frozen)
    spoil(program.parent / "resources")
    options = {"connect": NOWHERE}
    async with DrivenApp(program, [], {"DISPLAY": display}, tmp_path, options) as app:
        done = await app.done("start")
        assert done["error"]["code"] == code
        assert word in done["error"]["message"]
        processes = app.processes()
        await app.take("quit")
        await all_gone(processes)
        assert await app.process.wait() == 0
