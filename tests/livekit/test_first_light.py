"""The customer's acceptance checklist over plain stdio, source and frozen, on the real server."""

from __future__ import annotations

from sidecar.dev.child import environment_without_livekit
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import connect_params, identities, logged, session_of


async def test_a_person_who_joins_and_leaves_is_one_created_and_one_closed(
    server: DevServer, room: str, person: Arrive, sidecar_command: list[str]
) -> None:
    async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
        await sidecar.call("initialize", {"protocolVersion": 1})
        status = await sidecar.call("connect", connect_params(server, room))
        assert (status["state"], status["room"], status["url"]) == ("connected", room, server.url)

        bob = person("bob")
        await bob.join()
        created = await sidecar.notified("session-created")
        session = session_of(created.params)
        session_id = str(session["sessionId"])
        assert session_id.startswith("session_")
        assert session_id.endswith("_bob")
        assert session["connectionState"] == "connecting"
        assert session["messageCount"] == 0
        assert session["participantSid"] == bob.sid
        await logged(sidecar, "🎤 Participant joined: bob")
        await logged(sidecar, f"✅ Session {session_id} initialized successfully")
        await sidecar.notified(
            "session-updated", lambda params: session_of(params)["connectionState"] == "connected"
        )
        assert await identities(sidecar) == ["bob"]

        await bob.leave()
        closed = await sidecar.notified("session-closed")
        assert closed.params["reason"] == "left"
        assert closed.params["detail"] == "CLIENT_INITIATED"
        assert session_of(closed.params)["sessionId"] == session_id
        assert session_of(closed.params)["connectionState"] == "closed"
        assert str(session_of(closed.params)["endTime"]) >= str(session["startTime"])
        await logged(sidecar, f"🧹 Cleaning up session {session_id}")
        assert await identities(sidecar) == []
        assert [n.params["seq"] for n in sidecar.notifications] == list(
            range(1, len(sidecar.notifications) + 1)
        )
        assert await sidecar.stop() == 0


async def test_the_environment_alone_is_enough_to_connect(
    server: DevServer, room: str, person: Arrive, sidecar_command: list[str]
) -> None:
    bob = person("bob")
    await bob.join()
    environment = {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "LIVEKIT_ROOM": room,
    }
    async with SidecarClient(
        sidecar_command, env=environment_without_livekit(environment)
    ) as sidecar:
        created = await sidecar.notified("session-created", timeout_s=20)
        assert session_of(created.params)["participantId"] == "bob"
        assert await sidecar.stop() == 0
        closed = sidecar.notifications[-1]
        assert (closed.method, closed.params["reason"]) == ("session-closed", "sidecar-shutdown")
