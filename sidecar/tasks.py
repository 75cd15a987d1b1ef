"""Owns every task and thread that the sidecar starts: names each, and logs its exceptions.

So a bug in a task is always logged, with its traceback. Does not know the work of a task.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

BUG_STATUS = 70
"""The exit status when a bug ended the process without a drain (EX_SOFTWARE of sysexits.h)."""

_log = logging.getLogger("sidecar.tasks")
_running: set[asyncio.Task[Any]] = set()
"""Keeps each task alive until it ends: asyncio does not. Any, because results are not read here."""


def start(name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run *work* on the running loop as the task *name*; log its exception as a bug.

    Catch expected errors inside *work*. The exception also stays in the task, for a caller that
    awaits it.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def start_thread(
    name: str, work: Callable[[], object], after_bug: Callable[[], None] | None = None
) -> threading.Thread:
    """Run *work* on a new daemon thread *name*; log its exception as a bug.

    After an exception, calls *after_bug* on the same thread.
    """

    def run() -> None:
        try:
            work()
        except Exception:
            _log.exception("The thread %r failed, by a bug.", name)
            if after_bug is not None:
                after_bug()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


async def run_on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run *work* on *loop*, which is another thread's, and return its result.

    Cancelling the caller cancels *work*.
    """
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def log_callback_bug(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log the exception of a timer or another callback of the loop.

    Pass this function to `loop.set_exception_handler`; asyncio gives it *context*.
    """
    _log.error(
        "A callback failed, by a bug: %s", context.get("message"), exc_info=context.get("exception")
    )


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("The task %r failed, by a bug.", task.get_name(), exc_info=error)
