"""The livekit-server binary: found, or built once by the Go toolchain.

Owns where the binary comes from and that two builds never race. Does not know how a server
runs. No PyPI, npm or Debian package ships livekit-server.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from sidecar.dev import toolchain

VERSION = "v1.13.5"
"""The newest that `go install pkg@version` takes: v1.13.6 to v1.13.11 carry `replace` lines."""
PACKAGE = "github.com/livekit/livekit-server/cmd/server"
PROGRAM = "livekit-server.exe" if sys.platform == "win32" else "livekit-server"
BUILD_TIMEOUT_S = 1800.0
"""Seconds for a build: ten times the time of two slow cores with empty caches (160 to 180 s)."""
PROGRESS_EVERY_S = 10.0
LOCK_POLL_S = 0.5

Progress = Callable[[str], None]
"""Takes one line to show to a person."""


class ServerMissing(RuntimeError):
    """No livekit-server was found and none can be built; the message has the cause and the fix."""


async def find_server(progress: Progress, *, given: str | None = None) -> Path:
    """Give the path of a livekit-server binary, building it first where it is missing.

    `given`, or else `$LIVEKIT_SERVER`, else `livekit-server` on PATH, else the one built before,
    else built now: 1 to 3 minutes from nothing, reported to `progress` as it goes.
    Raises ServerMissing.
    """
    given = given or os.environ.get("LIVEKIT_SERVER")
    if given:
        if shutil.which(given) is None:
            raise ServerMissing(
                f"LIVEKIT_SERVER is set to {given}, which is not a program that can be run. "
                "Fix: correct or unset LIVEKIT_SERVER."
            )
        return Path(given)
    if found := shutil.which("livekit-server"):
        return Path(found)
    built = built_path()
    if built.is_file():
        return built
    async with _build_lock(built.with_suffix(".lock"), progress):
        if not built.is_file():
            await _build(built, progress)
    return built


def built_path() -> Path:
    """Give the path at which the built server is kept; it may not exist yet."""
    return toolchain.cache_folder() / f"livekit-server-{VERSION}" / PROGRAM


def needs_build() -> bool:
    """Tell whether `find_server` would have to build."""
    return not (
        os.environ.get("LIVEKIT_SERVER") or shutil.which("livekit-server") or built_path().is_file()
    )


async def _build(target: Path, progress: Progress) -> None:
    progress(
        f"There is no livekit-server here: building {VERSION} once. It downloads about 90 MB of "
        "Go modules (and Go itself, 75 MB, where there is none) and takes 1 to 3 minutes."
    )
    try:
        go = await asyncio.to_thread(toolchain.find, "go")
    except toolchain.ToolMissing as error:
        raise ServerMissing(
            f"livekit-server cannot be built: {error}\n"
            "Or set LIVEKIT_SERVER to a livekit-server of your own "
            "(https://github.com/livekit/livekit/releases)."
        ) from error
    scratch = Path(tempfile.mkdtemp(prefix="build.", dir=target.parent))
    try:
        environment = {
            **os.environ,
            "GOBIN": str(scratch),
            "GOTOOLCHAIN": "local",  # never a second toolchain behind our back
            "GOWORK": "off",
            "CGO_ENABLED": "0",
        }
        if go.is_relative_to(toolchain.cache_folder()):
            # A person without their own Go would not know of its caches (740 MB).
            environment |= {
                "GOPATH": str(scratch / "gopath"),
                "GOCACHE": str(scratch / "gocache"),
                "GOFLAGS": "-modcacherw",
            }
        await _run_go(go, environment, scratch / "go.log", progress)
        program = scratch / ("server.exe" if sys.platform == "win32" else "server")
        program.replace(target)
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


async def _run_go(go: Path, environment: dict[str, str], log: Path, progress: Progress) -> None:
    started = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - bound to no loop, and quick
            [str(go), "install", "-ldflags", "-s -w", f"{PACKAGE}@{VERSION}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        next_report_s, last_line = PROGRESS_EVERY_S, ""
        while process.poll() is None:
            await asyncio.sleep(0.2)
            elapsed_s = time.monotonic() - started
            if elapsed_s > BUILD_TIMEOUT_S:
                raise ServerMissing(
                    f"Building livekit-server took over {BUILD_TIMEOUT_S:.0f} s and was "
                    "stopped. Fix: set LIVEKIT_SERVER to a livekit-server of your own."
                )
            if elapsed_s >= next_report_s:
                before, last_line = last_line, _last_line(log)
                # While it compiles, the build tool prints nothing.
                doing = last_line if last_line != before else "compiling"
                progress(f"building livekit-server: {elapsed_s:.0f} s; {doing}")
                next_report_s += PROGRESS_EVERY_S
    finally:
        _kill_group(process)
    if process.returncode != 0:
        raise ServerMissing(
            f"`go install` of livekit-server {VERSION} failed with status {process.returncode}. "
            "Fix: see below (often no network, or a Go proxy that cannot be reached), or set "
            f"LIVEKIT_SERVER to a livekit-server of your own. Go said:\n{_tail(log)}"
        )
    progress(f"livekit-server {VERSION} built in {time.monotonic() - started:.0f} s")


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    if sys.platform == "win32":  # not run; leaves the compilers, which end by themselves
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(log: Path) -> str:
    return log.read_bytes()[-2000:].decode(errors="replace").strip()


def _last_line(log: Path) -> str:
    return _tail(log).rpartition("\n")[2]


@asynccontextmanager
async def _build_lock(path: Path, progress: Progress) -> AsyncIterator[None]:
    """Hold an exclusive lock on `path`; the system frees it when this process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        waited_s = 0.0
        while not _try_lock(file):
            if waited_s % PROGRESS_EVERY_S == 0:
                progress("waiting for another process that is building livekit-server")
            if waited_s > BUILD_TIMEOUT_S:
                raise ServerMissing(f"Another process holds {path} for too long. Fix: end it.")
            await asyncio.sleep(LOCK_POLL_S)
            waited_s += LOCK_POLL_S
        yield


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":  # not run
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
