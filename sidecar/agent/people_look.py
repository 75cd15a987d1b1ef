"""Owns the look for people: asks the server every 30 s whether a person is in the room.

Runs while the agent waits outside the room (`join: 'needed'`). Does not know what happens next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sidecar import tasks
from sidecar.agent.destination import Destination
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.ports import LiveKitApi
from sidecar.core.registry.comparison import Comparison

EVERY_S = 30.0
"""Seconds between two looks."""
SECOND_S = 5.0
"""Seconds from the first look to the second: the server's list lags by up to 4 s."""

_log = logging.getLogger("sidecar.agent")


class PeopleLook:
    """Asks for the server's list, from `start` to `stop`, or until a person is there."""

    def __init__(
        self,
        comparison: Comparison,
        destination: Destination,
        api: LiveKitApi,
        found: Callable[[], None],
    ) -> None:
        """Start stopped; calls *found* once after each `start`, when a person is there."""
        self._comparison = comparison
        self._destination = destination
        self._api = api
        self._found = found
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look now, after 5 s, then every 30 s. Replaces an earlier start.

        Does nothing if the credentials do not allow it. When the token that allows it expires,
        *found* is called as well: only a join can then show who is there.
        """
        self._cancel()
        if self._destination.may_list:
            self._looking = tasks.start("look for people", self._look())

    def stop(self) -> None:
        """Stop looking; a late answer changes nothing, and a warning about the list ends."""
        self._cancel()
        self._destination.not_listed(None)

    def _cancel(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        wait_s = SECOND_S
        while self._destination.may_list:
            if await self._is_person_there():
                break
            await asyncio.sleep(wait_s)
            wait_s = EVERY_S
        self._looking = None
        self._found()

    async def _is_person_there(self) -> bool:
        try:
            listed = await self._api.list_participants(self._destination.required())
        except ApiCallFailed as error:
            self._destination.not_listed(error.message)
            return False
        except Exception:
            _log.exception("The server's list could not be looked at, by a bug.")
            return False
        self._destination.not_listed(None)
        return self._comparison.has_people(listed, self._destination.identities)
