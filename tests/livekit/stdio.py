"""What tests say to a sidecar over stdio, and read of what it says."""

from __future__ import annotations

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, SidecarClient


def connect_params(server: DevServer, room: str, **more: object) -> JsonObject:
    """The params of `connect` for a room of *server*."""
    return {
        "url": server.url,
        "apiKey": server.api_key,
        "apiSecret": server.api_secret,
        "room": room,
        **more,
    }


def session_of(params: JsonObject) -> JsonObject:
    """The session of a notification's params."""
    session = params["session"]
    assert isinstance(session, dict)
    return session


async def identities(sidecar: SidecarClient) -> list[str]:
    """Whom `listSessions` lists, in its order."""
    sessions = (await sidecar.call("listSessions"))["sessions"]
    assert isinstance(sessions, list)
    return [str(each["participantId"]) for each in sessions]


async def logged(sidecar: SidecarClient, line: str) -> None:
    """Wait until stderr has *line*, as a whole line."""
    assert await sidecar.logged(line) == line


def closes(sidecar: SidecarClient) -> list[tuple[str, str]]:
    """Each (identity, reason) closed so far."""
    return [
        (str(session_of(n.params)["participantId"]), str(n.params["reason"]))
        for n in sidecar.notifications
        if n.method == "session-closed"
    ]
