"""Owns the sound of one person on its way to a plug-in: keeps 1 s for a slow reader.

Lives on the plug-ins' thread. Does not know where the sound comes from.
"""

from __future__ import annotations

import asyncio
from collections import deque

from sidecar.core.sound import Frame

KEPT_MS = 1_000
"""Milliseconds of sound for a slow reader; older sound is dropped."""


class Microphone:
    """A queue of frames. `put` never blocks; `next` waits."""

    def __init__(self, rate: int, frame_ms: int) -> None:
        """Start empty; *rate* in Hz and *frame_ms* in milliseconds are those of each frame."""
        self.rate = rate
        self.frame_ms = frame_ms
        self._frames: deque[Frame] = deque(maxlen=max(1, KEPT_MS // frame_ms))
        self._waiting: asyncio.Future[None] | None = None
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def put(self, data: bytes) -> None:
        """Add a frame; drop the oldest one when 1 s waits."""
        self._frames.append(Frame(data, self.rate))
        self._is_empty.clear()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def next(self) -> Frame:
        """Remove and return the oldest frame; wait until there is one."""
        while not self._frames:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        frame = self._frames.popleft()
        if not self._frames:
            self._is_empty.set()
        return frame

    async def emptied(self) -> None:
        """Wait until every frame was taken."""
        await self._is_empty.wait()
