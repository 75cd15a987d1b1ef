"""A child process that exchanges lines with us over its stdin and stdout.

Owns the process, its group and its three pipes, and leaves none of them behind. The subclass knows
the meaning of the lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from sidecar.dev import freezing

LINE_LIMIT_BYTES = 16 * 1024 * 1024 + 2
"""The wire's limit of one line (16 MiB, docs of the protocol) with its line end."""
MAX_LINES = 100_000
MAX_STDERR_LINES = 20_000
PIPES_TIMEOUT_S = 2.0
"""Seconds to wait for the pipes to end after the child. A grandchild may keep them open."""


class ChildGone(RuntimeError):
    """The child or its pipe ended while the caller waited for a line."""


def environment_without_livekit(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give our whole environment without any LIVEKIT_* variable, then `extra`."""
    kept = {name: v for name, v in os.environ.items() if not name.upper().startswith("LIVEKIT_")}
    return kept | dict(extra or {})


class Child(ABC):
    """`async with` starts it and stops it; then its whole process group is gone.

    Keeps all output of the child: `lines` (stdout, raw, with line ends) and `stderr_lines` (text).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; `env` replaces the whole environment (default: ours without LIVEKIT_*)."""
        self.command = list(command)
        self.lines: deque[bytes] = deque(maxlen=MAX_LINES)
        self.stderr_lines: deque[str] = deque(maxlen=MAX_STDERR_LINES)
        self._cwd = cwd
        self._env = dict(env) if env is not None else environment_without_livekit()
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._stdout_is_over = False

    @abstractmethod
    def take_line(self, line: bytes) -> None:
        """Take one line of stdout. A ValueError ends the child: it broke the framing."""

    @abstractmethod
    def take_end(self) -> None:
        """Handle the end of stdout. No further line comes."""

    def take_log_line(self, text: str) -> None:  # noqa: B027 - most have no use for it
        """Handle one line of stderr. `stderr_lines` keeps it already."""

    @abstractmethod
    async def stop(self) -> int:
        """End the child by its protocol; return its exit status. Safe to call after its end."""

    @property
    def pid(self) -> int:
        """The child's process id, which is also its group's."""
        return self._started().pid

    @property
    def returncode(self) -> int | None:
        """The child's exit status; negative for a signal; None while it runs."""
        return self._started().returncode

    async def start(self) -> None:
        """Start the child; OSError when the command cannot be run."""
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._cwd,
            env=self._env,
            limit=LINE_LIMIT_BYTES,
            start_new_session=sys.platform != "win32",
        )
        self._readers = [
            asyncio.create_task(self._read_stdout()),
            asyncio.create_task(self._read_stderr()),
        ]

    async def send_raw(self, data: bytes) -> None:
        """Write these bytes unchanged. Raises ChildGone."""
        stdin = self._started().stdin
        try:
            if stdin is None or self._stdout_is_over:
                raise BrokenPipeError
            stdin.write(data)
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise ChildGone(self.story("the child takes no more input")) from None

    def close_stdin(self) -> None:
        """End the child's input."""
        stdin = self._started().stdin
        if stdin is not None:
            stdin.close()

    async def logged(self, text: str, *, timeout_s: float = 10.0) -> str:
        """Give the first stderr line that contains `text`, waiting for it.

        Raises TimeoutError; ChildGone when the child ended without it.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    news = self._news
                    reading = any(not reader.done() for reader in self._readers)
                    for line in self.stderr_lines:
                        if text in line:
                            return line
                    if not reading:
                        raise ChildGone(self.story(f"the child ended without {text!r}"))
                    await news.wait()
        except TimeoutError:
            raise TimeoutError(self.story(f"no {text!r} on stderr in {timeout_s} s")) from None

    async def wait(self, *, timeout_s: float = 5.0) -> int:
        """Wait for the child's end and that of its pipes; give its status. TimeoutError."""
        try:
            async with asyncio.timeout(timeout_s):
                status = await self._started().wait()
                await asyncio.wait(self._readers)
                return status
        except TimeoutError:
            raise TimeoutError(self.story(f"the child did not end in {timeout_s} s")) from None

    def signal_group(self, name: str) -> None:
        """Send a signal by its name, `SIGTERM` and the like, to the child's whole group."""
        if sys.platform == "win32":  # not run; there is no group to signal
            with contextlib.suppress(ProcessLookupError):
                self._started().kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.Signals[name])

    def kill(self) -> None:
        """End the child and its group at once."""
        self.signal_group("SIGKILL")

    def freeze(self) -> None:
        """Freeze the child (SIGSTOP), like a debugger or a closed lid. See `thaw`.

        Stops the child, not its group. Raises NotImplementedError on Windows.
        """
        freezing.freeze(self.pid)

    def thaw(self) -> None:
        """Let a frozen child go on (SIGCONT)."""
        with contextlib.suppress(ProcessLookupError):
            freezing.thaw(self.pid)

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it; on an error or a cancellation, too, its whole group ends."""
        try:
            await self.stop()
        finally:
            self.kill()
            # A grandchild outside the group may keep the pipes open: do not wait for it.
            ends = [*self._readers, asyncio.create_task(self._started().wait())]
            await asyncio.wait(ends, timeout=PIPES_TIMEOUT_S)
            for each in ends:
                each.cancel()

    def story(self, what: str) -> str:
        """Return *what* with the exit status and the end of stderr."""
        status = self._process.returncode if self._process is not None else None
        tail = "\n".join(list(self.stderr_lines)[-15:])
        return f"{what} (status {status})\nstderr:\n{tail}"

    async def _read_stdout(self) -> None:
        stdout = self._started().stdout
        try:
            while stdout is not None and (line := await stdout.readline()):
                self.lines.append(line)
                self.take_line(line)
                self._announce_news()
        except ValueError:  # from asyncio for a line over the limit, or from take_line
            self.kill()
        finally:
            self._stdout_is_over = True
            self.take_end()
            self._announce_news()

    async def _read_stderr(self) -> None:
        stderr = self._started().stderr
        try:
            while stderr is not None and (line := await stderr.readline()):
                self.stderr_lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                self.take_log_line(self.stderr_lines[-1])
                self._announce_news()
        finally:
            self._announce_news()

    def _announce_news(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ChildGone("the child was never started; use `async with` or start()")
        return self._process
