"""Owns who waits for the outcome of a `connect`. Does not know how it is decided."""

from __future__ import annotations

import asyncio

from sidecar.core.contract.errors import SidecarError
from sidecar.core.contract.messages import Status
from sidecar.core.ports import Clock

LOOK_S = 0.25
"""The clock counts only time in which it is looked at."""


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
        until_s = clock.now().attended_s + within_s
        while not waiter.done() and (rest_s := until_s - clock.now().attended_s) > 0:
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
