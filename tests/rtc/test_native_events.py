"""How an event of the SDK's native threads is taken: laws on the SDK's own function and library."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys

import pytest
from livekit.rtc import _ffi_client
from livekit.rtc._proto.ffi_pb2 import FfiEvent, LogLevel

from sidecar.rtc import native
from tests.repository import ROOT


@pytest.fixture(autouse=True)
def loaded() -> None:
    native.load()


def _take(event: FfiEvent) -> None:
    data = event.SerializeToString()
    buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    _ffi_client.ffi_event_callback(buffer, len(data))


def _log_of(target: str, level: LogLevel.ValueType, message: str) -> FfiEvent:
    event = FfiEvent()
    event.logs.records.add(level=level, target=target, message=message)
    return event


@pytest.mark.parametrize("is_debugging", [False, True])
def test_the_native_library_s_report_of_each_packet_is_logged_for_its_developers_alone(
    caplog, monkeypatch, is_debugging
):
    caplog.set_level(logging.DEBUG, "livekit")
    monkeypatch.setenv("LIVEKIT_RTC_DEBUG", "1" if is_debugging else "")
    _take(_log_of("libwebrtc", LogLevel.LOG_DEBUG, "SCTP_PACKET " + 500 * "00 "))
    assert ("SCTP_PACKET" in caplog.text) is is_debugging


def test_a_warning_of_the_sdk_reaches_its_logger(caplog):
    caplog.set_level(logging.DEBUG, "livekit")
    _take(_log_of("livekit::room", LogLevel.LOG_WARN, "the libwebrtc beneath is slow"))
    assert "the libwebrtc beneath is slow" in caplog.text


def test_a_panic_ends_the_process(capsys, monkeypatch):
    ends: list[int] = []
    monkeypatch.setattr(native._OsOfNativeClient, "kill", lambda _, pid, signal: ends.append(pid))
    event = FfiEvent()
    event.panic.message = "index out of bounds"
    _take(event)
    assert len(ends) == 1
    assert "index out of bounds" in capsys.readouterr().err


ALONE = """
import asyncio, logging, os, threading
from livekit import rtc
from sidecar.rtc import native

own, events = threading.local(), [0]

class Counting(logging.Handler):
    def emit(self, record):
        own.events = getattr(own, "events", 0) + 1  # in the state that Python keeps for the thread
        if threading.current_thread() is not threading.main_thread():
            events.append(own.events)

async def main():
    for _ in range(3):
        try:
            await rtc.Room().connect("ws://127.0.0.1:1", "token")
        except rtc.ConnectError:
            pass

logging.getLogger("livekit").addHandler(Counting())
logging.getLogger("livekit").setLevel(logging.DEBUG)
native.load()
asyncio.run(main())
print(max(events), flush=True)
os._exit(0)  # an end of Python after livekit.rtc may abort
"""


def test_a_native_thread_keeps_its_python_state_between_two_events():
    """Otherwise each packet of a flood costs three times its price: measured, docs/decisions.md."""
    environment = {**os.environ, "LIVEKIT_RTC_DEBUG": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10
