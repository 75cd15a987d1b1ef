"""Owns LiveKit's native library: loading it, its panics, and letting go of it at the end.

Imported late: `livekit.rtc` takes 100 to 250 ms. Does not know rooms.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, NoReturn

from sidecar import tasks
from sidecar.core.contract.failures import BrokenInstall

DISPOSE_WITHIN_S = 1.5
"""Dispose closes rooms synchronously: at once when healthy, about 5 s at a hung server."""


def load() -> None:
    """Import `livekit.rtc` and load the native library; may be called from any thread.

    Raises:
        BrokenInstall: the library is not there, is not for this machine, or lacks what it needs.
    """
    try:
        from livekit.rtc import _ffi_client

        # livekit/rtc/_ffi_client.py kills its own process with SIGTERM on a panic, which would
        # begin our orderly drain on a native library that must not be called any more.
        vars(_ffi_client)["os"] = _OsOfNativeClient()
        _ = _ffi_client.FfiClient.instance
    except (ImportError, OSError, AttributeError) as error:  # AttributeError: of another version
        raise BrokenInstall(f"LiveKit's native library cannot be loaded: {error}") from error


def dispose() -> None:
    """Let go of the native client, if it was ever loaded; gives up after 1.5 s."""
    start_disposing().join(DISPOSE_WITHIN_S)


def start_disposing() -> threading.Thread:
    """As `dispose`, on the thread that it gives back at once.

    Without it, a native thread that calls into a finalising interpreter aborts the process in
    2 to 5 % of exits.
    """
    client_module = sys.modules.get("livekit.rtc._ffi_client")
    client = None if client_module is None else client_module.FfiClient._instance
    dispose = _nothing if client is None else client._dispose
    return tasks.start_thread("dispose", dispose)


def _nothing() -> None:
    """What there is to let go of where nothing was loaded."""


class _OsOfNativeClient:
    """The `os` that livekit/rtc/_ffi_client.py sees: as it is, but for `kill`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def kill(self, pid: int, signal: int) -> NoReturn:
        os.write(2, b"LiveKit's native library panicked; the process ends (status 70).\n")
        os._exit(tasks.BUG_STATUS)
