"""A native library that is not there is told as a broken installation, and not tried again."""

from __future__ import annotations

import os
import socket

import pytest

from sidecar.dev.stdio_client import RpcError, SidecarClient


async def test_a_native_library_that_is_not_there_is_a_broken_installation(source_command):
    with socket.create_server(("127.0.0.1", 0)) as server:
        params = {
            "url": f"ws://127.0.0.1:{server.getsockname()[1]}",
            "apiKey": "key",
            "apiSecret": "s" * 32,
            "room": "room",
        }
        env = {**os.environ, "LIVEKIT_LIB_PATH": "/nope"}
        async with SidecarClient([*source_command, "--wait"], env=env) as running:
            with pytest.raises(RpcError) as failed:
                await running.call("connect", params)
            status = await running.call("getStatus")
            checks = (await running.call("diagnose"))["checks"]
            assert await running.stop() == 0
    assert failed.value.code == 1002
    assert isinstance(failed.value.data, dict)
    assert failed.value.data["category"] == "broken-install"
    assert failed.value.data["retryable"] is False
    assert "Reinstall" in failed.value.data["fix"]
    assert status["state"] == "failed"
    assert isinstance(checks, list)
    assert (checks[0]["name"], checks[0]["ok"]) == ("installation", False)
    assert "/nope" in checks[0]["detail"]
    assert not [line for line in running.stderr_lines if "Traceback" in line]
