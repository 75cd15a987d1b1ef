"""Owns the look whether the agent's identity is free, after another participant put the agent out.

Looks at the server's list, and does not join. So two agents with one identity never put each other
out in turns. Does not know when to look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sidecar import tasks
from sidecar.agent.destination import Destination
from sidecar.core.agent_state import Cause, Event
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.ports import LiveKitApi

_log = logging.getLogger("sidecar.agent")


class IdentityLook:
    """Asks for the server's list, one request at a time."""

    def __init__(
        self, destination: Destination, api: LiveKitApi, happen: Callable[[Cause], None]
    ) -> None:
        """Start without a request; *happen* takes the event that follows an answer."""
        self._destination = destination
        self._api = api
        self._happen = happen
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look now, unless a look is under way. IDENTITY_FREE follows if the identity is free."""
        if self._looking is None:
            self._looking = tasks.start("look for the agent's identity", self._look())

    def stop(self) -> None:
        """Drop the look under way; a late answer changes nothing."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        is_free = False
        try:
            is_free = await self._is_free()
        except ApiCallFailed as error:
            _log.debug("No list to look for the agent's identity in: %s", error.message)
        except Exception:
            _log.exception("The agent's identity could not be looked for, by a bug.")
        self._looking = None
        if is_free:
            self._happen(Cause(Event.IDENTITY_FREE))

    async def _is_free(self) -> bool:
        if not self._destination.may_list:
            return False  # the token that allowed it has expired; a later one may
        target = self._destination.required()
        listed = await self._api.list_participants(target)
        return all(each.identity != target.identity for each in listed)
