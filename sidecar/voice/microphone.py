"""Owns the sound of one person on its way to a plug-in: keeps 1 s for a slow reader.

Lives on the plug-ins' thread. Does not know where the sound comes from.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from sidecar.core.sound import Frame

KEPT_MS = 1_000
"""Milliseconds of sound for a slow reader; older sound is dropped."""


@dataclass(slots=True)
class Meter:
    """Sums the times of all frames of all sessions; the reader sets it back."""

    frames: int = 0
    waited_s: float = 0.0
    """Seconds that frames waited for the plug-in."""
    worked_s: float = 0.0
    """Seconds between a frame and the plug-in's call for the next one."""


class Microphone:
    """A queue of frames. `put` never blocks; `next` waits."""

    def __init__(self, rate: int, frame_ms: int, meter: Meter | None = None) -> None:
        """Start empty. Each frame has *rate* Hz and lasts *frame_ms* milliseconds.

        *meter* gets the times of each frame.
        """
        self.rate = rate
        self.frame_ms = frame_ms
        self._frames: deque[tuple[float, Frame]] = deque(maxlen=max(1, KEPT_MS // frame_ms))
        """Each frame with the time of its arrival."""
        self._taken_s: float | None = None
        self._meter = meter
        self._waiting: asyncio.Future[None] | None = None
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def put(self, data: bytes) -> None:
        """Add a frame; drop the oldest one when 1 s waits."""
        self._frames.append((time.monotonic(), Frame(data, self.rate)))
        self._is_empty.clear()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def next(self) -> Frame:
        """Remove and return the oldest frame; wait until there is one."""
        if self._taken_s is not None and self._meter is not None:
            self._meter.worked_s += time.monotonic() - self._taken_s
        while not self._frames:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        arrived_s, frame = self._frames.popleft()
        self._taken_s = time.monotonic()
        if self._meter is not None:
            self._meter.frames += 1
            self._meter.waited_s += self._taken_s - arrived_s
        if not self._frames:
            self._is_empty.set()
        return frame

    async def emptied(self) -> None:
        """Wait until every frame was taken."""
        await self._is_empty.wait()
