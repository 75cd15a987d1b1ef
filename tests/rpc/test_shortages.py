"""A shortage of file handles is told as what it is, and is over when it is over."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.contract.failures import Category, shortage
from sidecar.dev.stdio_client import RpcError, SidecarClient
from sidecar.rtc.native import not_loaded

if sys.platform != "win32":
    import resource

WORDS = "Too many open files"
WITHIN_S = 90.0
"""For a busy machine."""


def limit_handles(pid: int, most: int) -> None:
    """Let the process have so many file handles."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of another process are Linux's")
async def test_a_shortage_of_file_handles_is_no_broken_installation(source_command):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    params = {
        "url": f"ws://127.0.0.1:{closed}",
        "apiKey": "key",
        "apiSecret": "s" * 32,
        "room": "r",
    }
    async with SidecarClient([*source_command, "--wait"], env=dict(os.environ)) as running:
        await running.request("listSessions")  # so the agent's modules are there
        limit_handles(running.pid, handles(running.pid))
        with contextlib.suppress(RpcError):  # a busy machine may answer before the attempt ends
            await running.call("connect", params)
        told = await running.notified("agent-state-changed", has_error, timeout_s=WITHIN_S)
        with pytest.raises(RpcError) as failed:
            await running.call("diagnose")
        limit_handles(running.pid, 256)
        await running.notified(
            "agent-state-changed",
            lambda params: has_error(params) and params["error"]["category"] == "unreachable",
            timeout_s=WITHIN_S,
        )
        assert await running.stop() == 0
    error = told.params["error"]
    assert isinstance(error, dict)
    assert (told.params["state"], error["category"], error["retryable"]) == (
        "backoff",
        "local",
        True,
    )
    assert WORDS in error["detail"]
    assert "open files" in error["fix"]
    assert WORDS in failed.value.message
    assert isinstance(failed.value.data, dict)
    assert "open files" in failed.value.data["fix"]
    assert not [line for line in running.stderr_lines if "Traceback" in line or "bug" in line]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EMFILE, "x"), WORDS),
        (ImportError(f"failed to load liblivekit_ffi: {WORDS}"), WORDS),
        (
            OSError("libx.so: failed to map segment: Cannot allocate memory"),
            "Cannot allocate memory",
        ),
        (OSError(errno.ENOENT, "x"), None),
        (ImportError("No module named livekit"), None),
    ],
)
def test_what_cannot_be_loaded_for_want_of_handles_or_memory_is_no_broken_installation(
    error, words
):
    found = not_loaded("livekit.api", error)
    assert found.category is (Category.BROKEN_INSTALL if words is None else Category.LOCAL)
    assert shortage(error) == words


def handles(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def has_error(params: dict[str, Any]) -> bool:
    return "error" in params
