"""A crash leaves no core dump: it would hold the API secret."""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from sidecar.dev.stdio_client import SidecarClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def test_a_crash_leaves_no_core_dump_and_its_stacks_are_in_the_log(
    sidecar_command: list[str], tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        async with SidecarClient([*sidecar_command, "--wait"], cwd=tmp_path) as running:
            assert await running.request("ping") == "pong"
            proc = Path("/proc", str(running.pid))
            (limit,) = [
                line
                for line in (proc / "limits").read_text().splitlines()
                if line.startswith("Max core file size")
            ]
            assert limit.split()[-3:-1] == ["0", "0"]
            assert int((proc / "coredump_filter").read_text(), 16) == 0
            os.kill(running.pid, signal.SIGABRT)
            assert await running.wait() == -signal.SIGABRT
            assert any("Fatal Python error: Aborted" in line for line in running.stderr_lines)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert os.listdir(tmp_path) == []
