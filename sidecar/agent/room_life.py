"""Owns the life of the Room: opens a Room only after the earlier one is gone, and never cancels it.

Cancelling `Room.connect()` makes LiveKit's native layer end the process 15 s later
(livekit/python-sdks#784). Does not know states, sessions or the causes of failures.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable

from sidecar import tasks
from sidecar.core.config import Target
from sidecar.core.contract.errors import SidecarError
from sidecar.core.contract.failures import Category, shortage
from sidecar.core.contract.messages import Status
from sidecar.core.facts import DisconnectReason, Fact, JoinFailed, RoomEnded
from sidecar.core.ports import LiveKitApi, Room, RoomFactory

_log = logging.getLogger("sidecar.agent")


class RoomLife:
    """Keeps at most one Room, and drops the facts of earlier Rooms."""

    def __init__(self, factory: RoomFactory, api: LiveKitApi, take: Callable[[Fact], None]) -> None:
        """Start without a Room; *take* gets the facts of the current Room."""
        self._factory = factory
        self._api = api
        self._take = take
        self._number = 0
        """The number of the current Room; it grows with each Room."""
        self._joining: asyncio.Task[Room | None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._joining_url: str | None = None
        """The server of the join that has begun and not ended, also of a dropped Room."""

    @property
    def earlier_url(self) -> str | None:
        """Return the server of a dropped Room while its join still runs: the next join waits."""
        is_waiting = self._leaving is not None and not self._leaving.done()
        return self._joining_url if is_waiting else None

    def open(self, target: Callable[[], Target]) -> None:
        """Drop the current Room, and join a new one once the earlier one is gone.

        Calls *target* at that time, so that the join uses the newest token.
        """
        self.drop()
        number = self._number
        self._joining = tasks.start("join", self._join(number, target, self._leaving))

    def drop(self) -> None:
        """Leave the Room in the background, once its `join` has ended. Returns at once."""
        joining, self._joining = self._joining, None
        self._number += 1
        if joining is not None:
            self._leaving = tasks.start("leave", _leave(joining))

    async def gone(self) -> None:
        """Wait until the dropped Room is gone. Cancelling this does not disturb the Room."""
        if self._leaving is not None:
            await asyncio.shield(self._leaving)

    async def _join(
        self, number: int, target: Callable[[], Target], earlier: asyncio.Task[None] | None
    ) -> Room | None:
        if earlier is not None:
            await asyncio.wait({earlier})
        room: Room | None = None
        try:
            token = await self._token(number, target)
            if token is None:
                return None
            room = self._factory(*token, functools.partial(self._emit, number))
            self._joining_url = token[0].url
            await room.join()
        except Exception as error:
            self._emit(number, _not_joined(error))
            # If `Joined` was emitted before the bug, the agent believes that it is in the room.
            self._emit(number, RoomEnded(DisconnectReason.UNKNOWN_REASON))
            if room is not None:
                await room.leave()
                return None
        finally:
            self._joining_url = None
        return room

    def _emit(self, number: int, fact: Fact) -> None:
        if number == self._number:
            self._take(fact)

    async def _token(self, number: int, target: Callable[[], Target]) -> tuple[Target, str] | None:
        """Return the target and a token for it; None if Room *number* was dropped meanwhile."""
        if number != self._number:
            return None
        at = target()
        token = await self._api.agent_token(at)
        return (at, token) if number == self._number else None


async def _leave(joining: asyncio.Task[Room | None]) -> None:
    room = await joining
    if room is not None:
        await room.leave()


class Waiters:
    """Holds the callers of `connect`, and answers all of them together."""

    def __init__(self) -> None:
        """Start without callers."""
        self._waiting: set[asyncio.Future[Status]] = set()

    def add(self) -> asyncio.Future[Status]:
        """Add a caller. Await the future; cancel it if the caller waits no longer."""
        waiter: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        waiter.add_done_callback(self._waiting.discard)
        return waiter

    def answer(self, status: Status) -> None:
        """Answer all callers with *status*."""
        for waiter in self._taken():
            waiter.set_result(status)

    def refuse(self, error: SidecarError) -> None:
        """Answer all callers with *error*."""
        for waiter in self._taken():
            waiter.set_exception(error)

    def _taken(self) -> list[asyncio.Future[Status]]:
        taken, self._waiting = list(self._waiting), set()
        return [waiter for waiter in taken if not waiter.done()]


def _not_joined(error: Exception) -> JoinFailed:
    """Return the fact of a join that ended with *error*: a shortage of this machine, or a bug."""
    lacked = shortage(error)
    if lacked is not None:
        _log.error("The room could not be joined: %s.", error)
        return JoinFailed(Category.LOCAL, lacked)
    _log.error("The room could not be joined because of a bug.", exc_info=error)
    return JoinFailed(Category.INTERNAL)
