"""What tests say to a sidecar over stdio, and read of what it says."""

from __future__ import annotations

import sys
from typing import Protocol

from sidecar.dev.stdio_client import JsonObject, SidecarClient


class Served(Protocol):
    """A LiveKit server, or its double, by what a `connect` needs of it."""

    @property
    def url(self) -> str:
        """ws://host:port."""

    @property
    def api_key(self) -> str:
        """One that the server knows."""

    @property
    def api_secret(self) -> str:
        """Of that key."""


def connect_params(server: Served, room: str, **more: object) -> JsonObject:
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


def with_plug_in(named: str = "tests.livekit.voice.probe:Probe") -> list[str]:
    """Give the command of a sidecar with this plug-in, `module:Class`."""
    return [sys.executable, "-m", "sidecar", "--wait", "--voice", named]
