"""Messages that end the process: SDK 1.2.1's native layer aborts on some that it can decode.

It takes what its server says for well-formed (`unwrap` in rust-sdks livekit/src), and a panic of a
release build is an abort, which no Python code sees. Undecodable garbage it passes over (see
test_faults_frames.py). What the sidecar can promise is here: the process ends at once, as a crash,
shows nothing secret, and the next process goes on with the stays.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping

import pytest
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.rtc import (
    ParticipantUpdate,
    RoomUpdate,
    SessionDescription,
    SignalResponse,
    TrickleRequest,
)

from sidecar.dev.embedded_room import EmbeddedRoom
from sidecar.dev.stdio_client import JsonObject, SidecarClient
from tests.embedded.conftest import Arrive
from tests.embedded.scripts import AGENT
from tests.livekit.stdio import closes, connect_params

ABORTING: Mapping[str, SignalResponse] = {
    "a sid of another shape": SignalResponse(
        update=ParticipantUpdate(participants=[ParticipantInfo(sid="bob", identity="bob")])
    ),
    "a description that is none": SignalResponse(
        answer=SessionDescription(type="answer", sdp="nonsense")
    ),
    "a candidate that is none": SignalResponse(trickle=TrickleRequest(candidateInit="{")),
    "a room update without a room": SignalResponse(room_update=RoomUpdate()),
}
RESUMED = (
    *("sessionId", "participantId", "participantSid"),
    *("roomName", "startTime", "messageCount"),
)


@pytest.mark.parametrize("name", ABORTING)
async def test_an_abort_of_the_native_layer_is_a_crash_that_the_next_process_outlives(
    embedded: EmbeddedRoom, people: Arrive, room: str, source_command: list[str], name: str
) -> None:
    bob = people(embedded, "bob")
    await bob.join()
    command = [*source_command, "--wait", "--log-level", "debug"]
    params = connect_params(embedded, room)
    async with SidecarClient(command) as first:
        await first.call("connect", params)
        (session,) = await _sessions(first)
        agent = embedded.participant(room, AGENT)
        assert agent is not None
        agent.send(ABORTING[name])
        # Another thread of libwebrtc sometimes falls while the abort goes on.
        assert await first.wait(timeout_s=10) in (-signal.SIGABRT, -signal.SIGSEGV)
        shown = b"".join(first.lines).decode() + "\n".join(first.stderr_lines)
    for secret in (embedded.api_secret, "eyJ"):
        assert secret not in shown
    async with SidecarClient(command) as second:
        entry = {field: session[field] for field in RESUMED}
        await second.call("initialize", {"protocolVersion": 1, "resume": [entry]})
        await second.call("connect", params)
        (kept,) = await _sessions(second)
        assert kept == session
        assert await second.stop() == 0
        told = [each.method for each in second.notifications if "session" in each.params]
        assert told == ["session-updated", "session-closed"]
        assert closes(second) == [("bob", "sidecar-shutdown")]


async def _sessions(sidecar: SidecarClient) -> list[JsonObject]:
    sessions = (await sidecar.call("listSessions"))["sessions"]
    assert isinstance(sessions, list)
    return sessions
