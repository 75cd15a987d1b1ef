"""Of a day's stays, each broken promise is told: no session, two, no end, an untrue one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from livekit.protocol.models import DisconnectReason

from sidecar.dev.embedded_room import EmbeddedRoom
from tests.soak.guests import Guests, Stay
from tests.soak.hearing import Hearing

ROOM = "day"


@pytest.fixture
async def guests() -> AsyncIterator[Guests]:
    async with EmbeddedRoom() as server:
        yield Guests(server, ROOM)


class Told:
    """A bridge whose notifications the test makes."""

    def __init__(self) -> None:
        self.heard = Hearing()
        self.heard.process_began(0.0, "epoch")

    def created(self, stay: Stay, session_id: str) -> None:
        shown = self._shown(stay, session_id)
        self._take("session-created", session=shown)
        there = {**shown, "connectionState": "connected"}
        self._take("session-updated", session=there, changed=["connectionState"])

    def closed(self, stay: Stay, session_id: str, reason: str) -> None:
        shown = {**self._shown(stay, session_id), "connectionState": "closed"}
        self._take("session-closed", session=shown, reason=reason)

    def _shown(self, stay: Stay, session_id: str) -> dict[str, object]:
        return {
            "sessionId": session_id,
            "participantId": stay.identity,
            "participantSid": stay.sid,
            "connectionState": "connecting",
            "messageCount": 0,
            "startTime": "2026-01-01T00:00:00.000Z",
            "endTime": "2026-01-01T00:00:01.000Z",
        }

    def _take(self, method: str, **params: object) -> None:
        stamp = {"seq": self.heard.seq + 1, "epoch": "epoch"}
        self.heard.take(0.0, method, {**params, **stamp})


async def test_a_stay_with_its_session_and_its_true_end_breaks_nothing(guests):
    told, stay = Told(), guests.join()
    told.created(stay, "session_1")
    assert guests.are_shown(told.heard)
    guests.leave(stay, DisconnectReason.CONNECTION_TIMEOUT)
    told.closed(stay, "session_1", "connection-lost")
    assert guests.are_over(told.heard)
    assert list(guests.broken(told.heard)) == []


async def test_a_stay_without_a_session_is_told(guests):
    stay = guests.join()
    assert list(guests.broken(Hearing())) == [f"no session for {stay.sid}"]


async def test_a_stay_with_two_sessions_is_told(guests):
    told, stay = Told(), guests.join()
    guests.leave(stay)
    for name in ("session_1", "session_2"):
        told.created(stay, name)
        told.closed(stay, name, "left")
    assert list(guests.broken(told.heard)) == [f"2 sessions for {stay.sid}"]


async def test_an_untrue_reason_is_told(guests):
    told, stay = Told(), guests.join()
    told.created(stay, "session_1")
    guests.reload(stay)
    told.closed(stay, "session_1", "left")
    assert "session_1 closed with left (), not with replaced" in guests.broken(told.heard)


async def test_a_session_without_an_end_is_told(guests):
    told, stay = Told(), guests.join()
    told.created(stay, "session_1")
    guests.leave(stay)
    assert list(guests.broken(told.heard)) == ["session_1 closed with no end (), not with left"]


async def test_an_end_of_a_stay_that_goes_on_is_told(guests):
    told, stay = Told(), guests.join()
    told.created(stay, "session_1")
    told.closed(stay, "session_1", "left")
    assert list(guests.broken(told.heard)) == ["session_1 closed with left (), not with no end"]


async def test_a_message_that_is_not_counted_is_told(guests):
    told, stay = Told(), guests.join()
    guests.speak(stay, "hello")
    told.created(stay, "session_1")
    assert not guests.are_shown(told.heard)
    guests.leave(stay)
    told.closed(stay, "session_1", "left")
    assert list(guests.broken(told.heard)) == ["session_1 counts 0 messages, not 1"]
