"""When a room tells of a change: the laws of the batch."""

from __future__ import annotations

from livekit.protocol.models import DisconnectReason, ParticipantInfo

from sidecar.dev.embedded.room import Announcements
from sidecar.dev.embedded_room import EmbeddedRoom
from tests.embedded.conftest import Arrive
from tests.embedded.witness import Witness

State = ParticipantInfo.State


def _info(
    sid: str = "PA_1",
    state: ParticipantInfo.State = State.JOINED,
    *,
    at: int = 1,
    publishes: bool = False,
    reason: DisconnectReason = DisconnectReason.UNKNOWN_REASON,
) -> ParticipantInfo:
    return ParticipantInfo(
        sid=sid,
        identity="bob",
        state=state,
        joined_at_ms=at,
        is_publisher=publishes,
        disconnect_reason=reason,
    )


def _sids(infos: list[ParticipantInfo]) -> list[tuple[str, int]]:
    return [(each.sid, each.state) for each in infos]


def test_who_publishes_nothing_waits_for_the_batch_and_only_the_newest_state_is_told() -> None:
    announcements = Announcements()
    for state in (State.JOINED, State.ACTIVE):
        info = _info(state=state)
        assert announcements.push(info, info, at_once=False) == []
    assert not announcements.is_empty
    assert _sids(announcements.take()) == [("PA_1", State.ACTIVE)]
    assert announcements.is_empty


def test_a_publisher_and_what_is_at_once_never_wait_and_take_what_waited_along() -> None:
    for more in ({"publishes": True}, {}):
        announcements = Announcements()
        announcements.push(_info(), None, at_once=False)
        told = announcements.push(_info(state=State.ACTIVE, **more), None, at_once=not more)
        assert _sids(told) == [("PA_1", State.ACTIVE)]
        assert announcements.take() == []


def test_one_who_came_and_went_is_told_of_as_gone_alone() -> None:
    announcements = Announcements()
    announcements.push(_info(), None, at_once=False)
    gone = _info(state=State.DISCONNECTED, reason=DisconnectReason.CLIENT_INITIATED)
    announcements.push(gone, None, at_once=False)
    assert _sids(announcements.take()) == [("PA_1", State.DISCONNECTED)]


def test_a_second_stay_is_told_at_once_when_the_first_one_waits_and_the_first_not_at_all() -> None:
    announcements = Announcements()
    duplicate = DisconnectReason.DUPLICATE_IDENTITY
    gone = _info(state=State.DISCONNECTED, reason=duplicate)
    assert announcements.push(gone, None, at_once=False) == []
    newer = _info("PA_2", at=2)
    assert _sids(announcements.push(newer, newer, at_once=False)) == [("PA_2", State.JOINED)]
    assert announcements.take() == []


def test_an_older_stay_never_speaks_over_a_newer_one() -> None:
    newer = _info("PA_2", at=2)
    late = _info("PA_1", State.ACTIVE, at=1)
    waiting = Announcements()
    waiting.push(newer, newer, at_once=False)
    assert waiting.push(late, newer, at_once=True) == []
    assert _sids(waiting.take()) == [("PA_2", State.JOINED)]
    told = Announcements()
    assert told.push(late, newer, at_once=False) == []
    assert told.is_empty


async def test_between_batches_only_who_publishes_or_changes_attributes_is_told_of(
    people: Arrive,
) -> None:
    async with EmbeddedRoom(announce_every_s=3_600) as server:
        watching = people(server, "watcher")
        watcher = Witness(watching.room)
        await watching.join()
        bob, carol, dora = (people(server, name) for name in ("bob", "carol", "dora"))
        for each in (bob, carol, dora):
            await each.join()
        await carol.publish()
        await dora.set_attributes({"team": "d"})
        for each in (carol, dora):
            await watcher.sees("participant_connected", each.sid)
        await dora.chat("and after that")
        await watcher.until("text")
        assert watcher.of(bob.sid) == []
