"""Owns that a person for whom a connection was made is announced as soon as they are in the room.

livekit-server announces one who publishes nothing at its next tick of 3 s, and at once when asked
to change something about them (docs/delays.md has the figures). Does not know what is announced,
nor how the server is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sidecar import tasks
from sidecar.agent.destination import Destination
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.messages import AgentSession
from sidecar.core.ports import LiveKitApi

EVERY_S = 0.5
TRIES = 20
"""A page that has a token joins within a second or two; later ones come at the server's pace."""
MAX_EXPECTED = 32
"""At a time; more come at the server's pace."""

_log = logging.getLogger("sidecar.agent")


class Arrivals:
    """Those who are expected; a second connection for one of them begins the waiting anew."""

    def __init__(
        self,
        destination: Destination,
        api: LiveKitApi,
        session_of: Callable[[str], AgentSession | None],
    ) -> None:
        """*session_of* gives the open session of an identity."""
        self._destination = destination
        self._api = api
        self._session_of = session_of
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def expect(self, identity: str) -> None:
        """Somebody with *identity* is about to join."""
        earlier = self._waiting.pop(identity, None)
        if earlier is not None:
            earlier.cancel()
        if len(self._waiting) < MAX_EXPECTED:
            earlier_session = self._session_of(identity)
            task = tasks.start("await an arrival", self._wait_for(identity, earlier_session))
            self._waiting[identity] = task
            task.add_done_callback(lambda done: self._forget(identity, done))

    def stop(self) -> None:
        """Expect nobody any more."""
        for task in self._waiting.values():
            task.cancel()

    async def _wait_for(self, identity: str, earlier: AgentSession | None) -> None:
        for _ in range(TRIES):
            await asyncio.sleep(EVERY_S)
            now = self._session_of(identity)
            if now is None:
                if await self._is_announced(identity):
                    return
            elif earlier is None or now.session_id != earlier.session_id:
                return

    async def _is_announced(self, identity: str) -> bool:
        try:
            return await self._api.broadcast_participant(self._destination.required(), identity)
        except ApiCallFailed as error:
            _log.debug("Nobody could be announced: %s", error.message)
            return True  # at the server's pace, then

    def _forget(self, identity: str, done: asyncio.Task[None]) -> None:
        if self._waiting.get(identity) is done:
            del self._waiting[identity]
