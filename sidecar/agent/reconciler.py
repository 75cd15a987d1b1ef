"""Owns the times at which the sessions are compared with the server's list of participants.

The SDK can lose a leave or a join, for example when its full reconnect fails halfway. Makes one
comparison at a time. Does not know how a missing participant's session closes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

from sidecar import tasks
from sidecar.agent.destination import Destination
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.messages import AgentSession
from sidecar.core.ports import Clock, LiveKitApi
from sidecar.core.registry.changes import Change
from sidecar.core.registry.comparison import Comparison, Poll

EVERY_S = 30.0
"""Seconds between two polls while list and sessions agree."""
AFTER_MISS_S = 5.0
"""Attended seconds to the next poll while list and sessions differ."""
RELOAD_WITHIN_S = 0.25
"""Seconds from a leave in doubt to the comparison: a page that reloads is back by then."""
UNHEARD_POLLS = 3
"""The agent rejoins after so many polls in a row with the same participant listed but without a
session, or with the agent itself not listed."""
REJOIN_EVERY_S = 600.0
"""At most one such rejoin in this time."""
MAX_ASKED = 32
"""Suspects asked about at the same time; the other suspects wait for a later poll."""

_log = logging.getLogger("sidecar.agent")


class Reconciler:
    """Polls the server's list, from `start` to `stop`."""

    def __init__(
        self,
        comparison: Comparison,
        destination: Destination,
        api: LiveKitApi,
        clock: Clock,
        announce: Callable[[Iterable[Change]], None],
        is_deaf: Callable[[], None],
    ) -> None:
        """Start stopped; *announce* takes changes. Calls *is_deaf* if the Room gets no events."""
        self._comparison = comparison
        self._destination = destination
        self._api = api
        self._clock = clock
        self._announce = announce
        self._is_deaf = is_deaf
        self._polling: asyncio.Task[None] | None = None
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._unheard: dict[str, int] = {}
        self._news = asyncio.Event()
        self._last_rejoin_s = float("-inf")

    def start(self) -> None:
        """Compare now, then every 30 s, or 5 s after a difference. Replaces an earlier start."""
        self.stop()
        self._unheard.clear()
        self._polling = tasks.start("compare with the server's list", self._run())

    def stop(self) -> None:
        """Stop comparing, and drop the answers in flight."""
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None
        for asking in self._asking.values():
            asking.cancel()

    def check_soon(self) -> None:
        """Compare in 0.25 s if a session is on hold by then. Call after a participant left."""
        self._news.set()

    async def _run(self) -> None:
        is_early = False
        while True:
            try:
                is_soon = await self._poll(is_early=is_early)
            except Exception:
                _log.exception("The sessions could not be compared with the server's list.")
                is_soon = False
            limit = self._clock.within(AFTER_MISS_S) if is_soon else asyncio.timeout(EVERY_S)
            is_early = await self._has_doubts(limit)

    async def _poll(self, *, is_early: bool) -> bool:
        """Compare once, and return whether to poll again in 5 s.

        *is_early*: a leave is in doubt. Then listed participants without a session do not count.
        """
        if not self._destination.may_list:
            return False  # the token does not allow it; a later one may
        poll = self._comparison.begin()
        try:
            listed = await self._api.list_participants(self._destination.required())
        except ApiCallFailed as error:
            _log.debug("No list to compare with: %s", error.message)
            return False
        self._announce(self._comparison.polled(poll, listed, self._clock.tick()))
        self._ask(poll)
        if is_early:  # the announcement of a listed participant may still be on its way
            return self._comparison.has_misses or bool(self._unheard)
        unheard = self._comparison.without_session(listed)
        self._unheard = {sid: self._unheard.get(sid, 0) + 1 for sid in unheard}
        if max(self._unheard.values(), default=0) >= UNHEARD_POLLS:
            self._rejoin()
        return self._comparison.has_misses or bool(self._unheard)

    def _ask(self, poll: Poll) -> None:
        """Start a request about each suspect. It takes 3 s if the participant is gone."""
        for suspect in self._comparison.suspects:
            session_id = suspect.session_id
            if session_id in self._asking or len(self._asking) >= MAX_ASKED:
                continue
            task = tasks.start("ask about a suspect", self._ask_about(poll, suspect))
            self._asking[session_id] = task
            task.add_done_callback(partial(self._asked, session_id))

    async def _ask_about(self, poll: Poll, suspect: AgentSession) -> None:
        target = self._destination.required()
        is_there = await self._api.is_there(target, suspect.participant_id)
        now = self._clock.tick()
        self._announce(self._comparison.asked(poll, suspect.session_id, is_there, now))

    def _asked(self, session_id: str, _: asyncio.Task[None]) -> None:
        del self._asking[session_id]

    async def _has_doubts(self, limit: AbstractAsyncContextManager[object]) -> bool:
        """Wait until a leave is in doubt; return False when *limit* ends the wait."""
        with suppress(TimeoutError):
            async with limit:
                while True:
                    await self._news.wait()
                    self._news.clear()
                    await asyncio.sleep(RELOAD_WITHIN_S)
                    if self._comparison.has_doubts:
                        return True
        return False

    def _rejoin(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._last_rejoin_s < REJOIN_EVERY_S:
            return
        self._last_rejoin_s = now_s
        self._unheard.clear()
        _log.warning("The agent gets no events from its room; it joins anew.")
        # Call it outside this task: the rejoin cancels this task.
        asyncio.get_running_loop().call_soon(self._is_deaf)
