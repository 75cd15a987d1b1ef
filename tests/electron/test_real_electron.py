"""The customer's acceptance checklist in a real Electron, on a real LiveKit server.

The app is electron-bridge/example: packaged as an app is shipped, with the frozen sidecar as its
resource, and as a developer runs it, with the sidecar's source.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from tests.electron.electron_app import ElectronApp, all_gone, sidecar_of
from tests.electron.npm import BRIDGE
from tests.electron.packaged_app import lay_out


@dataclass(frozen=True)
class Program:
    """How the example app is started."""

    executable: Path
    arguments: list[str]
    environment: dict[str, str]


@pytest.fixture(scope="session")
def packaged_app(
    electron: Path,
    bridge_package: Path,
    frozen_command: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Program:
    """The example as it is shipped: Electron renamed, the app and the sidecar as resources."""
    root = tmp_path_factory.mktemp("packaged") / "clara"
    frozen = Path(frozen_command[0]).parent
    return Program(lay_out(root, electron, BRIDGE / "example", bridge_package, frozen), [], {})


@pytest.fixture(scope="session")
def development_app(electron: Path) -> Program:
    """The example as a developer runs it, with this very Python."""
    return Program(electron, [str(BRIDGE / "example")], {"SIDECAR_PYTHON": sys.executable})


@pytest.fixture(params=[pytest.param("packaged_app", marks=pytest.mark.full), "development_app"])
def program(request: pytest.FixtureRequest) -> Program:
    """The example app, both ways."""
    found: Program = request.getfixturevalue(request.param)
    return found


class Start(Protocol):
    """Prepares the example app for a room; by default with the server's own secret."""

    def __call__(self, room: str, api_secret: str | None = None) -> ElectronApp: ...


@pytest.fixture
def start(program: Program, display: str, server: DevServer, tmp_path: Path) -> Start:
    """Prepare the example app."""

    def prepare(room: str, api_secret: str | None = None) -> ElectronApp:
        return ElectronApp(
            program.executable,
            program.arguments,
            {
                "DISPLAY": display,
                "LIVEKIT_URL": server.url,
                "LIVEKIT_API_KEY": server.api_key,
                "LIVEKIT_API_SECRET": api_secret or server.api_secret,
                "LIVEKIT_ROOM": room,
                **program.environment,
            },
            tmp_path,
        )

    return prepare


@pytest.fixture
def alice(server: DevServer) -> Callable[[str], PersonProcess]:
    """Prepare a person of the name alice for a room."""

    def prepare(room: str) -> PersonProcess:
        token = mint_token(server.api_key, server.api_secret, room, "alice")
        return PersonProcess(server.url, token, "alice")

    return prepare


async def test_the_acceptance_checklist_holds_in_a_real_electron(
    start: Start, alice: Callable[[str], PersonProcess], tmp_path: Path
) -> None:
    room = tmp_path.name
    async with start(room) as app, alice(room) as person:
        await person.join()
        await person.publish()

        joined = "🎤 Participant joined: alice"
        await app.line(lambda line: line == joined, "the join, as a whole line without a prefix")
        initialized = await app.line(
            lambda line: line.endswith("initialized successfully"), "the session, as a whole line"
        )
        assert re.fullmatch(r"✅ Session session_\d+_alice initialized successfully", initialized)
        session = initialized.split()[2]
        await app.line(lambda line: line == 'Sessions: ["alice"]', "listSessions with one entry")

        await person.leave()
        cleaned = f"🧹 Cleaning up session {session}"
        await app.line(lambda line: line == cleaned, "the cleanup, as a whole line")
        await app.line(lambda line: line == "Sessions: []", "listSessions without entries")

        processes = app.processes()
        assert sidecar_of(processes).pid != app.process.pid
        await app.end()
        await all_gone(processes)


async def test_a_quit_with_people_in_the_room_closes_their_sessions_first(
    start: Start, alice: Callable[[str], PersonProcess], tmp_path: Path
) -> None:
    room = tmp_path.name
    async with start(room) as app, alice(room) as person:
        await person.join()
        await person.publish()
        await app.line(lambda line: line == 'Sessions: ["alice"]', "listSessions with one entry")
        processes = app.processes()
        assert await app.end() == 0
        await app.line(lambda line: line.startswith("🧹 Cleaning up session "), "the cleanup")
        await all_gone(processes)


async def test_a_killed_electron_leaves_no_sidecar(
    start: Start, alice: Callable[[str], PersonProcess], tmp_path: Path
) -> None:
    room = tmp_path.name
    async with start(room) as app, alice(room) as person:
        await person.join()
        await person.publish()
        await app.line(lambda line: line == 'Sessions: ["alice"]', "listSessions with one entry")
        # Electron 9's own network process may outlive its killed parent; the fixture ends it.
        sidecar = sidecar_of(app.processes())
        app.process.send_signal(signal.SIGKILL)
        await all_gone([sidecar])


async def test_a_killed_sidecar_leaves_the_app_alive_and_free_to_quit(
    start: Start, alice: Callable[[str], PersonProcess], tmp_path: Path
) -> None:
    room = tmp_path.name
    async with start(room) as app, alice(room) as person:
        await person.join()
        await person.publish()
        await app.line(lambda line: line == 'Sessions: ["alice"]', "listSessions with one entry")
        processes = app.processes()
        sidecar = sidecar_of(processes)
        os.kill(sidecar.pid, signal.SIGKILL)
        await all_gone([sidecar])
        assert app.process.returncode is None
        assert await app.end() == 0
        await all_gone(processes)


async def test_a_refused_secret_is_said_in_the_console_and_the_app_lives_on(
    start: Start, tmp_path: Path
) -> None:
    secret = "a-secret-that-the-server-does-not-know"
    async with start(tmp_path.name, secret) as app:
        critical = (
            "Critical: ClaraVoiceAgent failed to connect to the LiveKit server. "
            "Voice features will be unavailable."
        )
        await app.line(lambda line: line == critical, "the critical line")
        await app.line(lambda line: line.startswith("unauthorized: "), "its cause")
        processes = app.processes()
        assert sidecar_of(processes)
        assert await app.end() == 0
        await all_gone(processes)
    assert not any(secret in line for line in app.console)
