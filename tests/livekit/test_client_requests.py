"""A client that gives tokens, and one that resumes whole sessions, on the real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from livekit import api

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, RpcError, SidecarClient
from sidecar.dev.tokens import Kind, mint_token
from tests.livekit.stdio import closes, session_of
from tests.started import client

TOKEN_CLIENT = {"name": "test", "version": "1", "capabilities": {"getToken": True}}
PURPOSES: dict[str, Kind] = {"agent": "agent", "connection": "standard"}
WRONG_SECRET = "another-secret-of-at-least-32-characters"  # noqa: S105 - of nobody


class Endpoint:
    """An app's token endpoint: signs what it is asked for, or what the test queues before that."""

    def __init__(self, server: DevServer, room: str) -> None:
        self._server = server
        self._room = room
        self.next: list[Callable[[str, Kind], str]] = []

    def __call__(self, asked: JsonObject) -> object:
        kind = PURPOSES[str(asked["purpose"])]
        identity = str(asked.get("identity", "ada@example.org"))
        if self.next:
            return {"token": self.next.pop(0)(identity, kind)}
        return {"participant_token": self.sign(identity, kind), "server_url": self._server.url}

    def sign(self, identity: str, kind: Kind, ttl_s: float = 600.0) -> str:
        server = self._server
        return mint_token(
            server.api_key,
            server.api_secret,
            self._room,
            identity,
            kind=kind,
            name=identity.title(),
            ttl_s=ttl_s,
        )

    def expired(self, identity: str, kind: Kind) -> str:
        return self.sign(identity, kind, ttl_s=-120.0)

    def short(self, identity: str, kind: Kind) -> str:
        return self.sign(identity, kind, ttl_s=25.0)

    def forged(self, identity: str, kind: Kind) -> str:
        return mint_token(self._server.api_key, WRONG_SECRET, self._room, identity, kind=kind)

    def down(self, identity: str, kind: Kind) -> str:
        raise ValueError("the endpoint is down")


async def started(sidecar: SidecarClient, endpoint: Endpoint, **more: object) -> None:
    """The handshake of a client that gives tokens."""
    sidecar.answers["getToken"] = endpoint
    await sidecar.call("initialize", {"protocolVersion": 1, "client": TOKEN_CLIENT, **more})


def states(sidecar: SidecarClient) -> list[str]:
    """The agent's states as announced."""
    changes = [each for each in sidecar.notifications if each.method == "agent-state-changed"]
    return [str(each.params["state"]) for each in changes]


async def test_an_agent_without_a_secret_joins_and_lets_people_in_by_the_client_s_tokens(
    server: DevServer, room: str, sidecar_command: list[str]
) -> None:
    endpoint = Endpoint(server, room)
    place = {"url": server.url, "room": room, "identity": "clara"}
    async with client([*sidecar_command, "--wait"]) as sidecar:
        await started(sidecar, endpoint)
        status = await sidecar.call("connect", place)
        assert (status["state"], status["identity"]) == ("connected", "clara")
        assert status["capabilities"] == {
            "createConnection": True,
            "closeSession": False,
            "reconcile": False,
        }
        details = await sidecar.call("createConnection", {"canPublish": False})
        assert (details["url"], details["room"]) == (server.url, room)
        assert (details["identity"], details["name"]) == ("ada@example.org", "Ada@Example.Org")
        ada = Person(server.url, str(details["token"]), "ada@example.org")
        await ada.join()
        created = await sidecar.notified("session-created")
        assert session_of(created.params)["participantId"] == "ada@example.org"
        await sidecar.call("disconnect")
        await sidecar.call("connect", place)
        assert [asked["purpose"] for _, asked in sidecar.asked] == ["agent", "connection", "agent"]
        await ada.leave()
        assert await sidecar.stop() == 0
    assert list(sidecar.strays) == []


