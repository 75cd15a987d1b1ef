"""Owns which of the assistant's words a sound belongs to, and how much of them was heard.

Does not know sound, text streams or the time.
"""

from __future__ import annotations


class Utterance:
    """The assistant's latest words and the sound for them.

    A plug-in gives the words before the sound or after it. Words given while there is sound without
    words belong to that sound; other words belong to the sound that follows.
    """

    def __init__(self) -> None:
        """Start without words and without sound."""
        self._number: int | None = None
        self._given_s = 0.0
        self._unheard_s = 0.0
        self._is_complete = False

    def sound(self, seconds: float) -> None:
        """Note *seconds* of sound that the plug-in plays."""
        if self._is_complete:
            self._forget()
        self._given_s += seconds

    def words(self, number: int) -> float:
        """Note final words, message *number*; return the fraction of them that was heard.

        Below 1.0 only if their sound was interrupted before they were given.
        """
        if self._number is not None or self._given_s == 0:
            self._forget()
            self._number = number
            return 1.0
        fraction = self._fraction
        self._number, self._is_complete = number, True
        if self._unheard_s:
            self._forget()
        return fraction

    def interrupted(self, unheard_s: float) -> tuple[int | None, float]:
        """Note that the last *unheard_s* seconds of the sound are dropped.

        Returns the number of the message that it cuts, or None, and the fraction that was heard.
        """
        if unheard_s <= 0:
            return None, 1.0
        self._unheard_s += unheard_s
        number, fraction = self._number, self._fraction
        if number is not None:
            self._forget()
        return number, fraction

    @property
    def _fraction(self) -> float:
        if self._given_s <= 0:
            return 1.0
        return max(0.0, 1 - self._unheard_s / self._given_s)

    def _forget(self) -> None:
        self._number, self._given_s, self._unheard_s, self._is_complete = None, 0.0, 0.0, False
