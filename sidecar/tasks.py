"""Owns every task and thread that the sidecar starts: names it, and logs what it raises.

A bug so never ends in silence: it is a line on stderr with its traceback. Does not know what the
work is.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

BUG_STATUS = 70
"""EX_SOFTWARE of sysexits.h: the process ended at once, by a bug, with no `session-closed`."""

_log = logging.getLogger("sidecar.tasks")
_running: set[asyncio.Task[Any]] = set()
"""asyncio itself keeps no task alive. Any: the results differ, and nothing here looks at them."""


def start(name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run *work* on the running loop as the task *name*; log what it raises.

    The exception also stays in the task, for a caller that awaits it. *work* itself catches what
    may be expected, so what comes out of it is a bug.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_ended)
    return task


def start_thread(
    name: str, work: Callable[[], object], after_bug: Callable[[], None] | None = None
) -> threading.Thread:
    """Run *work* on a new daemon thread *name*; log what it raises, then call *after_bug* there."""

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


def log_callback_bug(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what a timer or another callback of the loop raised: the loop's exception handler.

    *context* is what `loop.call_exception_handler` takes.
    """
    _log.error(
        "A callback failed, by a bug: %s", context.get("message"), exc_info=context.get("exception")
    )


def _ended(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("The task %r failed, by a bug.", task.get_name(), exc_info=error)
