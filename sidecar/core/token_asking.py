"""Owns when the client is asked for another token, after the LiveKit server refused one.

After three refusals of fresh tokens in a row the client is asked no more. Does not know the client.
"""

from __future__ import annotations

from sidecar.core.agent_state import Event

MAX_REFUSALS = 3
"""Fresh tokens refused in a row, after which the asking ends."""


class TokenAsking:
    """Counts the fresh tokens that the server refused in a row."""

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
        """The event that a refusal leads to; a refused token that was not fresh is not counted."""
        self._refusals = self._refusals + 1 if self._is_untried else 0
        self._is_untried = False
        if self._refusals >= MAX_REFUSALS:
            self._refusals = 0
            return Event.REFUSED
        return Event.FRESH_TOKEN_REFUSED if self._refusals else Event.TOKEN_REFUSED
