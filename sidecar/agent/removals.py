"""Owns `closeSession`: removes a participant from the room, and waits for the session to close.

The session closes by the room's event, or by a deadline. Does not know JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

from sidecar import tasks
from sidecar.agent.destination import Destination
from sidecar.core.config import Target
from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import (
    ApiCallFailed,
    NotAllowed,
    ShuttingDown,
    SidecarError,
    UnknownSession,
)
from sidecar.core.contract.messages import AgentSession
from sidecar.core.ports import Clock, LiveKitApi
from sidecar.core.registry.changes import Change, Closed
from sidecar.core.registry.sessions import Sessions


class Removals:
    """Removes participants. Two calls for the same session share one removal and its result."""

    def __init__(
        self,
        sessions: Sessions,
        destination: Destination,
        api: LiveKitApi,
        clock: Clock,
        announce: Callable[[Iterable[Change]], None],
    ) -> None:
        """Start without removals; *announce* takes the changes that a removal makes."""
        self._sessions = sessions
        self._destination = destination
        self._api = api
        self._clock = clock
        self._announce = announce
        self._waiting: dict[str, asyncio.Future[AgentSession]] = {}

    async def close(self, session_id: str) -> AgentSession:
        """Remove the participant of this session; return the session after its `session-closed`.

        Raises:
            UnknownSession: no open session has this id.
            NotAllowed: there is no API secret.
            ApiCallFailed: the server did not remove the participant; the session stays open.
            ShuttingDown: the process shut down before the session closed.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise UnknownSession
        target = self._destination.target
        if target is None or target.api_secret is None:
            raise NotAllowed(
                "The sidecar cannot remove a participant without the API secret.",
                "Send `connect` with apiKey and apiSecret, or let your own server remove them.",
            )
        waiting = self._waiting.get(session_id)
        if waiting is None:
            waiting = asyncio.get_running_loop().create_future()
            # Read the exception here, since each caller may have been cancelled before.
            waiting.add_done_callback(lambda done: done.exception())
            self._waiting[session_id] = waiting
            tasks.start("remove a participant", self._remove(session, target))
        return await asyncio.shield(waiting)

    def closed(self, closed: Closed) -> None:
        """Answer the callers that wait for this session. Call after its announcement."""
        waiting = self._waiting.pop(closed.session.session_id, None)
        if waiting is None or waiting.done():
            return
        if closed.reason is CloseReason.SIDECAR_SHUTDOWN:
            waiting.set_exception(ShuttingDown())
        else:
            waiting.set_result(closed.session)

    async def _remove(self, session: AgentSession, target: Target) -> None:
        session_id, identity = session.session_id, session.participant_id
        # The agent may already join another room while sessions of this room are still open.
        target = replace(target, room=session.room_name)
        try:
            # The server removes by identity: check that this sid still has the identity.
            listed = await self._api.list_participants(target)
            if session_id not in self._waiting:
                return  # the session closed meanwhile, and its callers were answered
            sids = [each.sid for each in listed if each.identity == identity]
            if sids and session.participant_sid not in sids:
                self._moot(session_id, CloseReason.REPLACED)
                return
            if sids:
                self._sessions.removing(session_id)
                if await self._api.remove_participant(target, identity):
                    self._announce(self._sessions.removal_agreed(session_id, self._clock.tick()))
                    return
            if await self._api.is_there(target, identity):
                raise ApiCallFailed(
                    "The LiveKit server lists this participant but cannot remove them.",
                    "Let the participant leave and join again, or delete the room.",
                )
            self._moot(session_id, CloseReason.LEFT)
        except Exception as error:  # a bug answers the callers too
            self._sessions.removal_failed(session_id)
            waiting = self._waiting.pop(session_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
            if not isinstance(error, SidecarError):
                raise

    def _moot(self, session_id: str, reason: CloseReason) -> None:
        self._announce(self._sessions.removal_moot(session_id, reason, self._clock.tick()))
