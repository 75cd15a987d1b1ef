"""The source of chance of a case: a seed, Hypothesis, or the bytes of a coverage-guided fuzzer.

Owns the last one. All three are a `random.Random`, so one generator serves them.
"""

from __future__ import annotations

import random


class FromBytes(random.Random):
    """Draws from given bytes, then from zeros: a changed byte changes one decision."""

    def __init__(self, content: bytes) -> None:
        """Draw from *content*."""
        self._content = content
        self._at = 0
        super().__init__(0)

    def seed(self, *_: object) -> None:
        """Do nothing: the bytes are all the chance that there is."""

    def random(self) -> float:
        """Return a number from 0 up to 1."""
        return self.getrandbits(32) / 2**32

    def getrandbits(self, k: int, /) -> int:
        """Return a number of *k* bits."""
        size = (k + 7) // 8
        part = self._content[self._at : self._at + size]
        self._at += size
        return int.from_bytes(part, "little") & ((1 << k) - 1)

    @property
    def rest(self) -> bytes:
        """The bytes that were not drawn yet."""
        return self._content[self._at :]
