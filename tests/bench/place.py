"""What the bench runs on: the sidecar's commands, the peers, a server, Node, Electron.

Owns where each comes from, made or installed at its first use, and the account of what cannot be
had here. The peers' packages are in a folder of their own; nothing else uses them.
"""

from __future__ import annotations

import asyncio
import compileall
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from functools import cached_property
from pathlib import Path

import pytest

from sidecar.dev.server import DevServer, ServerFailed
from sidecar.dev.server_build import ServerMissing
from sidecar.dev.tokens import mint_token
from sidecar.dev.toolchain import ToolMissing, find
from tests.electron import display
from tests.electron.npm import BRIDGE, installed
from tests.frozen_build import frozen_sidecar, why_no_build
from tests.only_one import only_one

PROGRAMS = Path(__file__).parent / "programs"
REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache" / "bench"
FREEZE_S = 300.0


class Missing(Exception):
    """Something cannot be measured here: `what`, and the cure."""

    def __init__(self, what: str, cure: str) -> None:
        """Say both in one phrase each."""
        super().__init__(f"{what} ({cure})")


class Place:
    """`with Place() as place`: gives each part; raises Missing for one that is not here."""

    source = (sys.executable, "-m", "sidecar")
    python = sys.executable

    def __init__(self) -> None:
        """Make a folder for this run. Nothing else is made before it is asked for."""
        self._exits = contextlib.ExitStack()
        self.folder = Path(self._exits.enter_context(tempfile.TemporaryDirectory()))

    def __enter__(self) -> Place:
        """Give it. Compiles the sidecar, as its first start does wherever Python may write."""
        compileall.compile_dir(REPOSITORY / "sidecar", quiet=1)
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what is not kept."""
        self._exits.close()

    @cached_property
    def server(self) -> DevServer:
        """A LiveKit server, for the whole run. Not from inside a running loop."""
        server = DevServer(progress=print)
        try:
            asyncio.run(server.start())
        except (ServerMissing, ServerFailed) as error:
            raise Missing("what needs a LiveKit server", str(error)) from error
        self._exits.callback(lambda: asyncio.run(server.stop()))
        return server

    def connect_params(self) -> dict[str, object]:
        """Make the params of `connect` for a room of its own."""
        server = self.server
        keys = {"apiKey": server.api_key, "apiSecret": server.api_secret}
        return {"url": server.url, "room": new_room(), **keys}

    def membership(self, identity: str, room: str) -> dict[str, str]:
        """Make the environment of a raw agent in a room."""
        server = self.server
        token = mint_token(server.api_key, server.api_secret, room, identity, kind="agent")
        return {"URL": server.url, "TOKEN": token}

    @cached_property
    def frozen(self) -> tuple[str, ...]:
        """The frozen sidecar, built from these sources."""
        if (why := why_no_build()) is not None:
            raise Missing("the frozen sidecar", why)
        return (str(frozen_sidecar()),)

    @cached_property
    def trivial(self) -> Path:
        """The least frozen program, in a folder of its own."""
        if (why := why_no_build()) is not None:
            raise Missing("a trivial frozen program", why)
        program = PROGRAMS / "trivial.py"
        folder = CACHE / "trivial"
        with only_one(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _freeze(program, folder)
        return folder / "trivial" / "trivial"

    @cached_property
    def node(self) -> Path:
        """Node 20 or newer."""
        try:
            return find("node")
        except ToolMissing as error:
            raise Missing("what runs in Node", str(error)) from error

    @cached_property
    def peers(self) -> Path:
        """The node_modules of the peers."""
        return self._packages(PROGRAMS / "package.json")

    @cached_property
    def example(self) -> Path:
        """A copy of the bridge whose example has its packages."""
        packages = self._packages(BRIDGE / "example" / "package.json")
        copy = self.folder / "bridge"
        shutil.copytree(BRIDGE, copy, ignore=shutil.ignore_patterns("node_modules"))
        (copy / "example" / "node_modules").symlink_to(packages, target_is_directory=True)
        return copy / "example"

    @cached_property
    def electron(self) -> Path:
        """An Electron that can start here."""
        if (why := display.why_no_electron() or display.why_no_display()) is not None:
            raise Missing("what a page sees", f"Electron: {why}")
        try:
            return find("electron")
        except ToolMissing as error:
            raise Missing("what a page sees", str(error)) from error

    @cached_property
    def display(self) -> str:
        """A display for Electron's windows."""
        return self._exits.enter_context(display.display())

    def _packages(self, manifest: Path) -> Path:
        try:
            return installed(self.node, manifest) / "node_modules"
        except pytest.skip.Exception as error:
            raise Missing(f"peers of {manifest.parent.name}", str(error)) from error


def new_room() -> str:
    """Name a room that nothing else uses."""
    return f"bench-{uuid.uuid4().hex[:8]}"


def folder_mb(folder: Path) -> float:
    """Add up the files below a folder, MB (1e6 bytes)."""
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir()) / 1e6


def _freeze(program: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        subprocess.run(
            [
                *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "ERROR"),
                *("--distpath", f"{scratch}/dist", "--workpath", f"{scratch}/work"),
                *("--specpath", scratch, str(program)),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=FREEZE_S,
        )
        os.rename(f"{scratch}/dist", folder)
