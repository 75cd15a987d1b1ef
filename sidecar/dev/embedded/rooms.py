"""The rooms of one double, and the key that opens them.

A room begins with its first join. Unlike the server's, it stays when everybody has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from livekit.protocol.models import DisconnectReason

from sidecar.dev.embedded.access import Grants, read_token, refreshed_token
from sidecar.dev.embedded.room import Room

CLOSE_TIMEOUT_S = 5.0


class Rooms:
    """All rooms, by name."""

    def __init__(self, api_key: str, api_secret: str, announce_every_s: float) -> None:
        """There are none."""
        self._api_key = api_key
        self._api_secret = api_secret
        self._announce_every_s = announce_every_s
        self._rooms: dict[str, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def grants(self, token: str) -> Grants | None:
        """What *token* grants here; None without one. Raises access.Refused."""
        return read_token(token, self._api_key, self._api_secret)

    def refreshed(self, grants: Grants) -> str:
        """A token of the same grants, for a reconnect."""
        return refreshed_token(grants, self._api_key, self._api_secret)

    def find(self, name: str) -> Room | None:
        """The room of this name, if it ever began."""
        return self._rooms.get(name)

    def open(self, name: str) -> Room:
        """The room of this name, which begins now if it is not there."""
        if name not in self._rooms:
            self._rooms[name] = Room(name, self._announce_every_s, self._background)
        return self._rooms[name]

    async def close(self, reason: DisconnectReason) -> None:
        """Put everybody out of every room."""
        for room in self._rooms.values():
            room.close(reason)
        self._rooms.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT_S)

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
