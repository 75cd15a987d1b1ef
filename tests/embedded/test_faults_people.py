"""People as no server tells of them: thousands, of odd times, under sids that were used before."""

from __future__ import annotations

import datetime

import pytest
from livekit.protocol.models import DisconnectReason, ParticipantInfo
from livekit.protocol.rtc import LeaveRequest, ParticipantUpdate, SignalResponse

from sidecar.dev.embedded_room import EmbeddedRoom
from sidecar.dev.stdio_client import JsonObject
from tests.embedded.conftest import Arrive, StartSidecar, scripted
from tests.embedded.scripts import AGENT, Peopled, imagined

CROWD = 2_000
CROWD_S = 120.0
"""For 2,000 sessions to be told on a busy machine; it takes 5 s of a processor."""


def _tell(server: EmbeddedRoom, room: str, *infos: ParticipantInfo) -> None:
    """Tell the agent alone of these."""
    participant = server.participant(room, AGENT)
    assert participant is not None
    participant.send(SignalResponse(update=ParticipantUpdate(participants=infos)))


def _gone(info: ParticipantInfo, reason: DisconnectReason) -> ParticipantInfo:
    gone = ParticipantInfo()
    gone.CopyFrom(info)
    gone.state = ParticipantInfo.State.DISCONNECTED
    gone.disconnect_reason = reason
    return gone


def _start_ms(session: JsonObject) -> int:
    started = datetime.datetime.fromisoformat(str(session["startTime"]))
    return round(started.timestamp() * 1000)


@pytest.mark.full
async def test_two_thousand_people_are_two_thousand_sessions_and_stay_so_when_all_reconnect(
    sidecar_at: StartSidecar, room: str
) -> None:
    script = Peopled(*(imagined(f"p{number}") for number in range(CROWD)))
    async with scripted(script) as server:
        sidecar = await sidecar_at(server)
        status = await sidecar.connect(within_s=CROWD_S)
        assert (status["state"], status["sessions"]) == ("connected", CROWD)
        identities = [each.identity for each in script.people]
        await sidecar.has(*identities, within_s=CROWD_S)
        created = list(sidecar.law.created_sids)
        agent = server.participant(room, AGENT)
        assert agent is not None
        agent.send_leave(DisconnectReason.STATE_MISMATCH, LeaveRequest.Action.RECONNECT)
        await sidecar.is_in("reconnecting", within_s=CROWD_S)
        await sidecar.is_in("connected", within_s=CROWD_S)
        await sidecar.has(*identities, within_s=CROWD_S)
        assert sidecar.law.created_sids == created
        assert sidecar.law.closes == []
        # All leave in one message.
        sidecar.law.accept({identity: ["left"] for identity in identities})
        gone, script.people = script.people, []
        _tell(server, room, *(_gone(each, DisconnectReason.CLIENT_INITIATED) for each in gone))
        await sidecar.has(within_s=CROWD_S)


@pytest.mark.parametrize(
    ("joined_at_ms", "is_kept"),
    [(0, False), (1, True), (4_102_444_800_000, True), (253_402_300_800_000, False), (-1, False)],
    ids=["never", "in 1970", "in 2100", "in the year 10000", "before 1970"],
)
async def test_a_time_that_cannot_be_still_makes_one_session_that_ends(
    sidecar_at: StartSidecar, room: str, joined_at_ms: int, is_kept: bool
) -> None:
    bob = imagined("bob", joined_at_ms=joined_at_ms)
    carol = imagined("carol")
    async with scripted(Peopled(bob, carol)) as server:
        sidecar = await sidecar_at(server)
        assert (await sidecar.connect())["state"] == "connected"
        await sidecar.has("bob", "carol")
        session = sidecar.sessions()["bob"]
        if is_kept:
            assert _start_ms(session) == joined_at_ms
        assert str(session["sessionId"]).endswith("_bob")
        _tell(server, room, _gone(bob, DisconnectReason.CLIENT_INITIATED))
        await sidecar.closes("bob", "left")  # the law: it does not end before it began


async def test_two_people_of_one_millisecond_have_ids_of_their_own(
    sidecar_at: StartSidecar,
) -> None:
    async with scripted(Peopled(imagined("bob"), imagined("carol"))) as server:
        sidecar = await sidecar_at(server)
        await sidecar.connect()
        await sidecar.has("bob", "carol")
        ids = {str(each["sessionId"]) for each in sidecar.sessions().values()}
        assert ids == {"session_1700000000000_bob", "session_1700000000000_carol"}


