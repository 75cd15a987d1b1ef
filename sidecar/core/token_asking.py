"""Owns the decision to ask the client for another token, after the LiveKit server refused one.

After three refused fresh tokens in a row the agent stops asking. Does not know the client.
"""

from __future__ import annotations

from sidecar.core.agent_state import Event

MAX_REFUSALS = 3
"""Fresh tokens refused in a row, after which the agent stops asking."""


class TokenAsking:
    """Counts the fresh tokens that the server refused in a row."""

    def __init__(self) -> None:
        """Start without a token."""
        self._is_untried = False
        self._refusals = 0

    def given(self) -> None:
        """Record that the client gave a fresh token. The agent joins with it next."""
        self._is_untried = True

    def joined(self) -> None:
        """Record that the server accepted the token."""
        self._is_untried = False
        self._refusals = 0

    def refused(self) -> Event:
        """Record that the server refused the token; return the event for the agent's table.

        Counts only fresh tokens.
        """
        self._refusals = self._refusals + 1 if self._is_untried else 0
        self._is_untried = False
        if self._refusals >= MAX_REFUSALS:
            self._refusals = 0
            return Event.REFUSED
        return Event.FRESH_TOKEN_REFUSED if self._refusals else Event.TOKEN_REFUSED