async def test_expired_forged_and_missing_tokens_each_end_in_a_join_once_a_good_one_comes(
    server: DevServer, room: str, source_command: list[str]
) -> None:
    endpoint = Endpoint(server, room)
    endpoint.next = [endpoint.down, endpoint.expired, endpoint.forged]
    place = {"url": server.url, "room": room, "identity": "clara"}
    async with client([*source_command, "--wait"]) as sidecar:
        await started(sidecar, endpoint)
        with pytest.raises(RpcError, match="getToken failed: the endpoint is down") as caught:
            await sidecar.call("connect", {**place, "token": endpoint.expired("clara", "agent")})
        assert (caught.value.code, caught.value.data["retryable"]) == (1002, True)
        await sidecar.notified(
            "agent-state-changed", lambda told: told["state"] == "connected", timeout_s=30
        )
        assert len(sidecar.asked) == 4
        assert "failed" not in states(sidecar)
        details = [
            str(each.params["error"]["detail"])
            for each in sidecar.notifications
            if isinstance(each.params.get("error"), dict)
        ]
        assert ["has expired" in each for each in details] == [False, True, False]
        assert await sidecar.stop() == 0


async def test_a_rejoin_asks_for_a_new_token_where_the_last_one_is_about_to_expire(
    server: DevServer, room: str, source_command: list[str]
) -> None:
    endpoint = Endpoint(server, room)
    endpoint.next = [endpoint.short]
    async with client([*source_command, "--wait"]) as sidecar:
        await started(sidecar, endpoint)
        await sidecar.call("connect", {"url": server.url, "room": room})
        before = len(sidecar.notifications)
        async with api.LiveKitAPI(server.url, server.api_key, server.api_secret) as livekit:
            await livekit.room.delete_room(api.DeleteRoomRequest(room=room))
        await sidecar.notified(
            "agent-state-changed", lambda told: told["state"] == "connected", since=before
        )
        assert states(sidecar)[-4:] == ["backoff", "waiting-for-token", "connecting", "connected"]
        assert len(sidecar.asked) == 2
        assert await sidecar.stop() == 0


async def test_three_forged_tokens_in_a_row_end_the_asking(
    server: DevServer, room: str, source_command: list[str]
) -> None:
    endpoint = Endpoint(server, room)
    endpoint.next = [endpoint.forged] * 3
    async with client([*source_command, "--wait"]) as sidecar:
        await started(sidecar, endpoint)
        with pytest.raises(RpcError):
            await sidecar.call("connect", {"url": server.url, "room": room})
        failed = await sidecar.notified(
            "agent-state-changed", lambda told: told["state"] == "failed", timeout_s=30
        )
        assert "refused 3 fresh access tokens" in failed.params["error"]["detail"]
        assert len(sidecar.asked) == 3
        await sidecar.call("connect")
        assert len(sidecar.asked) == 4
        assert await sidecar.stop() == 0


async def test_who_leaves_during_a_restart_is_closed_with_all_that_was_known_of_them(
    server: DevServer, room: str, sidecar_command: list[str]
) -> None:
    endpoint = Endpoint(server, room)
    place = {"url": server.url, "room": room, "identity": "clara"}
    secret = {"apiKey": server.api_key, "apiSecret": server.api_secret}
    bob_s = mint_token(
        server.api_key,
        server.api_secret,
        room,
        "bob",
        name="Bob",
        metadata='{"seat": 7}',
        attributes={"team": "a"},
    )
    bob = Person(server.url, bob_s, "bob")
    async with client([*sidecar_command, "--wait"]) as first:
        await first.call("connect", {**place, **secret})
        await bob.join()
        await first.notified(
            "session-updated", lambda told: session_of(told)["connectionState"] == "connected"
        )
        (session,) = (await first.call("listSessions"))["sessions"]
        first.signal_group("SIGKILL")
        await first.wait()
    await bob.leave()
    async with client([*sidecar_command, "--wait"]) as second:
        await started(second, endpoint, resume=[session])
        (resumed,) = (await second.call("listSessions"))["sessions"]
        assert resumed == {**session, "connectionState": "reconnecting"}
        await second.call("connect", place)
        closed = await second.notified("session-closed")
        expected = {**session, "connectionState": "closed"}
        found = session_of(closed.params)
        assert {**found, "endTime": None} == {**expected, "endTime": None}
        assert closes(second) == [("bob", "left-during-reconnect")]
        assert (found["name"], found["metadata"], found["attributes"]) == (
            "Bob",
            '{"seat": 7}',
            {"team": "a"},
        )
        assert await second.stop() == 0
