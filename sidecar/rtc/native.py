"""Owns LiveKit's native library: loads it, handles its panics, and disposes its client at the end.

Imports `livekit.rtc` late, because that takes 100 to 250 ms. Does not know rooms.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, NoReturn

from sidecar import tasks
from sidecar.core.contract.failures import BrokenInstall

DISPOSE_WITHIN_S = 1.5
"""Seconds to wait for the disposal. It closes rooms and waits for the server: a healthy server
answers at once, a hung one costs about 5 s."""


def load() -> None:
    """Import `livekit.rtc` and load the native library. Safe to call from any thread.

    Raises:
        BrokenInstall: the library, or a library that it needs, is missing or is not for this
            machine.
    """
    try:
        from livekit.rtc import _ffi_client

        # On a panic, livekit/rtc/_ffi_client.py sends SIGTERM to its own process. That would begin
        # the drain, which calls the native library. A panicked library must not be called.
        vars(_ffi_client)["os"] = _OsOfNativeClient()
        _ = _ffi_client.FfiClient.instance
    except (ImportError, OSError, AttributeError) as error:  # AttributeError: another version
        raise BrokenInstall(f"LiveKit's native library cannot be loaded: {error}") from error


def dispose() -> None:
    """Dispose the native client if it was loaded; wait 1.5 s at most. Call it before exit."""
    start_disposing().join(DISPOSE_WITHIN_S)


def start_disposing() -> threading.Thread:
    """Begin to dispose the native client on a new thread; join the returned thread before exit.

    Otherwise a native thread may call into the interpreter while it ends: 2 to 5 % of exits then
    abort the process.
    """
    client_module = sys.modules.get("livekit.rtc._ffi_client")
    client = None if client_module is None else client_module.FfiClient._instance
    dispose = _nothing if client is None else client._dispose
    return tasks.start_thread("dispose", dispose)


def _nothing() -> None:
    """Do nothing: the library was not loaded."""


class _OsOfNativeClient:
    """Replaces `os` in livekit/rtc/_ffi_client.py. Only `kill` differs: it ends the process now."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def kill(self, pid: int, signal: int) -> NoReturn:
        os.write(2, b"LiveKit's native library panicked; the process ends (status 70).\n")
        os._exit(tasks.BUG_STATUS)
