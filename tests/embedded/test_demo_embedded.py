"""`python -m sidecar demo` where no LiveKit server can be had: the double, and that it says so."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.dev.own_server import IS_DOUBLE
from sidecar.dev.person import Person

ENDS_WITHIN_S = 120.0
"""The demo bounds its story itself, at 55 s; the rest is for starting on a busy machine."""


@asynccontextmanager
async def _demo(
    *arguments: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "demo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _to_its_end(process: asyncio.subprocess.Process) -> list[str]:
    async with asyncio.timeout(ENDS_WITHIN_S):
        text, _ = await process.communicate()
    return text.decode().splitlines()


async def test_the_embedded_demo_says_in_its_first_line_what_it_is_and_keeps_the_promise() -> None:
    async with _demo("--embedded") as process:
        lines = await _to_its_end(process)
        assert process.returncode == 0, "\n".join(lines)
    assert lines[0] == IS_DOUBLE
    assert "Without `--embedded`" in lines[0]
    text = "\n".join(lines)
    assert "The promise held" in text
    assert "LiveKit server:" not in text
    assert "Test double: ws://127.0.0.1:" in text
    for name in ("anna", "ben"):
        assert len(re.findall(rf"session-created +session_\d+_{name} ", text)) == 1
        assert len(re.findall(rf"session-closed +session_\d+_{name} reason=left ", text)) == 1


@pytest.mark.full
@pytest.mark.parametrize("has_go", [False, True], ids=["no Go", "Go without its modules"])
async def test_where_no_server_can_be_had_the_demo_falls_back_and_says_why(
    tmp_path: Path, has_go: bool
) -> None:
    """Nothing was built before, and neither Go's modules nor packages can be downloaded."""
    nothing = {
        "PATH": os.environ["PATH"] if has_go else str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "GOMODCACHE": str(tmp_path / "modules"),
        "GOPROXY": "off",
        "GOFLAGS": "-modcacherw",
        "UV_OFFLINE": "1",
    }
    async with _demo(env=nothing) as process:
        lines = await _to_its_end(process)
        assert process.returncode == 0, "\n".join(lines)
    said = lines.index(IS_DOUBLE)
    assert lines[said + 1].startswith(
        "No LiveKit server is available: livekit-server cannot be built: "
    ) or (has_go and lines[said + 1].startswith("No LiveKit server is available: `go install` "))
    assert not [line for line in lines[:said] if "session-" in line]
    assert "The promise held" in "\n".join(lines)


async def test_a_server_that_is_named_and_not_there_is_no_reason_for_a_double() -> None:
    async with _demo(env={"LIVEKIT_SERVER": "no-such-program"}) as process:
        lines = await _to_its_end(process)
        assert process.returncode == 1
    assert "correct or unset LIVEKIT_SERVER" in lines[-1]
    assert IS_DOUBLE not in lines


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child")
async def test_a_kept_embedded_demo_can_be_joined_and_ends_on_ctrl_c() -> None:
    async with _demo("--embedded", "--keep") as process:
        assert process.stdout is not None
        found: dict[str, str] = {}
        async with asyncio.timeout(ENDS_WITHIN_S):
            while "token" not in found:
                line = (await process.stdout.readline()).decode()
                assert line, "it ended by itself"
                if match := re.match(r"  (url|token) +(\S+)$", line):
                    found[match[1]] = match[2]
        you = Person(found["url"], found["token"], "you")
        await you.join()
        async with asyncio.timeout(ENDS_WITHIN_S):
            while not re.search(
                r"session-created +session_\d+_you ", (await process.stdout.readline()).decode()
            ):
                pass
        process.send_signal(signal.SIGINT)
        await _to_its_end(process)
        assert process.returncode == 0
        await you.leave()
