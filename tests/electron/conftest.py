"""What tests of the bridge share: a real Electron on a display of its own."""

from __future__ import annotations

import contextlib
import shutil
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from sidecar.dev.toolchain import ToolMissing, find
from tests import parts
from tests.electron import display as display_of
from tests.electron.driven_app import FOLDER, DrivenApp
from tests.electron.example_window import Open, Window, copy_of_the_bridge, window
from tests.electron.npm import BRIDGE, installed, packed_bridge

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def electron() -> Path:
    """The Electron to test with: $ELECTRON, else 9.4.1 from PyPI."""
    parts.require("electron", display_of.why_no_electron())
    try:
        program = find("electron")
    except ToolMissing as error:
        parts.require("electron", str(error))
        raise
    return program


@pytest.fixture(scope="session")
def livekit_client(node: Path) -> Path:
    """The node_modules of the example: LiveKit's client and server SDK, at its exact versions."""
    return installed(node, BRIDGE / "example" / "package.json") / "node_modules"


@pytest.fixture(scope="session")
def workshop(node: Path, livekit_client: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bridge and of the usage sample, with the development packages installed."""
    shop = tmp_path_factory.mktemp("workshop")
    for source, name in ((BRIDGE, "electron-bridge"), (HERE / "types", "types")):
        shutil.copytree(source, shop / name, ignore=shutil.ignore_patterns("node_modules"))
    modules = shop / "node_modules"
    modules.mkdir()
    for package in (installed(node, BRIDGE / "package.json") / "node_modules").iterdir():
        (modules / package.name).symlink_to(package, target_is_directory=True)
    ours = modules / "clara-voice-bridge"
    ours.unlink(missing_ok=True)  # an older cache has one of its own
    ours.symlink_to(shop / "electron-bridge", target_is_directory=True)
    packages = shop / "electron-bridge" / "example" / "node_modules"
    packages.symlink_to(livekit_client, target_is_directory=True)
    return shop


@pytest.fixture(scope="session")
def display(electron: Path) -> Iterator[str]:
    """A display for Electron's windows; an X server of our own on Linux."""
    parts.require("electron", display_of.why_no_display())
    with display_of.display() as name:
        yield name


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How often to do what is counted."""
    return 50 if pytestconfig.getoption("--full") else 10


class Drive(Protocol):
    """Prepares the driven app, as a developer runs it, for a room of this test's own.

    `home` is its user: apps of one home share their userData. `switches` are Chromium's. The rest
    are createSidecar's options over the usual ones.
    """

    def __call__(
        self,
        home: str = "home",
        environment: Mapping[str, str] | None = None,
        switches: Sequence[str] = (),
        **options: object,
    ) -> DrivenApp: ...


@pytest.fixture
def drive(electron: Path, display: str, server: DevServer, tmp_path: Path) -> Drive:
    """Prepare the driven app with the source of the sidecar and the server's own secret."""

    def prepare(
        home: str = "home",
        environment: Mapping[str, str] | None = None,
        switches: Sequence[str] = (),
        **options: object,
    ) -> DrivenApp:
        usual = {
            "DISPLAY": display,
            "BRIDGE": str(BRIDGE / "index.cjs"),
            "SIDECAR_PYTHON": sys.executable,
        }
        connect = {
            "url": server.url,
            "apiKey": server.api_key,
            "apiSecret": server.api_secret,
            "room": tmp_path.name,
        }
        (tmp_path / home).mkdir(exist_ok=True)
        return DrivenApp(
            electron,
            [*switches, str(FOLDER)],
            {**usual, **(environment or {})},
            tmp_path / home,
            {"connect": connect, **options},
        )

    return prepare


@pytest.fixture
def person(server: DevServer, tmp_path: Path) -> Callable[[str], PersonProcess]:
    """Prepare a person for this test's room."""

    def prepare(identity: str) -> PersonProcess:
        token = mint_token(server.api_key, server.api_secret, tmp_path.name, identity)
        return PersonProcess(server.url, token, identity)

    return prepare


@pytest.fixture(scope="session")
def example(livekit_client: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example app with its packages, as `npm install` leaves it."""
    return copy_of_the_bridge(tmp_path_factory.mktemp("example"), livekit_client) / "example"


@pytest.fixture
def room() -> str:
    """A room of one's own, of a name that looks well in the pictures."""
    return f"support-{uuid.uuid4().hex[:4]}"


@pytest.fixture
def opened(
    electron: Path, display: str, server: DevServer, example: Path, room: str, tmp_path: Path
) -> Open:
    """Open the example's window."""

    @contextlib.asynccontextmanager
    async def open_it(**environment: str) -> AsyncIterator[Window]:
        surroundings = {
            "DISPLAY": display,
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
            "LIVEKIT_ROOM": room,
            **environment,
        }
        async with window(electron, example, surroundings, tmp_path) as shown:
            yield shown

    return open_it


@pytest.fixture
def token(server: DevServer, room: str) -> Callable[[str, str], str]:
    """Make a token for an identity and a name."""

    def mint(identity: str, name: str = "") -> str:
        return mint_token(server.api_key, server.api_secret, room, identity, name=name)

    return mint


@pytest.fixture
def guest(server: DevServer, token: Callable[[str, str], str]) -> Callable[..., PersonProcess]:
    """Prepare a person by identity and name, for the example's room."""

    def prepare(identity: str, name: str = "") -> PersonProcess:
        return PersonProcess(server.url, token(identity, name), identity)

    return prepare


@pytest.fixture(scope="session")
def bridge_package(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bridge as `npm install` leaves it in an app's node_modules."""
    return packed_bridge(node, tmp_path_factory.mktemp("npm"))
