"""A thousand visits leave no more than ten did, with a voice plug-in that hears and speaks.

On the double: on a real server a thousand people take half an hour. There thirty visits with sound
are a test of their own.
"""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
from livekit.protocol.models import DisconnectReason, ParticipantInfo, TrackInfo, TrackSource
from livekit.protocol.rtc import ParticipantUpdate, SignalResponse

from sidecar.dev.stdio_client import SidecarClient
from tests.embedded.conftest import scripted
from tests.embedded.scripts import AGENT, Peopled, imagined
from tests.livekit.stdio import connect_params, with_plug_in
from tests.repository import ROOT

AT_ONCE, ROUNDS = 10, 100
WITHIN_S = 60.0
MORE_THREADS = 2
"""Threads of pools that are made when they are first used."""
MORE_MB = 16.0
"""Of a thousand sessions: the last 256 closed ones, ids that must not be used again, and the
fragmentation of the heap. An AudioSource that is not closed would cost 30 MB a thousand."""


def _arrives(identity: str) -> ParticipantInfo:
    microphone = TrackInfo(sid=f"TR_{identity}", name="m", source=TrackSource.MICROPHONE)
    return imagined(identity, tracks=[microphone])


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
async def test_a_thousand_visits_leave_no_more_threads_tracks_and_memory_than_ten(
    room: str,
) -> None:
    async with scripted(Peopled()) as server, SidecarClient(with_plug_in(), cwd=ROOT) as sidecar:
        await sidecar.call("connect", connect_params(server, room), timeout_s=WITHIN_S)
        agent = server.participant(room, AGENT)
        assert agent is not None
        left = []
        for number in range(ROUNDS):
            people = [_arrives(f"person{number}_{each}") for each in range(AT_ONCE)]
            since = len(sidecar.notifications)
            agent.send(SignalResponse(update=ParticipantUpdate(participants=people)))
            await _told(sidecar, "session-event", since)
            if number == 0:  # later people take over these tracks
                async with asyncio.timeout(WITHIN_S):
                    while len(agent.info.tracks) < AT_ONCE:
                        await sidecar.request("ping")
            threads = len(os.listdir(f"/proc/{sidecar.pid}/task"))  # noqa: PTH208 - not blocking
            for each in people:
                each.state = ParticipantInfo.State.DISCONNECTED
                each.disconnect_reason = DisconnectReason.CLIENT_INITIATED
            agent.send(SignalResponse(update=ParticipantUpdate(participants=people)))
            await _told(sidecar, "session-closed", since)
            status = await sidecar.call("getStatus")
            left.append((threads, len(agent.info.tracks), int(str(status["rssBytes"])) / 1e6))
            sidecar.notifications.clear()
        print("threads, tracks and MB:", left[:: ROUNDS // 5], left[-1])
        after_warm_up = max(threads for threads, *_ in left[:3])
        assert max(threads for threads, *_ in left[-5:]) <= after_warm_up + MORE_THREADS
        assert max(tracks for _, tracks, _ in left) <= AT_ONCE
        assert left[-1][2] - left[2][2] < MORE_MB


async def _told(sidecar: SidecarClient, method: str, since: int) -> None:
    """Wait until *method* was told of each of this round's people."""
    told: set[str] = set()

    def all_told(params: dict[str, object]) -> bool:
        session = params.get("session", params)
        assert isinstance(session, dict)
        told.add(str(session["sessionId"]))
        return len(told) == AT_ONCE

    await sidecar.notified(method, all_told, since=since, timeout_s=WITHIN_S)
