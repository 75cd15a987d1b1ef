"""The bridge in Windows' Node, with sidecar.exe behind it: start, join, crash, kill, end.

The server and the people are on Linux.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, SidecarClient
from tests.livekit.stdio import connect_params, session_of
from tests.soak.bridged import CONSUMER
from tests.windows.conftest import in_repository
from tests.windows.prepare import Windows, windows_path
from tests.windows.processes import program

pytestmark = pytest.mark.full

START_WITHIN_S = 120.0
"""Of Node and of the sidecar; under Wine that takes 5 s on two idle cores, and a minute when all is
busy."""
TOLD_WITHIN_S = 90.0
GONE_WITHIN_S = 3.0
"""The promise of the bridge: no sidecar outlives its app by more."""
SIDECAR = ("sidecar.exe", "--wait")
NODE = ("node.exe", CONSUMER.name)


@pytest_asyncio.fixture
async def app(machine: Windows) -> AsyncIterator[SidecarClient]:
    """Node with a bridge; it has started nothing yet."""
    command = machine.relayed(machine.node, windows_path(CONSUMER))
    async with SidecarClient(command, env=machine.environment()) as running:
        yield running


@pytest.fixture
def options(server: DevServer, room: str, sidecar_exe: Path) -> JsonObject:
    """Of createSidecar()."""
    return {
        "command": windows_path(sidecar_exe),
        "connect": connect_params(server, room),
        "startTimeoutMs": START_WITHIN_S * 1000,
        "restart": {"max": 10, "windowMs": 1000, "delaysMs": [50]},
    }


async def connected(app: SidecarClient, since: int = 0) -> None:
    """Wait until the agent is in its room."""
    await app.notified(
        "agent-state-changed",
        lambda params: params["state"] == "connected",
        since=since,
        timeout_s=TOLD_WITHIN_S,
    )


async def test_a_session_outlives_a_crash_and_each_stay_is_told_once(
    app: SidecarClient, options: JsonObject, person: Callable[[str], Person]
) -> None:
    await app.request("start", options, timeout_s=START_WITHIN_S)
    await connected(app)
    status = await app.call("getStatus")
    rss_bytes = status["rssBytes"]
    assert isinstance(rss_bytes, int)
    assert rss_bytes > 10_000_000

    zoe = person("zoë 日本")
    await zoe.join()
    created = await app.notified("session-created", timeout_s=TOLD_WITHIN_S)
    assert session_of(created.params)["participantId"] == "zoë 日本"

    since = len(app.notifications)
    program(*SIDECAR).kill()
    await app.notified("exit", since=since, timeout_s=TOLD_WITHIN_S)
    await connected(app, since)
    await zoe.leave()
    closed = await app.notified("session-closed", timeout_s=TOLD_WITHIN_S)
    assert session_of(closed.params)["sessionId"] == session_of(created.params)["sessionId"]
    names = [each.method for each in app.notifications]
    assert (names.count("session-created"), names.count("session-closed")) == (1, 1)

    ending = program(*SIDECAR)
    await app.request("stop", timeout_s=START_WITHIN_S)
    # Wine ends the process of Linux a moment after the one of Windows.
    assert ending.is_gone_within(GONE_WITHIN_S)


async def test_no_sidecar_outlives_its_app(app: SidecarClient, options: JsonObject) -> None:
    await app.request("start", options, timeout_s=START_WITHIN_S)
    await connected(app)
    ending = program(*SIDECAR)
    program(*NODE).kill()
    assert ending.is_gone_within(GONE_WITHIN_S)


async def test_a_ctrl_c_in_the_console_of_node_ends_it_and_its_sidecar(
    machine: Windows, options: JsonObject
) -> None:
    command = machine.in_console(machine.node, windows_path(CONSUMER))
    async with SidecarClient(command, env=in_repository(machine)) as app:
        await app.request("start", options, timeout_s=START_WITHIN_S)
        await connected(app)
        ending = [program(*NODE), program(*SIDECAR)]
        os.kill(app.pid, signal.SIGINT)
        for each in ending:
            assert each.is_gone_within(GONE_WITHIN_S)
