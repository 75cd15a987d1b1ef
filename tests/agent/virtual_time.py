"""Asyncio without waiting: when nothing is ready, the loop's clock goes to the next timer.

Owns that loop, and `in_virtual_time`, which runs an async test on one of its own.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable
from typing import ParamSpec

Params = ParamSpec("Params")


TURN_S = 1e-6
"""A turn of the loop takes a little time, as a real one does."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only while there is nothing to run."""

    def __init__(self) -> None:
        """Start at second 1000."""
        self.now_s = 1_000.0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        """Virtual seconds."""
        return self.now_s


class _Skipping(selectors.SelectSelector):
    """Never waits: skips the time that it was to wait for."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; else skip *timeout* seconds."""
        self._loop.now_s += TURN_S
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        if not ready and timeout is not None and timeout > 0:
            self._loop.now_s += timeout
        return ready


def in_virtual_time(
    test: Callable[Params, Awaitable[None]],
) -> Callable[Params, None]:
    """An async test as a plain one, whose hours pass in milliseconds."""

    @functools.wraps(test)
    def run(*args: Params.args, **kwargs: Params.kwargs) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(main())

    return run
