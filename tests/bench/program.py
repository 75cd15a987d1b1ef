"""A program that the bench runs and speaks to by lines, at the least cost on the bench's own side.

Owns one process and its two pipes. Nothing here is asynchronous: an event loop on this side would
take longer than what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

ANSWER_S = 90.0
"""For one line of any program, on a machine that does other work too."""
END_S = 15.0
CHUNK_BYTES = 1 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
HEADER = b"Content-Length: "


class ProgramFailed(RuntimeError):
    """A program ended, or said nothing in time; the message names it and what it said last."""


class Program:
    """`with Program(command) as program`: runs it for the block.

    `is_framed`: messages have a header with their length, as vscode-jsonrpc sends them.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        is_framed: bool = False,
    ) -> None:
        """Start it. `env` is added to this process's environment."""
        self.began_s = time.monotonic()
        self._name = " ".join(Path(each).name for each in command[:3])
        self._is_framed = is_framed
        self._rest = b""
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in = self.process.stdin.fileno()
        self.out = self.process.stdout.fileno()

    def __enter__(self) -> Program:
        """Give the running program."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        if kind is not None:
            self.process.kill()
        self.end()

    def since_start_ms(self) -> float:
        """Milliseconds since the spawn."""
        return (time.monotonic() - self.began_s) * 1000

    def encoded(self, method: str, params: object = None, number: int = 1) -> bytes:
        """Make the bytes of a request."""
        message: dict[str, object] = {"jsonrpc": "2.0", "id": number, "method": method}
        if params is not None:
            message["params"] = params
        return self.framed(json.dumps(message).encode())

    def framed(self, message: bytes) -> bytes:
        """Make a message what the program reads."""
        if self._is_framed:
            return HEADER + f"{len(message)}\r\n\r\n".encode() + message
        return message + b"\n"

    def write(self, message: bytes) -> None:
        """Write all of it."""
        view = memoryview(message)
        while view:
            view = view[os.write(self._in, view) :]

    def read(self) -> bytes:
        """Give what has come, waiting for it. Raises ProgramFailed."""
        ready, _, _ = select.select([self.out], [], [], ANSWER_S)
        chunk = os.read(self.out, CHUNK_BYTES) if ready else b""
        if not chunk:
            said = "nothing came" if not ready else "it ended"
            raise ProgramFailed(f"{self._name}: {said}. Its last bytes: {self._rest[-300:]!r}")
        return chunk

    def message(self) -> bytes:
        """Give the next message, waiting for it."""
        return self._framed_message() if self._is_framed else self._line()

    def to_its_end(self, within_s: float = ANSWER_S) -> bytes:
        """Give all that it says. Raises ProgramFailed where its end is no success."""
        said = b""
        while select.select([self.out], [], [], within_s)[0]:
            chunk = os.read(self.out, CHUNK_BYTES)
            said += chunk
            if not chunk and self.process.wait(END_S) == 0:
                return said
            if not chunk:
                break
        raise ProgramFailed(f"{self._name} failed. It said: {said[-2000:].decode()}")

    def _line(self) -> bytes:
        # Looked for in the new piece alone: a line may have many megabytes.
        pieces = [self._rest]
        while (end := pieces[-1].find(b"\n") + 1) == 0:
            pieces.append(self.read())
        self._rest = pieces[-1][end:]
        return b"".join([*pieces[:-1], pieces[-1][:end]])

    def _framed_message(self) -> bytes:
        while (head := self._rest.find(b"\r\n\r\n")) < 0:
            self._rest += self.read()
        end = head + 4 + int(self._rest[len(HEADER) : head].split(b"\r\n")[0])
        while len(self._rest) < end:
            self._rest += self.read()
        message, self._rest = self._rest[head + 4 : end], self._rest[end:]
        return message

    def ask(self, method: str, params: object = None) -> Any:
        """Give the result of a request, skipping notifications. Raises ProgramFailed."""
        self.write(self.encoded(method, params))
        while True:
            answer = json.loads(self.message())
            if "id" in answer and "method" not in answer:
                if "error" in answer:
                    raise ProgramFailed(f"{self._name}: {method}: {answer['error']}")
                return answer["result"]

    def line_with(self, words: bytes) -> bytes:
        """Give the next message that has these words."""
        while words not in (line := self.message()):
            pass
        return line

    def rss_mb(self) -> float:
        """Resident memory, MB (1e6 bytes)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * PAGE_BYTES / 1e6

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far, to the nanosecond."""
        used_ns = 0
        for thread in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # it has just ended
                used_ns += int((thread / "schedstat").read_text().split()[0])
        return used_ns / 1e9

    def end(self) -> None:
        """Close its stdin and wait for its end; kill it when that takes too long."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        deadline_s = time.monotonic() + END_S
        try:
            while self.process.poll() is None and time.monotonic() < deadline_s:
                ready, _, _ = select.select([self.out], [], [], 0.05)
                if ready and not os.read(self.out, CHUNK_BYTES):
                    self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            pass
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
