"""Owns the life of the one Room: opened only after the earlier one is gone, never cancelled.

Cancelling `Room.connect()` makes LiveKit's native layer end the process 15 s later
(livekit/python-sdks#784). Does not know states, sessions or failures' causes.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable

from sidecar import tasks
from sidecar.core.config import Target
from sidecar.core.contract.errors import SidecarError
from sidecar.core.contract.failures import BrokenInstall, Category
from sidecar.core.contract.messages import Status
from sidecar.core.facts import DisconnectReason, Fact, JoinFailed, RoomEnded
from sidecar.core.ports import Clock, LiveKitApi, Room, RoomFactory

LOOK_S = 0.25
"""The clock counts only time in which it is looked at."""

_log = logging.getLogger("sidecar.agent")


class RoomLife:
    """At most one Room exists; facts of an earlier one are dropped."""

    def __init__(self, factory: RoomFactory, api: LiveKitApi, take: Callable[[Fact], None]) -> None:
        """*take* is told the facts of the Room that counts."""
        self._factory = factory
        self._api = api
        self._take = take
        self._number = 0
        """Of the Room that counts; a dropped one's does not come again."""
        self._joining: asyncio.Task[Room | None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    def open(self, target: Callable[[], Target]) -> None:
        """Join a new Room, which counts from now on, once the earlier one is gone.

        *target* is asked then, so that the newest token is used.
        """
        self.drop()
        number = self._number
        self._joining = tasks.start("join", self._join(number, target, self._leaving))

    def drop(self) -> None:
        """Leave the Room, once its `join` has ended; comes back at once."""
        joining, self._joining = self._joining, None
        self._number += 1
        if joining is not None:
            self._leaving = tasks.start("leave", _leave(joining))

    async def gone(self) -> None:
        """Return when there is no Room any more. Cancelling this leaves the Room as it is."""
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
            await room.join()
        except BrokenInstall as error:
            _log.error("%s", error)
            self._emit(number, JoinFailed(Category.BROKEN_INSTALL))
        except Exception:
            _log.exception("The room could not be joined, by a bug.")
            self._emit(number, JoinFailed(Category.INTERNAL))
            # Where the join was taken already, up to the bug.
            self._emit(number, RoomEnded(DisconnectReason.UNKNOWN_REASON))
            if room is not None:
                await room.leave()
                return None
        return room

    def _emit(self, number: int, fact: Fact) -> None:
        if number == self._number:
            self._take(fact)

    async def _token(self, number: int, target: Callable[[], Target]) -> tuple[Target, str] | None:
        """The target and a token for it; None when Room *number* is not wanted any more."""
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
    """Any number of connects, answered together."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._waiting: set[asyncio.Future[Status]] = set()

    def add(self) -> asyncio.Future[Status]:
        """One more waits; its future is what it awaits."""
        waiter: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        return waiter

    async def decided(self, waiter: asyncio.Future[Status], within_s: float, clock: Clock) -> bool:
        """Whether *waiter* is answered *within_s* attended seconds; else it waits no more."""
        until_s = clock.tick().attended_s + within_s
        while not waiter.done() and (rest_s := until_s - clock.tick().attended_s) > 0:
            await asyncio.wait({waiter}, timeout=min(LOOK_S, rest_s))
        if not waiter.done():
            self._waiting.discard(waiter)
        return waiter.done()

    def answer(self, status: Status) -> None:
        """Everyone who waits is answered *status*."""
        for waiter in self._taken():
            waiter.set_result(status)

    def refuse(self, error: SidecarError) -> None:
        """Everyone who waits is answered *error*."""
        for waiter in self._taken():
            waiter.set_exception(error)

    def _taken(self) -> list[asyncio.Future[Status]]:
        taken, self._waiting = list(self._waiting), set()
        return [waiter for waiter in taken if not waiter.done()]
