"""What the real SDK sees of a room: the same on the double as on the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livekit import api, rtc

from sidecar.dev.person import Person
from sidecar.dev.tokens import mint_token
from tests.embedded.conftest import AnyServer
from tests.embedded.witness import Witness

Make = Callable[..., Person]


async def _watcher(people: Make, server: AnyServer) -> tuple[Person, Witness]:
    """One who is of kind agent, as the sidecar is, and watches the room."""
    person = people(server, "watcher", kind="agent")
    witness = Witness(person.room)
    await person.join()
    return person, witness


async def _list(server: AnyServer, room: str) -> dict[str, api.ParticipantInfo]:
    url = server.url.replace("ws", "http", 1)
    async with api.LiveKitAPI(url, server.api_key, server.api_secret) as there:
        answer = await there.room.list_participants(api.ListParticipantsRequest(room=room))
    return {each.identity: each for each in answer.participants}


async def test_who_joins_is_connected_then_active_under_one_sid(
    any_server: AnyServer, people: Make
) -> None:
    _, watcher = await _watcher(people, any_server)
    bob = people(any_server, "bob")
    await bob.join()
    await watcher.sees("participant_active", bob.sid)
    assert watcher.of(bob.sid) == ["participant_connected", "participant_active"]


async def test_who_was_there_before_is_in_the_snapshot_and_no_event(
    any_server: AnyServer, people: Make, room: str
) -> None:
    bob = people(any_server, "bob", name="Bob", metadata="m", attributes={"team": "a"})
    await bob.join()
    watching, watcher = await _watcher(people, any_server)
    (there,) = watching.room.remote_participants.values()
    assert (there.sid, there.identity, there.name) == (bob.sid, "bob", "Bob")
    assert (there.metadata, there.attributes) == ("m", {"team": "a"})
    assert there.state == rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
    assert there.kind == rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
    assert watching.room.name == room
    carol = people(any_server, "carol")
    await carol.join()
    await watcher.sees("participant_active", carol.sid)
    assert watcher.of(bob.sid) == []


async def test_joined_at_is_the_one_of_the_list_to_the_millisecond(
    any_server: AnyServer, people: Make, room: str
) -> None:
    bob = people(any_server, "bob")
    await bob.join()
    watching, _ = await _watcher(people, any_server)
    (there,) = watching.room.remote_participants.values()
    listed = await _list(any_server, room)
    assert there.joined_at is not None
    assert round(there.joined_at.timestamp() * 1000) == listed["bob"].joined_at_ms
    assert listed["bob"].joined_at == listed["bob"].joined_at_ms // 1000
    assert listed["bob"].sid == bob.sid
    assert listed["bob"].state == api.ParticipantInfo.State.ACTIVE
    assert listed["watcher"].kind == api.ParticipantInfo.Kind.AGENT


async def test_a_leave_is_told_with_its_reason(any_server: AnyServer, people: Make) -> None:
    _, watcher = await _watcher(people, any_server)
    bob = people(any_server, "bob")
    await bob.join()
    await watcher.sees("participant_active", bob.sid)
    await bob.leave()
    left = await watcher.sees("participant_disconnected", bob.sid)
    assert left.detail == "CLIENT_INITIATED"


async def test_one_who_is_removed_is_told_and_so_are_the_others(
    any_server: AnyServer, people: Make, room: str
) -> None:
    _, watcher = await _watcher(people, any_server)
    bob = people(any_server, "bob")
    own = Witness(bob.room)
    await bob.join()
    await watcher.sees("participant_active", bob.sid)
    url = any_server.url.replace("ws", "http", 1)
    async with api.LiveKitAPI(url, any_server.api_key, any_server.api_secret) as there:
        await there.room.remove_participant(api.RoomParticipantIdentity(room=room, identity="bob"))
    assert (await own.until("disconnected")).detail == "PARTICIPANT_REMOVED"
    left = await watcher.sees("participant_disconnected", bob.sid)
    assert left.detail == "PARTICIPANT_REMOVED"
    assert "bob" not in await _list(any_server, room)


async def test_a_second_client_of_an_identity_ends_the_first_without_a_reason_for_others(
    any_server: AnyServer, people: Make
) -> None:
    _, watcher = await _watcher(people, any_server)
    first = people(any_server, "bob")
    own = Witness(first.room)
    await first.join()
    await watcher.sees("participant_active", first.sid)
    second = people(any_server, "bob")
    await second.join()
    assert (await own.until("disconnected")).detail == "DUPLICATE_IDENTITY"
    await watcher.sees("participant_active", second.sid)
    told = [(each.what, each.sid, each.detail) for each in watcher.seen if each.identity == "bob"]
    assert told == [
        ("participant_connected", first.sid, None),
        ("participant_active", first.sid, None),
        ("participant_disconnected", first.sid, None),
        ("participant_connected", second.sid, None),
        ("participant_active", second.sid, None),
    ]


async def test_metadata_name_and_attributes_are_told_to_all(
    any_server: AnyServer, people: Make
) -> None:
    _, watcher = await _watcher(people, any_server)
    bob = people(any_server, "bob", attributes={"team": "a", "role": "x"})
    await bob.join()
    await watcher.sees("participant_active", bob.sid)
    await bob.set_attributes({"team": "b", "role": ""})
    await bob.room.local_participant.set_metadata("m")
    await bob.room.local_participant.set_name("Bob")
    changed = await watcher.sees("attributes", bob.sid)
    assert changed.detail == {"team": "b", "role": ""}
    assert (await watcher.sees("metadata", bob.sid)).detail == "m"
    assert (await watcher.sees("name", bob.sid)).detail == "Bob"
    assert bob.room.local_participant.attributes == {"team": "b"}


async def test_text_of_any_length_arrives_with_its_senders_identity(
    any_server: AnyServer, people: Make
) -> None:
    _, watcher = await _watcher(people, any_server)
    bob = people(any_server, "bob")
    await bob.join()
    for text in ("first", "x" * 100_000, "🎤 last"):
        await bob.chat(text)
        await watcher.until("text", lambda seen, text=text: seen.detail == text)
    assert {each.identity for each in watcher.seen if each.what == "text"} == {"bob"}


async def test_a_client_speaks_and_hears_before_and_after_a_resume(
    any_server: AnyServer, people: Make, room: str
) -> None:
    token = mint_token(any_server.api_key, any_server.api_secret, room, "watcher")
    watching = rtc.Room()
    watcher = Witness(watching)
    await watching.connect(any_server.url, token)
    try:
        bob = people(any_server, "bob")
        his = Witness(bob.room)
        await bob.join()
        await bob.chat("before")
        await watcher.until("text", lambda seen: seen.detail == "before")
        own_sid = watching.local_participant.sid
        await watching.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT)
        await watcher.until("reconnected")
        assert watching.local_participant.sid == own_sid
        await bob.chat("after")
        await watching.local_participant.send_text("heard", topic="lk.chat")
        await watcher.until("text", lambda seen: seen.detail == "after")
        await his.until("text", lambda seen: seen.detail == "heard")
        names = [each.what for each in watcher.seen]
        assert "participant_disconnected" not in names
        assert names.index("reconnecting") < names.index("reconnected")
    finally:
        await watching.disconnect()


async def test_a_full_reconnect_shows_everybody_as_gone_and_back_under_the_same_sids(
    any_server: AnyServer, people: Make
) -> None:
    watching, watcher = await _watcher(people, any_server)
    bob, carol = people(any_server, "bob"), people(any_server, "carol")
    await asyncio.gather(bob.join(), carol.join())
    for each in (bob, carol):
        await watcher.sees("participant_active", each.sid)
    since = len(watcher.seen)
    await watching.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
    await watcher.until("reconnected")
    told = [(each.what, each.sid) for each in watcher.seen[since:]]
    gone = {("participant_disconnected", each.sid) for each in (bob, carol)}
    assert set(told[:2]) == gone
    assert told[2] == ("reconnecting", "")
    assert {each.detail for each in watcher.seen[since : since + 2]} == {None}
    for each in (bob, carol):
        await watcher.sees("participant_active", each.sid)
        assert watcher.of(each.sid)[-2:] == ["participant_connected", "participant_active"]
