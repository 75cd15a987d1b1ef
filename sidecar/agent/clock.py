"""Owns attended time, the timer and the time limits.

While the process is stopped or the laptop sleeps, the agent does not see the room. That time is not
attended and must not expire a deadline. Does not know the purpose of the timer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable

from sidecar.core.facts import Moment

TICK_S = 0.25
"""How often the clock ticks while a deadline is pending."""
LONGEST_STEP_S = 1.0
"""A longer gap between two ticks means that the process was stopped: the gap was not attended."""
_SETTLE_TURNS = 4
"""Loop turns from the native thread's callback to our handler: queue, listen task, emit, spare."""


def steady_s() -> float:
    """Return seconds on a clock that runs during sleep, and that a user cannot set."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # time.monotonic() stops in sleep there
    return time.monotonic()


class AttendedClock:
    """The `ports.Clock` on asyncio's running loop."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_s,
    ) -> None:
        """Start attended time at 0. Each clock returns seconds; *steady* includes sleep."""
        self._monotonic = monotonic
        self._wall = wall
        self._steady = steady
        self._last_s = monotonic()
        self._attended_s = 0.0
        self._not_before_s = 0.0
        self._due_s: float | None = None
        self._callback: Callable[[], None] = _nothing
        self._handle: asyncio.Handle | None = None
        self._is_settling = False

    def tick(self) -> Moment:
        """Return the time on each clock, and advance attended time since the last call.

        A step over 1 s adds 0.25 s only.
        """
        real_s = self._monotonic()
        step_s = real_s - self._last_s
        self._last_s = real_s
        if step_s > LONGEST_STEP_S:
            self._attended_s += TICK_S
            # Events that came during the gap are still in the native library's queue.
            self._not_before_s = self._attended_s + TICK_S
        else:
            self._attended_s += step_s
        return Moment(self._attended_s, int(self._wall() * 1000), round(self._steady() * 1000))

    def call_at(self, due_s: float | None, callback: Callable[[], None]) -> None:
        """Call *callback* once at *due_s*, attended seconds. Replaces the earlier call, if any."""
        is_due_still = due_s is not None and due_s <= self._attended_s and self._is_settling
        is_same = due_s == self._due_s and self._handle is not None
        self._due_s = due_s
        self._callback = callback
        if is_same or is_due_still:
            return  # a restart for every fact would let a flood of facts delay the deadline
        self._is_settling = False
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if due_s is not None:
            self._schedule(due_s)

    @contextlib.asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Limit an `async with` block to *seconds* of attended time; see `asyncio.timeout`.

        Raises:
            TimeoutError: the block took longer, and was cancelled.
        """
        loop = asyncio.get_running_loop()
        until_s = self.tick().attended_s + seconds
        handle: asyncio.TimerHandle | None = None
        async with asyncio.timeout(None) as limit:

            def look() -> None:
                nonlocal handle
                rest_s = until_s - self.tick().attended_s
                if rest_s > 0:
                    handle = loop.call_later(min(TICK_S, rest_s), look)
                else:
                    limit.reschedule(loop.time())

            look()
            try:
                yield
            finally:
                if handle is not None:
                    handle.cancel()

    def _schedule(self, due_s: float) -> None:
        wait_s = min(TICK_S, max(0.0, max(due_s, self._not_before_s) - self._attended_s))
        self._handle = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _look(self) -> None:
        if self._due_s is None:
            return
        if self.tick().attended_s < max(self._due_s, self._not_before_s):
            self._schedule(self._due_s)
        else:
            self._is_settling = True
            self._settle(_SETTLE_TURNS)

    def _settle(self, turns: int) -> None:
        """Run the queued SDK events before the deadline."""
        if turns:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_soon(self._settle, turns - 1)
            return
        self._handle = None
        self._is_settling = False
        self._due_s = None
        self._callback()


def _nothing() -> None:
    """Do nothing when no deadline was set."""
