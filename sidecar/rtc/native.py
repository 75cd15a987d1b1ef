"""Owns LiveKit's native library: loads it, takes its events, and disposes its client at the end.

Imports `livekit.rtc` late, because that takes 100 to 250 ms. Does not know rooms.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any, NoReturn

from sidecar import tasks
from sidecar.core.contract.failures import BrokenInstall, Shortage, shortage

DISPOSE_WITHIN_S = 1.5
"""Seconds to wait for the disposal. It closes rooms and waits for the server: a healthy server
answers at once, a hung one costs about 5 s."""

MAX_KEPT = 64
"""Native threads whose Python state is kept; the SDK has one for each processor, and few others."""
_LOGS = b"\x92\x01"
"""How an event with log records begins: the tag of FfiEvent.logs (livekit 1.2.1 ffi.proto)."""
_LIBWEBRTC = b"\x12\x09libwebrtc"
"""The target of a record (LogRecord.target) of the WebRTC library; its level is always debug."""
_HEAD_BYTES = 48
"""The bytes of an event with log records that hold the target of the first record."""


def load() -> None:
    """Import `livekit.rtc` and load the native library. Safe to call from any thread.

    Raises:
        BrokenInstall: the library, or a library that it needs, is missing or is not for this
            machine; as `Shortage` when the system has no file handle or memory for it now.
    """
    try:
        from livekit.rtc import _ffi_client

        # On a panic, livekit/rtc/_ffi_client.py sends SIGTERM to its own process. That would begin
        # the drain, which calls the native library. A panicked library must not be called.
        vars(_ffi_client)["os"] = _OsOfNativeClient()
        if _ffi_client.FfiClient._instance is None:
            events = _Events(_ffi_client)
            vars(_ffi_client)["ffi_event_callback"] = _ffi_client.ffi_cb_fnc(events.take)
        _ = _ffi_client.FfiClient.instance
    except (ImportError, OSError, AttributeError) as error:  # AttributeError: another version
        raise not_loaded("LiveKit's native library", error) from error


def not_loaded(what: str, error: BaseException) -> BrokenInstall:
    """Return the failure that *error* means, which came while *what* was loaded."""
    text = f"{what} cannot be loaded: {error}"
    return BrokenInstall(text) if shortage(error) is None else Shortage(text)


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


class _Events:
    """Takes each event from the SDK's native threads, in a third of the time of the SDK's own way.

    While a participant floods, the native threads have no time left for it.
    """

    def __init__(self, client_module: Any) -> None:
        """Take the events of *client_module*, which is livekit.rtc._ffi_client."""
        self._client = client_module.FfiClient
        self._event = client_module.proto_ffi.FfiEvent
        self._sdk_take = client_module.ffi_event_callback
        self._keep_state = ctypes.pythonapi.PyGILState_Ensure
        self._own = threading.local()
        self._kept = 0

    def take(self, start: Any, length: int) -> None:
        """Put the event of *length* bytes at *start* into the SDK's queue."""
        self._keep_thread()
        data = ctypes.string_at(start, length)
        if data.startswith(_LOGS) and _LIBWEBRTC in data[:_HEAD_BYTES] and not _is_debugging():
            return  # the SDK drops it, too; it logs each packet of a flood
        event = self._event.FromString(data)
        if event.WhichOneof("message") in ("logs", "panic"):
            self._sdk_take(start, length)
        else:
            self._client.instance.queue.put(event)

    def _keep_thread(self) -> None:
        """Keep the Python state of a native thread, which Python would make anew for each event.

        That takes 40 microseconds: a mapping of memory, and an interrupt of the other processors.
        """
        # In the state itself: a later thread may have the number of a thread that has ended.
        if self._kept < MAX_KEPT and not hasattr(self._own, "is_kept"):
            self._own.is_kept = True
            self._kept += 1
            self._keep_state()


def _is_debugging() -> bool:
    return os.environ.get("LIVEKIT_RTC_DEBUG", "").strip().lower() in ("true", "1")


class _OsOfNativeClient:
    """Replaces `os` in livekit/rtc/_ffi_client.py. Only `kill` differs: it ends the process now."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def kill(self, pid: int, signal: int) -> NoReturn:
        os.write(2, b"LiveKit's native library panicked; the process ends (status 70).\n")
        os._exit(tasks.BUG_STATUS)
