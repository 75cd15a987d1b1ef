"""The end of a sidecar whose event loop hangs: sessions and open requests are told, in time.

Nothing on the wire can cause the hang. From source it is a bug that the test puts in
(tests/faulty_start.py); in a frozen build the test holds the loop's thread.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

import sidecar
from sidecar.dev.stdio_client import SidecarClient
from tests.livekit.stdio import closes, session_of
from tests.rpc.held_thread import held
from tests.rpc.peer import strictly
from tests.rpc.raw_sidecar import ENDS_WITHIN_S

COMMAND = [sys.executable, "-m", "tests.faulty_start", "hang"]
SESSIONS = [
    {
        "sessionId": f"session_1700000000000_{who}",
        "participantId": who,
        "participantSid": f"PA_{who}",
        "roomName": "den",
        "startTime": "2026-01-31T12:00:00.000Z",
        "messageCount": 7,
    }
    for who in ("anna", "ben")
]
CONNECT = {"url": "ws://127.0.0.1:9", "apiKey": "key", "apiSecret": "s" * 32, "room": "den"}


@pytest_asyncio.fixture
async def hanging() -> AsyncIterator[SidecarClient]:
    """A sidecar with two open sessions, which hangs in the loop's thread."""
    async with SidecarClient(COMMAND, cwd=Path(sidecar.__file__).parent.parent) as running:
        await running.call("initialize", {"protocolVersion": 1, "resume": SESSIONS})
        await running.send({"jsonrpc": "2.0", "id": 99, "method": "connect", "params": CONNECT})
        with pytest.raises(TimeoutError):
            await _pings_for_ever(running)
        yield running


async def _pings_for_ever(running: SidecarClient) -> None:
    while True:
        await running.request("ping", timeout_s=1.0)


async def _stdin_ends(running: SidecarClient) -> None:
    running.close_stdin()


def _signalled(name: str) -> Callable[[SidecarClient], Awaitable[None]]:
    async def act(running: SidecarClient) -> None:
        os.kill(running.pid, signal.Signals[name])

    return act


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(_stdin_ends, id="the end of stdin"),
        pytest.param(_signalled("SIGTERM"), id="SIGTERM"),
        pytest.param(_signalled("SIGINT"), id="SIGINT", marks=pytest.mark.full),
        pytest.param(_signalled("SIGHUP"), id="SIGHUP", marks=pytest.mark.full),
    ],
)
async def test_sessions_are_closed_requests_answered_once_and_the_process_ends_in_time(
    hanging: SidecarClient, end: Callable[[SidecarClient], Awaitable[None]]
) -> None:
    await end(hanging)
    assert await hanging.wait(timeout_s=ENDS_WITHIN_S) == 0
    assert closes(hanging) == [("anna", "sidecar-shutdown"), ("ben", "sidecar-shutdown")]
    for each in hanging.notifications:
        if each.method == "session-closed":
            assert session_of(each.params)["connectionState"] == "closed"
            assert session_of(each.params)["messageCount"] == 7
            assert str(session_of(each.params)["endTime"]) > "2026"
    seqs = [each.params["seq"] for each in hanging.notifications]
    assert seqs == list(range(1, len(seqs) + 1))
    assert any("event loop hangs" in line for line in hanging.stderr_lines)
    (answer,) = (strictly(line) for line in hanging.strays)
    assert (answer["id"], answer["error"]["code"]) == (99, 1005)


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="holds a thread by ptrace(2)")
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(_stdin_ends, id="the end of stdin"),
        pytest.param(_signalled("SIGTERM"), id="SIGTERM"),
        pytest.param(_signalled("SIGINT"), id="SIGINT"),
    ],
)
async def test_a_frozen_build_whose_loop_hangs_tells_its_sessions_too(
    frozen_command: list[str], end: Callable[[SidecarClient], Awaitable[None]]
) -> None:
    async with SidecarClient([*frozen_command, "--wait"]) as running:
        await running.call("initialize", {"protocolVersion": 1, "resume": SESSIONS})
        async with held(running.pid):
            with pytest.raises(TimeoutError):
                await running.request("ping", timeout_s=1.0)
            await end(running)
            assert await running.wait(timeout_s=ENDS_WITHIN_S) == 0
    assert closes(running) == [("anna", "sidecar-shutdown"), ("ben", "sidecar-shutdown")]


async def test_a_second_signal_changes_nothing(hanging: SidecarClient) -> None:
    for _ in range(3):
        os.kill(hanging.pid, signal.SIGTERM)
    assert await hanging.wait(timeout_s=ENDS_WITHIN_S) == 0
    assert len(closes(hanging)) == 2
