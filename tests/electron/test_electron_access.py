"""What only the real Electron can show: its proxy, its exit, its single-instance lock."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sidecar.dev.server import DevServer
from tests.electron.conftest import Drive
from tests.electron.driven_app import DrivenApp
from tests.electron.electron_app import all_gone, sidecar_of
from tests.livekit.http_proxy import HttpProxy

pytestmark = pytest.mark.full

HOST = "livekit.test"
"""No name server knows it (RFC 6761, 6.2); the proxy takes it for this machine."""


async def connected(app: DrivenApp) -> None:
    """Wait until the app's agent is in the room."""
    await app.event("agent-state-changed", lambda event: event["state"] == "connected")


async def test_the_proxy_that_electron_uses_is_the_sidecars(
    drive: Drive, server: DevServer, tmp_path: Path
) -> None:
    host = f"{HOST}:{urlsplit(server.url).port}"
    connect = {
        "url": f"ws://{host}",
        "room": tmp_path.name,
        "apiKey": server.api_key,
        "apiSecret": server.api_secret,
    }
    async with HttpProxy() as proxy:
        switches = [f"--proxy-server={urlsplit(proxy.url).netloc}"]
        async with drive(switches=switches, connect=connect, proxy="system") as app:
            await connected(app)
            assert f"CONNECT {host} HTTP/1.1" in proxy.asked
            await app.take("quit")
            assert await app.process.wait() == 0


@pytest.mark.parametrize("hangs", [False, True])
async def test_an_app_that_exits_keeps_its_status_and_takes_the_sidecar_with_it(
    drive: Drive, *, hangs: bool
) -> None:
    async with drive() as app:
        await connected(app)
        processes = app.processes()
        if hangs:
            os.kill(sidecar_of(processes).pid, signal.SIGSTOP)
        await app.take("exit", status=3)
        await all_gone(processes)
        assert await app.process.wait() == 3


async def test_a_second_instance_starts_nothing_and_changes_nothing_for_the_first(
    drive: Drive,
) -> None:
    environment = {"SINGLE_INSTANCE": "1"}
    async with drive("one", environment, requireSingleInstanceLock=True) as first:
        await connected(first)
        sidecar = sidecar_of(first.processes())
        async with drive("one", environment, requireSingleInstanceLock=True) as second:
            assert await second.process.wait() == 0
            assert not [each for each in second.events if each["event"] == "process-state"]
        assert sidecar_of(first.processes()).pid == sidecar.pid
        assert (await first.ask("getStatus"))["state"] == "connected"
        law = first.judged()
        assert law.agent_states.count("connected") == 1
        processes = first.processes()
        await first.take("quit")
        await all_gone(processes)


async def test_without_the_lock_nothing_is_started(drive: Drive) -> None:
    async with drive(requireSingleInstanceLock=True) as app:
        refused = await app.done("start")
        assert refused["error"]["code"] == "BUSY"
        processes = app.processes()
        await app.take("quit")
        await all_gone(processes)
