"""The calls beside connect, on the real server: closeSession, createConnection, resume, wake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.core.config import token_claims
from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, RpcError, SidecarClient
from sidecar.dev.tokens import mint_token
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import closes, connect_params, identities, session_of

pytestmark = pytest.mark.full

RESUMED = {
    "sessionId": "session_1_bob",
    "participantId": "bob",
    "participantSid": "PA_elsewhere",
    "roomName": "elsewhere",
    "startTime": "2026-01-31T12:00:00.000Z",
    "messageCount": 4,
}
"""An entry of `initialize.resume`."""


@pytest_asyncio.fixture
async def sidecar(source_command: list[str]) -> AsyncIterator[SidecarClient]:
    async with SidecarClient([*source_command, "--wait"]) as running:
        yield running
        assert await running.stop() == 0


async def _session_of(sidecar: SidecarClient, identity: str) -> JsonObject:
    created = await sidecar.notified(
        "session-created", lambda params: session_of(params)["participantId"] == identity
    )
    return session_of(created.params)


async def test_close_session_removes_the_person_and_answers_after_the_notification(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    bob = person("bob")
    await bob.join()
    session_id = (await _session_of(sidecar, "bob"))["sessionId"]
    first, second = await asyncio.gather(
        sidecar.call("closeSession", {"sessionId": session_id}),
        sidecar.call("closeSession", {"sessionId": session_id}),
    )
    assert first == second == session_of(sidecar.notifications[-1].params)
    assert first["connectionState"] == "closed"
    assert closes(sidecar) == [("bob", "removed")]
    async with asyncio.timeout(5):
        await bob.gone.wait()
    assert bob.disconnect_reason == "PARTICIPANT_REMOVED"
    with pytest.raises(RpcError) as caught:
        await sidecar.call("closeSession", {"sessionId": session_id})
    assert caught.value.code == 1003


async def test_create_connection_lets_a_person_in_with_the_grants_asked_for(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    details = await sidecar.call(
        "createConnection",
        {"name": "Bob", "metadata": "m", "attributes": {"team": "a"}, "canPublish": False},
    )
    assert (details["url"], details["room"]) == (server.url, room)
    claims = token_claims(str(details["token"]))
    assert claims is not None
    assert (claims.identity, claims.room, claims.is_room_admin) == (
        details["identity"],
        room,
        False,
    )
    bob = Person(server.url, str(details["token"]), str(details["identity"]))
    await bob.join()
    permissions = bob.room.local_participant.permissions
    assert (permissions.can_publish, permissions.can_subscribe) == (False, True)
    assert permissions.can_publish_data
    session = await _session_of(sidecar, bob.identity)
    assert (session["name"], session["metadata"], session["attributes"]) == (
        "Bob",
        "m",
        {"team": "a"},
    )
    await bob.leave()


async def test_create_connection_never_gives_the_agents_own_identity(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    for params in ({"identity": "clara-voice-agent"}, {"identity": ""}, {"ttlSeconds": 0}):
        with pytest.raises(RpcError) as caught:
            await sidecar.call("createConnection", params)
        assert caught.value.code == -32602


async def test_a_page_gets_the_identity_of_a_present_person_only_if_the_app_says_so(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    bob = person("bob")
    await bob.join()  # the sidecar asks the server, which knows of it before it announces it
    for identity in ("bob", "clara-voice-agent-01234567"):
        with pytest.raises(RpcError) as caught:
            await sidecar.call("createConnection", {"identity": identity})
        assert caught.value.code == (1008 if identity == "bob" else -32602)
    details = await sidecar.call("createConnection", {"identity": "bob", "replace": True})
    again = Person(server.url, str(details["token"]), "bob")
    await again.join()
    async with asyncio.timeout(5):
        await bob.gone.wait()
    # The reloaded page asks again for what it was given.
    details = await sidecar.call("createConnection", {"identity": "bob"})
    assert details["identity"] == "bob"
    await again.leave()


async def test_with_a_token_alone_the_capabilities_say_what_cannot_be_done(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    token = mint_token(server.api_key, server.api_secret, room, "clara", kind="agent")
    status = await sidecar.call("connect", {"url": server.url, "token": token})
    assert (status["state"], status["room"], status["identity"]) == ("connected", room, "clara")
    assert status["warnings"] == []
    assert status["capabilities"] == {
        "createConnection": False,
        "closeSession": False,
        "reconcile": False,
    }
    bob = person("bob")
    await bob.join()
    session_id = (await _session_of(sidecar, "bob"))["sessionId"]
    for method, params in (("createConnection", {}), ("closeSession", {"sessionId": session_id})):
        with pytest.raises(RpcError) as caught:
            await sidecar.call(method, params)
        assert caught.value.code == 1006
        assert isinstance(caught.value.data, dict)
        assert caught.value.data["fix"]


async def test_a_token_that_is_not_of_kind_agent_is_warned_of_once(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    token = mint_token(server.api_key, server.api_secret, room, "clara")
    status = await sidecar.call("connect", {"url": server.url, "token": token})
    assert len(status["warnings"]) == 1
    await sidecar.call("connect", {"url": server.url, "token": token})
    assert len([line for line in sidecar.stderr_lines if "kind `agent`" in line]) == 1


async def test_an_expired_token_waits_for_a_newer_one(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    expired = mint_token(
        server.api_key, server.api_secret, room, "clara", kind="agent", ttl_s=-3600
    )
    with pytest.raises(RpcError) as caught:
        await sidecar.call("connect", {"url": server.url, "token": expired})
    assert caught.value.code == 1002
    assert (await sidecar.call("getStatus"))["state"] == "waiting-for-token"
    fresh = mint_token(server.api_key, server.api_secret, room, "clara", kind="agent")
    status = await sidecar.call("connect", {"token": fresh})
    assert status["state"] == "connected"


async def test_chat_counts_for_the_session_that_is_open_when_it_begins(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    bob = person("bob")
    await bob.join()
    await bob.chat("before anybody was told of me")
    await sidecar.notified("session-updated", lambda p: session_of(p)["messageCount"] == 1)
    await bob.chat("x" * 100_000)
    await sidecar.notified("session-updated", lambda p: session_of(p)["messageCount"] == 2)
    send = bob.room.local_participant.publish_data
    await send(b'{"message":"a copy","ignoreLegacy":true}', topic="lk-chat-topic")
    await send(b'{"message":"an old client"}', topic="lk-chat-topic")
    await bob.room.local_participant.send_text("not chat", topic="something.else")
    await sidecar.notified("session-updated", lambda p: session_of(p)["messageCount"] == 3)
    await bob.leave()
    closed = await sidecar.notified("session-closed")
    assert session_of(closed.params)["messageCount"] == 3


async def test_name_metadata_and_attributes_follow_the_participant(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    bob = person("bob")
    await bob.join()
    await bob.set_attributes({"team": "b"})
    await _session_of(sidecar, "bob")
    await bob.set_attributes({"team": "c"})
    await bob.room.local_participant.set_metadata("m")
    await bob.room.local_participant.set_name("Bob")
    updated = await sidecar.notified("session-updated", lambda p: session_of(p)["name"] == "Bob")
    session = session_of(updated.params)
    assert (session["attributes"], session["metadata"]) == ({"team": "c"}, "m")
    told = {
        name
        for n in sidecar.notifications
        if n.method == "session-updated" and isinstance(n.params["changed"], list)
        for name in n.params["changed"]
    }
    assert {"name", "attributes", "metadata"} <= told


async def test_connection_quality_is_known_once_a_track_is_subscribed(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room, autoSubscribe=True))
    bob = person("bob")
    await bob.join()
    await bob.publish()
    await sidecar.notified(
        "session-updated",
        lambda p: session_of(p)["connectionQuality"] in ("good", "excellent"),
        timeout_s=20,
    )


async def test_sessions_go_on_in_the_next_process_under_their_ids(
    server: DevServer, room: str, person: Arrive, source_command: list[str]
) -> None:
    bob, carol = person("bob"), person("carol")
    await asyncio.gather(bob.join(), carol.join())
    command = [*source_command, "--wait"]
    async with SidecarClient(command) as first:
        await first.call("connect", connect_params(server, room))
        sessions = (await first.call("listSessions"))["sessions"]
        assert isinstance(sessions, list)
        first.kill()
    await carol.leave()
    names = (
        "sessionId",
        "participantId",
        "participantSid",
        "roomName",
        "startTime",
        "messageCount",
    )
    resume = [{name: each[name] for name in names} for each in sessions]
    async with SidecarClient(command) as second:
        await second.call("initialize", {"protocolVersion": 1, "resume": resume})
        listed = (await second.call("listSessions"))["sessions"]
        assert isinstance(listed, list)
        assert {each["connectionState"] for each in listed} == {"reconnecting"}
        await second.call("connect", connect_params(server, room))
        closed = await second.notified("session-closed")
        assert closed.params["reason"] == "left-during-reconnect"
        assert session_of(closed.params)["participantId"] == "carol"
        assert await identities(second) == ["bob"]
        kept = (await second.call("listSessions"))["sessions"]
        assert isinstance(kept, list)
        before = next(each for each in sessions if each["participantId"] == "bob")
        assert kept == [before]
        assert not [n for n in second.notifications if n.method == "session-created"]
        with pytest.raises(RpcError) as caught:
            await second.call("initialize", {"protocolVersion": 1})
        assert caught.value.code == -32600
        assert await second.stop() == 0


async def test_a_person_who_is_still_there_has_no_id_that_was_closed_before(
    server: DevServer, room: str, person: Arrive, source_command: list[str]
) -> None:
    bob = person("bob")
    await bob.join()
    ids: list[str] = []
    for _ in range(2):
        async with SidecarClient([*source_command, "--wait"]) as sidecar:
            await sidecar.call("initialize", {"protocolVersion": 1, "usedIds": ids})
            await sidecar.call("connect", connect_params(server, room))
            ids.append(str((await _session_of(sidecar, "bob"))["sessionId"]))
            assert await sidecar.stop() == 0
    assert len(set(ids)) == 2


async def test_a_resumed_session_whose_outage_was_too_long_closes_before_any_join(
    sidecar: SidecarClient,
) -> None:
    outage = {"outageMs": 45_000}
    await sidecar.call("initialize", {"protocolVersion": 1, "resume": [RESUMED], **outage})
    await sidecar.notified("session-closed")
    assert closes(sidecar) == [("bob", "connection-lost")]


async def test_a_resumed_session_of_another_room_is_closed_at_the_join(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    await sidecar.call("initialize", {"protocolVersion": 1, "resume": [RESUMED]})
    await sidecar.call("connect", connect_params(server, room))
    assert closes(sidecar) == [("bob", "agent-disconnected")]


async def test_wake_ends_a_backoff_at_once(
    server_binary: Path, room: str, sidecar: SidecarClient
) -> None:
    server = DevServer(server_binary)
    with pytest.raises(RpcError):
        await sidecar.call("connect", connect_params(server, room))
    async with server:
        # Ladder or not: the next attempt begins with this call.
        assert await sidecar.request("wake", {"reason": "network-online"}) is None
        await sidecar.notified("agent-state-changed", lambda p: p["state"] == "connected")
        with pytest.raises(RpcError) as caught:
            await sidecar.request("wake", {"reason": "boredom"})
        assert caught.value.code == -32602
        await sidecar.stop()


async def test_a_switch_takes_the_agent_to_another_room_and_back_with_its_people(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    bob = person("bob")
    await bob.join()
    first = await _session_of(sidecar, "bob")
    with pytest.raises(RpcError) as caught:
        await sidecar.call("connect", {"room": f"{room}-2"})
    assert caught.value.code == 1007
    there = await sidecar.call("connect", {"room": f"{room}-2", "switch": True})
    assert (there["state"], there["room"], there["sessions"]) == ("connected", f"{room}-2", 0)
    assert closes(sidecar) == [("bob", "agent-disconnected")]
    back = await sidecar.call("connect", {"room": room, "switch": True})
    assert (back["room"], back["sessions"]) == (room, 1)
    (again,) = (await sidecar.call("listSessions"))["sessions"]  # type: ignore[misc]
    assert again["participantId"] == "bob"
    assert again["sessionId"] != first["sessionId"]
