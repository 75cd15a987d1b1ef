"""A sidecar whose pipes are the test's own: read, filled and closed when the test says so.

Owns the process and its file descriptors. For a well-behaved parent use SidecarClient.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from sidecar.dev.child import environment_without_livekit

ENDS_WITHIN_S = 3.0
"""The sidecar promises to be gone this soon once it is asked, or its parent is gone."""
ANSWERS_WITHIN_S = 30.0
"""The bridge waits this long for a sidecar to be ready; nothing here takes as long."""
_CHUNK_BYTES = 1024 * 1024


class RawSidecar:
    """One sidecar on three pipes; `lines` are those read so far, without their newlines.

    `stderr` may be a descriptor of the test's, which is closed here once the sidecar has it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE if stderr is None else stderr,
            env=environment_without_livekit(env),
            bufsize=0,
        )
        for given in (stdout, stderr):
            if given is not None:
                os.close(given)
        self.lines: list[bytes] = []
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Write all of it, whether the sidecar's answers are read or not; TimeoutError."""
        until = time.monotonic() + ANSWERS_WITHIN_S
        rest, fd = memoryview(data), _pipe(self.process.stdin).fileno()
        os.set_blocking(fd, False)
        while rest:
            if not select.select([], [fd], [], max(0.0, until - time.monotonic()))[1]:
                raise TimeoutError(f"{len(rest)} bytes were not taken in {ANSWERS_WITHIN_S} s")
            rest = rest[os.write(fd, rest[:_CHUNK_BYTES]) :]

    def read_lines(self, count: int, fd: int | None = None) -> list[bytes]:
        """Read until there are *count* lines or the end; give all so far. TimeoutError."""
        fd = _pipe(self.process.stdout).fileno() if fd is None else fd
        until = time.monotonic() + ANSWERS_WITHIN_S
        while len(self.lines) < count:
            if not select.select([fd], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError(f"{len(self.lines)} of {count} lines in {ANSWERS_WITHIN_S} s")
            chunk = os.read(fd, _CHUNK_BYTES)
            if not chunk:
                break
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self.lines += whole
        return self.lines

    def close_stdin(self) -> None:
        """End its input."""
        _pipe(self.process.stdin).close()

    def wait(self) -> int:
        """Give its status; TimeoutExpired when it is not gone as soon as it promises."""
        return self.process.wait(ENDS_WITHIN_S)

    def stderr_text(self) -> str:
        """All of stderr, once it has ended."""
        return _pipe(self.process.stderr).read().decode("utf-8")

    def end(self) -> None:
        """Kill it if it still runs, and close what is open."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def raw_sidecar(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Iterator[RawSidecar]:
    """Start one, and leave nothing of it."""
    sidecar = RawSidecar(command, env=env, stdout=stdout, stderr=stderr)
    try:
        yield sidecar
    finally:
        sidecar.end()


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Make a pipe that takes nothing more: its end to read, and its end to give away."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b".")
    os.set_blocking(writing, True)
    try:
        yield reading, writing
    finally:
        os.close(reading)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the test gave a descriptor of its own for this one")
    return pipe
