"""An app that has no API secret: agent and people join with tokens of example/token-server.cjs."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sidecar.core.config import token_claims
from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from tests.electron.access_app import access_app
from tests.electron.token_endpoint import token_endpoint

IDENTITY = "clara-voice-agent-0a0b0c0d"
NOT_OURS = "a-secret-that-the-server-does-not-know"


@pytest_asyncio.fixture
async def endpoint(
    node: Path, livekit_client: Path, server: DevServer, tmp_path: Path
) -> AsyncIterator[str]:
    """The example's token endpoint for the room of this test, as its own process."""
    async with token_endpoint(node, livekit_client, server, tmp_path.name) as url:
        yield url


def connect(server: DevServer, room: str) -> dict[str, Any]:
    """The option `connect` of an app without secrets."""
    return {"connect": {"url": server.url, "room": room, "identity": IDENTITY}}


def token(
    server: DevServer,
    room: str,
    *,
    secret: str | None = None,
    ttl_s: float = 600,
    room_admin: bool = False,
) -> str:
    """An agent's token for the room."""
    return mint_token(
        server.api_key,
        secret or server.api_secret,
        room,
        IDENTITY,
        kind="agent",
        ttl_s=ttl_s,
        room_admin=room_admin,
    )


@pytest.mark.full
async def test_agent_and_person_join_without_a_secret_in_the_app(
    node: Path, server: DevServer, endpoint: str, tmp_path: Path
) -> None:
    room = tmp_path.name
    async with access_app(node, connect(server, room), endpoint=endpoint) as app:
        assert "error" not in await app.call("start")
        connected = await app.agent("connected")
        assert connected["capabilities"] == {
            "createConnection": True,
            "closeSession": False,
            "reconcile": False,
        }
        status = (await app.call("request", "getStatus"))["result"]
        assert (status["identity"], status["warnings"]) == (IDENTITY, [])

        params = {"identity": "alice", "name": "Alice", "metadata": "m", "canPublish": False}
        details = (await app.call("createConnection", params))["result"]
        assert sorted(details) == ["expiresAt", "identity", "name", "room", "token", "url"]
        assert (details["url"], details["room"], details["identity"]) == (server.url, room, "alice")
        claims = token_claims(details["token"])
        assert claims is not None
        assert (claims.kind, claims.is_room_admin) == ("", False)

        alice = Person(details["url"], details["token"], "alice")
        await alice.join()
        try:
            permissions = alice.room.local_participant.permissions
            assert (permissions.can_publish, permissions.can_subscribe) == (False, True)
            created = await app.heard(lambda said: said.get("event") == "session-created")
            session = created["params"]["session"]
            assert (session["participantId"], session["name"]) == ("alice", "Alice")
            assert session["metadata"] == "m"

            refused = (await app.call("closeSession", session["sessionId"]))["error"]
            assert (refused["name"], refused["code"]) == ("RpcError", 1006)
        finally:
            await alice.leave()
        closed = await app.heard(lambda said: said.get("event") == "session-closed")
        assert closed["params"]["reason"] == "left"
        assert [each["purpose"] for each in app.asked()] == ["agent", "connection"]
        assert details["token"] not in str([each for each in app.said if "event" in each])


async def test_the_agents_own_identity_is_never_given_to_a_person(
    node: Path, server: DevServer, endpoint: str, tmp_path: Path
) -> None:
    async with access_app(node, connect(server, tmp_path.name), endpoint=endpoint) as app:
        await app.call("start")
        await app.agent("connected")
        refused = (await app.call("createConnection", {"identity": IDENTITY}))["error"]
        assert refused["code"] == -32602
        assert len(app.asked()) == 1


async def test_an_agent_that_rules_the_room_compares_with_the_servers_list(
    node: Path, server: DevServer, tmp_path: Path
) -> None:
    room = tmp_path.name
    tokens = [token(server, room, room_admin=True)]
    async with access_app(node, connect(server, room), tokens=tokens) as app:
        await app.call("start")
        connected = await app.agent("connected")
        allowed = connected["capabilities"]
        assert (allowed["reconcile"], allowed["createConnection"]) == (True, True)


async def test_a_token_that_expired_is_followed_by_a_fresh_one(
    node: Path, server: DevServer, tmp_path: Path
) -> None:
    room = tmp_path.name
    # The server allows a minute of leeway.
    tokens = [token(server, room, ttl_s=-120), token(server, room)]
    async with access_app(node, connect(server, room), tokens=tokens) as app:
        await app.call("start")
        await app.agent("waiting-for-token")
        await app.agent("connected")
        assert len(app.asked()) == 2


async def test_three_refused_tokens_are_enough_and_none_is_seen_anywhere(
    node: Path, server: DevServer, tmp_path: Path
) -> None:
    room = tmp_path.name
    bad = token(server, room, secret=NOT_OURS)
    async with access_app(node, connect(server, room), tokens=[bad]) as app:
        assert "error" not in await app.call("start")
        failed = await app.agent("failed")
        assert failed["error"]["category"] == "unauthorized"
        assert "refused 3 fresh access tokens in a row" in failed["error"]["detail"]
        assert len(app.asked()) == 3
        assert bad[-20:] not in str(app.said)


async def test_three_expired_tokens_end_in_failed_as_well(
    node: Path, server: DevServer, tmp_path: Path
) -> None:
    room = tmp_path.name
    expired = [token(server, room, ttl_s=-120)]
    async with access_app(node, connect(server, room), tokens=expired) as app:
        await app.call("start")
        failed = await app.agent("failed")
        assert "has expired" in failed["error"]["detail"]
        assert not failed["error"]["retryable"]
        assert len(app.asked()) == 3


async def test_an_endpoint_that_is_down_holds_nothing_up_and_is_asked_again(
    node: Path, server: DevServer, tmp_path: Path
) -> None:
    room = tmp_path.name
    tokens = [None, None, token(server, room)]
    async with access_app(node, connect(server, room), tokens=tokens) as app:
        assert "error" not in await app.call("start")
        await app.agent("waiting-for-token")
        failed = await app.agent("waiting-for-token", count=2)
        assert "the endpoint is down" in failed["error"]["detail"]
        assert (await app.call("request", "ping"))["result"] == "pong"
        await app.agent("connected")
        assert len(app.asked()) == 3


async def test_a_crash_asks_for_a_new_token(node: Path, server: DevServer, tmp_path: Path) -> None:
    room = tmp_path.name
    first = token(server, room)
    options = connect(server, room)
    options["connect"]["token"] = first
    async with access_app(node, options, tokens=[token(server, room)]) as app:
        await app.call("start")
        await app.agent("connected")
        assert app.asked() == []
        os.kill(child_of(app.pid), signal.SIGKILL)
        await app.heard(lambda said: said.get("event") == "exit")
        await app.agent("connected", count=2)
        assert len(app.asked()) == 1


def child_of(pid: int) -> int:
    """The one child of a process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


async def test_a_page_gets_no_token_that_is_not_its_own(
    node: Path, server: DevServer, tmp_path: Path
) -> None:
    room = tmp_path.name
    agents = token(server, room)
    async with access_app(node, connect(server, room), tokens=[agents]) as app:
        await app.call("start")
        await app.agent("connected")
        refused = (await app.call("createConnection", {"identity": "alice"}))["error"]
        assert refused["code"] == 1006
        assert "another identity" in refused["message"]
        assert agents[-20:] not in str(app.said)
