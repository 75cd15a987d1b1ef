"""The end of the process with a joined room: status 0 each time, in time, nothing left.

A plain interpreter exit aborts in 2 to 5 % of runs once the SDK was used, hence the count.
"""

from __future__ import annotations

import asyncio

import pytest
from livekit import rtc

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import closes, connect_params

ROUNDS = 20
AT_ONCE = 4
ENDS = ["shutdown", "end of input", "SIGTERM", "SIGINT"]


async def _end(sidecar: SidecarClient, how: str) -> int:
    if how == "end of input":
        sidecar.close_stdin()
    elif how == "shutdown":
        assert await sidecar.request("shutdown") is None
    else:
        sidecar.signal_group(how)
    return await sidecar.wait(timeout_s=3.0)  # the promised bound


@pytest.mark.full
async def test_twenty_ends_with_a_joined_room_have_status_0_each(
    server: DevServer, room: str, person: Arrive, sidecar_command: list[str]
) -> None:
    bob = person("bob")
    await bob.join()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> tuple[int, list[tuple[str, str]]]:
        async with places, SidecarClient([*sidecar_command, "--wait"]) as sidecar:
            params = connect_params(server, room, identity=f"clara-{number}")
            await sidecar.call("connect", params, timeout_s=30)
            status = await _end(sidecar, ENDS[number % len(ENDS)])
            return status, closes(sidecar)

    ended = await asyncio.gather(*(one(number) for number in range(ROUNDS)))
    assert ended == [(0, [("bob", "sidecar-shutdown")])] * ROUNDS


async def test_the_room_is_left_at_each_end(
    server: DevServer, room: str, person: Arrive, sidecar_command: list[str]
) -> None:
    """All ends at once: the server tells of who comes and goes every 3 s."""
    bob = person("bob")
    come: dict[str, asyncio.Event] = {how: asyncio.Event() for how in ENDS}
    gone: dict[str, asyncio.Event] = {how: asyncio.Event() for how in ENDS}
    reasons: dict[str, int | None] = {}

    def left(participant: rtc.RemoteParticipant) -> None:
        reasons[participant.identity] = participant.disconnect_reason
        gone[participant.identity].set()

    bob.room.on("participant_connected", lambda participant: come[participant.identity].set())
    bob.room.on("participant_disconnected", left)
    await bob.join()

    async def one(how: str) -> None:
        async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
            await sidecar.call("connect", connect_params(server, room, identity=how))
            async with asyncio.timeout(10):
                await come[how].wait()
            assert await _end(sidecar, how) == 0
            async with asyncio.timeout(10):
                await gone[how].wait()

    await asyncio.gather(*map(one, ENDS))
    assert reasons == dict.fromkeys(ENDS, rtc.DisconnectReason.CLIENT_INITIATED)
