"""Without a voice plug-in a whole stay has no trace of one: no import, no request, no member."""

from __future__ import annotations

import sys
from typing import Any

from livekit.protocol.models import DisconnectReason, ParticipantInfo, TrackInfo, TrackSource
from livekit.protocol.rtc import ParticipantUpdate, SignalRequest, SignalResponse

from sidecar.dev.stdio_client import SidecarClient
from tests.embedded.conftest import scripted
from tests.embedded.scripts import AGENT, Peopled, imagined
from tests.livekit.stdio import connect_params, session_of
from tests.test_without_a_plugin import VOICE_MODULES

WITHIN_S = 60.0
OF_A_VOICE = {"update_subscription", "subscription", "add_track", "subscription_permission"}
MEMBERS = {
    *("sessionId", "participantId", "participantSid", "roomName", "startTime", "messageCount"),
    *("connectionState", "name", "kind", "metadata", "attributes", "connectionQuality"),
}


async def test_a_stay_without_a_plug_in_has_no_trace_of_one_on_either_wire(room: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "sidecar", "--wait"]
    asked: list[str | None] = []
    async with scripted(Peopled()) as server, SidecarClient(command) as sidecar:
        await sidecar.call("initialize", {"protocolVersion": 1, "voice": {"key": "unused"}})
        await sidecar.call("connect", connect_params(server, room), timeout_s=WITHIN_S)
        agent: Any = server.participant(room, AGENT)
        take = agent.take

        async def taken(request: SignalRequest) -> None:
            asked.append(request.WhichOneof("message"))
            await take(request)

        agent.take = taken
        microphone = TrackInfo(sid="TR_anna", name="m", source=TrackSource.MICROPHONE)
        anna = imagined("anna", tracks=[microphone])
        agent.send(SignalResponse(update=ParticipantUpdate(participants=[anna])))
        await sidecar.notified("session-created")
        anna.state = ParticipantInfo.State.DISCONNECTED
        anna.disconnect_reason = DisconnectReason.CLIENT_INITIATED
        agent.send(SignalResponse(update=ParticipantUpdate(participants=[anna])))
        await sidecar.notified("session-closed")
        await sidecar.call("disconnect")
        assert await sidecar.stop() == 0
        told = sidecar.notifications
    assert {each.method for each in told if "session" in each.params} == {
        "session-created",
        "session-updated",
        "session-closed",
    }
    for each in told:
        if "session" in each.params:
            ended = {"endTime"} if each.method == "session-closed" else set()
            assert set(session_of(each.params)) == MEMBERS | ended
    assert "leave" in asked
    assert not OF_A_VOICE & set(asked)
    imported = "\n".join(sidecar.stderr_lines)
    assert "livekit.rtc" in imported
    assert not VOICE_MODULES.search(imported)
