"""Owns what a refused token leads to where the client gives tokens.

A token that the LiveKit server refuses three times in a row, fresh each time, is not asked for a
fourth time. Does not know the client.
"""

from __future__ import annotations

from sidecar.core.agent_state import Event

MAX_REFUSALS = 3
"""Fresh tokens refused in a row, after which the asking ends."""


class TokenAsking:
    """Counts what became of fresh tokens."""

    def __init__(self) -> None:
        """No token was given yet."""
        self._is_untried = False
        self._refusals = 0

    def given(self) -> None:
        """The client gave a fresh token, with which the agent joins next."""
        self._is_untried = True

    def joined(self) -> None:
        """The server took the token."""
        self._is_untried = False
        self._refusals = 0

    def refused(self) -> Event:
        """The server refused the token; a token that had been used says nothing of fresh ones."""
        self._refusals = self._refusals + 1 if self._is_untried else 0
        self._is_untried = False
        if self._refusals >= MAX_REFUSALS:
            self._refusals = 0
            return Event.REFUSED
        return Event.FRESH_TOKEN_REFUSED if self._refusals else Event.TOKEN_REFUSED
