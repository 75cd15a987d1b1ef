"""Random humans: they come, publish, chat, leave, reload, are removed and replace themselves.

Owns what one human does next. Knows nothing of the sidecar.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from tests.soak.crowd_process import ActFailed
from tests.soak.ledger import EndKind
from tests.soak.visits import Home, Scene, Visit

LENGTHS = ((0.15, 0.0, 1.0), (0.15, 1.0, 3.5), (0.50, 3.5, 10.0), (0.20, 10.0, 30.0))
"""How likely, and from and to how many seconds a stay is to last."""
ENDINGS = {"leave": 50, "reload": 14, "kick": 8, "close-session": 8, "replace": 20}
"""Weights. `replace`: the next stay begins before this one ended."""
REMOVED_WITHIN_S = 5.0


class Human:
    """One who comes again and again until the scene is over."""

    def __init__(self, scene: Scene, home: Home, name: str, seed: str) -> None:
        """*seed* decides all that is done."""
        self._scene = scene
        self._home = home
        self._name = name
        self._life = 0
        self._chance = random.Random(seed)  # noqa: S311 - a soak repeats
        self._leaving: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """Come and go until the scene is over; then leave."""
        earlier: Visit | None = None
        await self._pass(self._chance.uniform(0.0, 4.0))
        while not self._scene.over.is_set():
            try:
                earlier = await self._come_and_go(earlier)
            except ActFailed as error:
                self._scene.ledger.note(time.monotonic(), f"human   {self._name}: {error}"[:200])
                earlier = None
                # Another name half of the time: then nothing but time ends the stay of the killed.
                self._life += self._chance.random() < 0.5
                await self._pass(self._chance.uniform(0.1, 1.5))
        if earlier is not None:
            await earlier.leave()
        await asyncio.gather(*self._leaving)

    async def _come_and_go(self, earlier: Visit | None) -> Visit | None:
        """One stay; gives it back when the next one shall replace it."""
        chance = self._chance
        visit = await self._home.visit(f"{self._name}.{self._life}")
        if earlier is not None:
            earlier.deed(EndKind.REPLACE)
        try:
            await visit.join()
        except ActFailed:
            self._leave_aside(visit)  # it may still join
            raise
        finally:
            if earlier is not None:
                self._leave_aside(earlier)
        await self._spend(visit)
        ending = chance.choices(list(ENDINGS), list(ENDINGS.values()))[0]
        pause_s = chance.uniform(0.0, 0.3 if ending == "reload" else 2.5)
        if ending == "replace" and not visit.is_gone.is_set() and not self._scene.over.is_set():
            return visit
        if ending in ("kick", "close-session") and not visit.is_gone.is_set():
            visit.deed(EndKind.REMOVE)
            remove = self._scene.kick if ending == "kick" else self._scene.close_session
            await remove(visit.identity)
            await self._until_gone(visit, REMOVED_WITHIN_S)
        self._leave_aside(visit)
        await self._pass(pause_s)
        return None

    async def _spend(self, visit: Visit) -> None:
        """Stay for a time, with some acts in it."""
        chance = self._chance
        likely, begins, ends = zip(*LENGTHS, strict=True)
        kind = chance.choices(range(len(LENGTHS)), likely)[0]
        left_s = chance.uniform(begins[kind], ends[kind])
        acts = [visit.chat] * chance.choice((0, 0, 0, 1, 1, 3))
        acts += [visit.publish] * (chance.random() < 0.35)
        acts += [visit.set_attribute] * (chance.random() < 0.1)
        chance.shuffle(acts)
        for act in acts:
            pause_s = chance.uniform(0.0, left_s / 2)
            left_s -= pause_s
            await self._until_gone(visit, pause_s)
            await self._try(act)
        await self._until_gone(visit, left_s)

    async def _try(self, act: Callable[[], Awaitable[None]]) -> None:
        # A room that reconnects does not take it: a human would shrug, too.
        with contextlib.suppress(ActFailed):
            await act()

    async def _until_gone(self, visit: Visit, within_s: float) -> None:
        """Let time pass, less where the room is lost or the scene over."""
        ends = [asyncio.create_task(each.wait()) for each in (visit.is_gone, self._scene.over)]
        await asyncio.wait(ends, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        for each in ends:
            each.cancel()

    async def _pass(self, time_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._scene.over.wait(), time_s)

    def _leave_aside(self, visit: Visit) -> None:
        task = asyncio.create_task(visit.leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