async def test_joined_at_that_goes_backwards_replaces_and_never_uses_an_id_twice(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, room: str
) -> None:
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    sidecar.law.accept({"bob": ["replaced"]})
    for sid, joined_at_ms in (("PA_1", 2_000), ("PA_2", 1_000), ("PA_3", 2_000), ("PA_4", 0)):
        _tell(embedded, room, imagined("bob", sid, joined_at_ms=joined_at_ms))
        await sidecar.until(f"{sid} open", lambda law, sid=sid: law.sids() == {sid})
    assert [reason for reason, _ in sidecar.law.closed("bob")] == ["replaced"] * 3


async def test_one_whose_time_changes_under_one_sid_keeps_the_first(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, room: str
) -> None:
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    _tell(embedded, room, imagined("bob", joined_at_ms=5_000))
    await sidecar.has("bob")
    for joined_at_ms in (4_000, 0, 6_000):
        info = imagined("bob", joined_at_ms=joined_at_ms, metadata=str(joined_at_ms))
        _tell(embedded, room, info)
        await sidecar.until(
            "the change told",
            lambda law, wanted=info.metadata: any(
                each["metadata"] == wanted for each in law.open.values()
            ),
        )
    assert _start_ms(sidecar.sessions()["bob"]) == 5_000


async def test_the_leave_of_a_stale_sid_ends_in_one_session_of_who_is_there(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, people: Arrive, room: str
) -> None:
    """SDK 1.2.1 goes by the identity alone and drops the one who is there (rust-sdks room/mod.rs).

    The session of the newer sid may then close by inference; the room's next word heals it.
    """
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    bob = people(embedded, "bob")
    await bob.join()
    await sidecar.has("bob")
    sidecar.law.accept({"bob": ["left"]})
    sidecar.law.accept_reopening("bob")
    _tell(embedded, room, _gone(imagined("bob", "PA_stale"), DisconnectReason.CLIENT_INITIATED))
    carol = people(embedded, "carol")
    await carol.join()
    await sidecar.until("carol", lambda law: "carol" in law.identities())
    await bob.set_attributes({"still": "here"})
    await sidecar.has("bob", "carol", within_s=60)
    assert sidecar.sessions()["bob"]["participantSid"] == bob.sid


async def test_a_sid_that_left_by_the_servers_word_never_opens_again(
    embedded: EmbeddedRoom, sidecar_at: StartSidecar, room: str
) -> None:
    sidecar = await sidecar_at(embedded)
    await sidecar.connect()
    bob = imagined("bob")
    _tell(embedded, room, bob)
    await sidecar.has("bob")
    _tell(embedded, room, _gone(bob, DisconnectReason.CLIENT_INITIATED))
    await sidecar.closes("bob", "left")
    _tell(embedded, room, bob)
    _tell(embedded, room, imagined("carol"))
    await sidecar.has("carol")
    assert sidecar.law.created_sids == ["PA_bob", "PA_carol"]


async def test_one_identity_twice_in_a_list_is_one_session(
    sidecar_at: StartSidecar,
) -> None:
    twice = (imagined("bob", "PA_1"), imagined("bob", "PA_2", joined_at_ms=1_700_000_000_001))
    async with scripted(Peopled(*twice)) as server:
        sidecar = await sidecar_at(server)
        sidecar.law.accept({"bob": ["replaced"]})
        status = await sidecar.connect()
        assert status["state"] == "connected"
        await sidecar.has("bob")
        assert len(sidecar.law.sids()) == 1


async def test_one_sid_under_two_identities_is_never_two_open_sessions(
    sidecar_at: StartSidecar,
) -> None:
    async with scripted(Peopled(imagined("bob", "PA_1"), imagined("carol", "PA_1"))) as server:
        sidecar = await sidecar_at(server)
        sidecar.law.accept({"bob": ["replaced", "left"], "carol": ["replaced", "left"]})
        assert (await sidecar.connect())["state"] == "connected"
        await sidecar.until("one of them", lambda law: law.sids() == {"PA_1"})
        assert len(sidecar.sessions()) == 1
