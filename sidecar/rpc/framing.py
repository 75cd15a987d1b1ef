"""Owns the framing: splits bytes into lines at 0x0A, and limits their length.

Splits before it decodes: a UTF-8 text may hold other characters that Python takes for line ends.
Pure. Does not know JSON, nor where the bytes come from.
"""

from __future__ import annotations

from collections.abc import Iterator

from sidecar.core.contract.protocol import MAX_LINE_BYTES


class LineTooLong:
    """Stands for a line over the limit. Its bytes were dropped, up to its newline."""


class LineSplitter:
    """Turns chunks of bytes into lines without their line ends. Skips blank lines.

    Keeps the parts of a long line in a list and joins them once: a join for each chunk would take
    quadratic time.
    """

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        """Allow lines of up to *max_bytes*, without the line end."""
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, chunk: bytes) -> Iterator[bytes | LineTooLong]:
        """Yield the lines that *chunk* completes. The rest waits for the next chunk."""
        *lines, rest = chunk.split(b"\n")
        for last_part in lines:
            self._keep(last_part)
            if (line := self._line()) is not None:
                yield line
        self._keep(rest)

    def end(self) -> Iterator[bytes | LineTooLong]:
        """Yield the last line if the input ended without a newline. Call it at the end of input."""
        if (line := self._line()) is not None:
            yield line

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > self._max_bytes + 1:  # + 1: the line end may be \r\n
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _line(self) -> bytes | LineTooLong | None:
        """Join the parts to a line; None if it is blank."""
        line = b"".join(self._parts).removesuffix(b"\r")
        is_too_long = self._length > self._max_bytes + 1 or len(line) > self._max_bytes
        self._parts.clear()
        self._length = 0
        if is_too_long:
            return LineTooLong()
        return line if line.strip() else None
