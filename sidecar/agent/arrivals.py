"""Owns the early announcement of participants that join with a token of `createConnection`.

livekit-server announces a participant without tracks at its next tick of 3 s, or at once when
something about the participant changes (figures: docs/delays.md). So the agent asks for a change
that has no effect. Does not know how the server is asked.
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
"""Seconds between two tries for an expected participant."""
TRIES = 20
"""A page usually joins a second or two after it got its token. After these tries the server
announces the participant at its own tick."""
MAX_EXPECTED = 32
"""Participants expected at the same time. The server announces more of them at its own tick."""

_log = logging.getLogger("sidecar.agent")


class Arrivals:
    """Waits for the participants that are about to join, and has the server announce them."""

    def __init__(
        self,
        destination: Destination,
        api: LiveKitApi,
        session_of: Callable[[str], AgentSession | None],
    ) -> None:
        """Expect no participant; *session_of* returns the open session of an identity."""
        self._destination = destination
        self._api = api
        self._session_of = session_of
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def expect(self, identity: str) -> None:
        """Wait for a participant with *identity*; a second call starts the wait again."""
        earlier = self._waiting.pop(identity, None)
        if earlier is not None:
            earlier.cancel()
        if len(self._waiting) < MAX_EXPECTED:
            earlier_session = self._session_of(identity)
            task = tasks.start("await an arrival", self._wait_for(identity, earlier_session))
            self._waiting[identity] = task
            task.add_done_callback(lambda done: self._forget(identity, done))

    def stop(self) -> None:
        """Stop waiting for participants."""
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
            _log.debug("The participant could not be announced early: %s", error.message)
            return True  # the server announces the participant at its own tick

    def _forget(self, identity: str, done: asyncio.Task[None]) -> None:
        if self._waiting.get(identity) is done:
            del self._waiting[identity]
