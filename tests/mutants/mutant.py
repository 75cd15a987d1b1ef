"""One change of one file, and what of it the tests are to notice.

Owns the change itself. Knows no language and no tests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Mutant:
    """Replaces the bytes from `start` to `end` of a file by `text`."""

    path: str
    """In the repository, with slashes."""
    line: int
    """From 1."""
    kind: str
    """What is done: `delete`, `negate`, ..."""
    start: int
    end: int
    text: str

    def of(self, source: bytes) -> bytes:
        """The mutated *source*."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def shown(self, source: bytes) -> str:
        """One line for a reader: where it is, and what became of what."""
        before = " ".join(source[self.start : self.end].decode().split())
        return f"{self.path}:{self.line} {self.kind}: {before} -> {self.text}"
