"""Owns when the sessions are compared with the server's own list, one comparison at a time.

The SDK can lose a leave, or a join: after a half-failed full reconnect of its own, and wherever a
message went astray. Does not know what a miss leads to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial

from sidecar import tasks
from sidecar.agent.destination import Destination
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.messages import AgentSession
from sidecar.core.ports import Clock, LiveKitApi
from sidecar.core.registry.changes import Change
from sidecar.core.registry.comparison import Comparison, Poll

EVERY_S = 30.0
AFTER_MISS_S = 5.0
"""Also while the server lists someone, or lacks us, in a way that needs a second look."""
LOOK_S = 0.25
"""The clock counts only time in which it is looked at; and one who reloaded is back within it."""
UNHEARD_POLLS = 3
"""Polls in a row in which an active person has no session, or the agent itself is not listed."""
REJOIN_EVERY_S = 600.0
MAX_ASKED = 32
"""About so many people at a time; the others come at a later poll."""

_log = logging.getLogger("sidecar.agent")


class Reconciler:
    """Polls while the link is up; a new start takes the place of the earlier."""

    def __init__(
        self,
        comparison: Comparison,
        destination: Destination,
        api: LiveKitApi,
        clock: Clock,
        announce: Callable[[Iterable[Change]], None],
        is_deaf: Callable[[], None],
    ) -> None:
        """*announce* takes changes; *is_deaf*: the Room is plainly not told what happens."""
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
        """Compare now, and from then on at the pace that the answers ask for."""
        self.stop()
        self._unheard.clear()
        self._polling = tasks.start("compare with the server's list", self._run())

    def stop(self) -> None:
        """Compare no more; an answer under way is dropped."""
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None
        for asking in self._asking.values():
            asking.cancel()

    def check_soon(self) -> None:
        """Somebody may have left: compare at once where that is in doubt a moment later."""
        self._news.set()

    async def _run(self) -> None:
        is_early = False
        while True:
            try:
                is_soon = await self._poll(is_early=is_early)
            except Exception:
                _log.exception("The sessions could not be compared with the server's list.")
                is_soon = False
            is_early = await (self._attend(AFTER_MISS_S) if is_soon else self._rest())

    async def _poll(self, *, is_early: bool) -> bool:
        """Whether the next one is due soon; *is_early*: it is about those who may have left."""
        if not self._destination.capabilities().reconcile:
            return False  # until a `connect` brings a token that allows it
        poll = self._comparison.begin()
        try:
            listed = await self._api.list_participants(self._destination.required())
        except ApiCallFailed as error:
            _log.debug("No list to compare with: %s", error.message)
            return False
        self._announce(self._comparison.polled(poll, listed, self._clock.tick()))
        self._ask(poll)
        if is_early:  # an announcement may be on its way still
            return self._comparison.has_misses or bool(self._unheard)
        unheard = self._comparison.without_session(listed)
        self._unheard = {sid: self._unheard.get(sid, 0) + 1 for sid in unheard}
        if max(self._unheard.values(), default=0) >= UNHEARD_POLLS:
            self._rejoin()
        return self._comparison.has_misses or bool(self._unheard)

    def _ask(self, poll: Poll) -> None:
        """Have the server asked about each suspect, beside the polls: for a ghost it takes 3 s."""
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

    async def _attend(self, seconds: float) -> bool:
        """Let so much attended time pass: the two misses of a ghost must be that far apart.

        Less, and True, where somebody's leave is in doubt.
        """
        until_s = self._clock.tick().attended_s + seconds
        while self._clock.tick().attended_s < until_s:
            is_news = self._news.is_set()
            self._news.clear()
            await asyncio.sleep(LOOK_S)
            if is_news and self._comparison.has_doubts:
                return True
        return False

    async def _rest(self) -> bool:
        """Let EVERY_S pass; less, and True, where somebody's leave is in doubt."""
        try:
            async with asyncio.timeout(EVERY_S):
                while True:
                    await self._news.wait()
                    self._news.clear()
                    await asyncio.sleep(LOOK_S)
                    if self._comparison.has_doubts:
                        return True
        except TimeoutError:
            return False

    def _rejoin(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._last_rejoin_s < REJOIN_EVERY_S:
            return
        self._last_rejoin_s = now_s
        self._unheard.clear()
        _log.warning("The room holds what the agent was not told of; it joins anew.")
        # Not from within this task, which joining anew ends.
        asyncio.get_running_loop().call_soon(self._is_deaf)
