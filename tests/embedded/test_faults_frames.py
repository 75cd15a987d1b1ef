"""Signalling that is broken in the middle of a stay: passed over, and what follows is heard."""

from __future__ import annotations

import random

import pytest
from livekit.protocol.models import DisconnectReason, ParticipantInfo
from livekit.protocol.rtc import ParticipantUpdate, SignalResponse

from sidecar.dev.embedded.link import Link
from sidecar.dev.embedded_room import EmbeddedRoom
from tests.embedded.conftest import Arrive, StartSidecar
from tests.embedded.scripts import AGENT, imagined


def _link(server: EmbeddedRoom, room: str) -> Link:
    """The agent's signalling."""
    participant = server.participant(room, AGENT)
    assert participant is not None
    assert participant.link is not None
    return participant.link


def _update(*infos: ParticipantInfo) -> bytes:
    return SignalResponse(update=ParticipantUpdate(participants=infos)).SerializeToString()


async def test_garbage_and_cut_frames_change_nothing(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    bob, carol = people(embedded, "bob"), people(embedded, "carol")
    await bob.join()
    await sidecar.has("bob")
    link = _link(embedded, room)
    chance = random.Random(7)  # noqa: S311 - the same garbage in each run
    whole = _update(imagined("nobody"))
    for length in (0, 1, 2, 7, 64, 1_000, 100_000):
        link.send_raw(chance.randbytes(length))
    for cut in range(1, len(whole)):
        link.send_raw(whole[:cut])
    await carol.join()
    await sidecar.has("bob", "carol")
    assert sidecar.law.closes == []


@pytest.mark.full
async def test_frames_by_the_thousand_are_taken_in_order(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    bob = people(embedded, "bob")
    await bob.join()
    await sidecar.has("bob")
    link = _link(embedded, room)
    for number in range(2_000):
        link.send_raw(_update(imagined("bob", bob.sid, metadata=str(number))))
    await sidecar.until(
        "the last metadata",
        lambda law: all(each["metadata"] == "1999" for each in law.open.values()),
    )
    assert list(sidecar.sessions()) == ["bob"]


@pytest.mark.full
async def test_a_leave_before_its_join_leaves_no_session_behind(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, room: str
) -> None:
    """The SDK passes over the leave of one it does not know; the server's list has the truth."""
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    link = _link(embedded, room)
    gone = imagined("bob", disconnect_reason=DisconnectReason.CLIENT_INITIATED)
    gone.state = ParticipantInfo.State.DISCONNECTED
    link.send_raw(_update(gone))
    link.send_raw(_update(imagined("bob")))
    await sidecar.has("bob")
    await sidecar.client.request("wake", {"reason": "network-online"})
    await sidecar.closes("bob", "left", within_s=30)
    assert sidecar.law.closed("bob") == [("left", "reconcile")]


async def test_a_sid_in_one_update_twice_is_one_session(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    bob = people(embedded, "bob")
    await bob.join()
    await sidecar.has("bob")
    again = imagined("bob", bob.sid)
    _link(embedded, room).send_raw(_update(again, again, again))
    carol = people(embedded, "carol")
    await carol.join()
    await sidecar.has("bob", "carol")
    assert sidecar.law.created_sids == [bob.sid, carol.sid]
