"""A plug-in that is busy when the sidecar ends: requests are answered, and the end is in time."""

from __future__ import annotations

import asyncio
import time

import pytest
from livekit.protocol.rtc import ParticipantUpdate, SignalResponse

from sidecar.dev.stdio_client import RpcError, SidecarClient
from tests.embedded.conftest import scripted
from tests.embedded.scripts import AGENT, Peopled, imagined
from tests.livekit.stdio import connect_params, session_of, with_plug_in
from tests.repository import ROOT

WITHIN_S = 60.0
ENDS_WITHIN_S = 3.0


@pytest.mark.parametrize(
    "does",
    [
        "never",
        pytest.param("block", marks=pytest.mark.full),
        pytest.param("spin", marks=pytest.mark.full),
    ],
)
async def test_a_busy_plug_in_does_not_keep_the_sidecar(room: str, does: str) -> None:
    async with scripted(Peopled()) as server, SidecarClient(with_plug_in(), cwd=ROOT) as sidecar:
        await sidecar.call("connect", connect_params(server, room), timeout_s=WITHIN_S)
        agent = server.participant(room, AGENT)
        assert agent is not None
        agent.send(SignalResponse(update=ParticipantUpdate(participants=[imagined("anna")])))
        began = await sidecar.notified("session-event", timeout_s=WITHIN_S)
        params = {"sessionId": began.params["sessionId"]}
        seconds = {} if does == "never" else {"seconds": 30}
        asked = asyncio.ensure_future(sidecar.request(f"probe.{does}", {**params, **seconds}))
        if does != "never":
            await asked
            await asyncio.sleep(0.5)  # until the plug-in's thread is blocked
        began_s = time.monotonic()
        await sidecar.request("shutdown")
        late = asyncio.ensure_future(sidecar.request("probe.heard", params))
        assert await sidecar.wait(timeout_s=WITHIN_S) == 0
        assert time.monotonic() - began_s < ENDS_WITHIN_S
        with pytest.raises(RpcError) as refused:
            await late
        assert refused.value.code == 1005
        if does == "never":
            with pytest.raises(RpcError) as ended:
                await asked
            assert ended.value.code == 1005
        (closed,) = [each for each in sidecar.notifications if each.method == "session-closed"]
        assert session_of(closed.params)["participantId"] == "anna"
        assert closed.params["reason"] == "sidecar-shutdown"
