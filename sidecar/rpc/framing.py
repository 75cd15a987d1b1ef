"""Owns the way from bytes to lines: split on 0x0A, never on text, with a limit.

Pure. Does not know JSON, nor where the bytes come from.
"""

from __future__ import annotations

from collections.abc import Iterator

from sidecar.core.contract.protocol import MAX_LINE_BYTES


class LineTooLong:
    """Stands in the place of a line over the limit, which was skipped to its newline."""


class LineSplitter:
    """Chunks in, lines out, without their line ends; blank lines are left out.

    Parts of a long line are kept in a list and joined once: joining per chunk is quadratic.
    """

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        """Lines may have *max_bytes*, the newline not counted."""
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, chunk: bytes) -> Iterator[bytes | LineTooLong]:
        """The lines that *chunk* completes."""
        start = 0
        while (end := chunk.find(b"\n", start)) != -1:
            self._keep(chunk[start:end])
            yield from self._line()
            start = end + 1
        self._keep(chunk[start:])

    def end(self) -> Iterator[bytes | LineTooLong]:
        """The last line, where the input ended without a newline."""
        yield from self._line()

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > self._max_bytes + 1:  # + 1: the line end may be \r\n
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _line(self) -> Iterator[bytes | LineTooLong]:
        line = b"".join(self._parts).removesuffix(b"\r")
        is_too_long = self._length > self._max_bytes + 1 or len(line) > self._max_bytes
        self._parts.clear()
        self._length = 0
        if is_too_long:
            yield LineTooLong()
        elif line.strip():
            yield line
