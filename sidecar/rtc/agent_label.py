"""Owns the agent's attribute `lk.agent.state`: LiveKit's Agents UI shows it to the people.

The attribute is one for the whole room: `speaking` while the agent speaks to anybody, else
`listening`. Does not know the person that it speaks to.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sidecar import tasks

if TYPE_CHECKING:
    from livekit import rtc

STATE = "lk.agent.state"
LISTENING, SPEAKING = "listening", "speaking"
"""Two of the states of LiveKit's components (@livekit/components-react, AgentState)."""
SET_WITHIN_S = 5.0

_log = logging.getLogger("sidecar.rtc")


class AgentLabel:
    """Keeps the attribute of the agent in one Room."""

    def __init__(self, own: rtc.LocalParticipant) -> None:
        """Show `listening`, if the agent's token lets it change its own attributes."""
        self._own = own
        self._wanted = LISTENING
        self._shown = own.attributes.get(STATE, "")
        self._setting: asyncio.Task[None] | None = None
        self._may_change = own.permissions.can_update_metadata

    def show(self, *, is_speaking: bool) -> None:
        """Show whether the agent speaks; returns at once. A later call corrects a lost one."""
        self._wanted = SPEAKING if is_speaking else LISTENING
        is_idle = self._setting is None or self._setting.done()
        if self._may_change and self._wanted != self._shown and is_idle:
            self._setting = tasks.start("show the agent's state", self._set(self._wanted))

    async def _set(self, state: str) -> None:
        try:
            async with asyncio.timeout(SET_WITHIN_S):
                await self._own.set_attributes({**self._own.attributes, STATE: state})
        except TimeoutError:
            _log.debug("The room did not take the agent's state.")
            return
        self._shown = state
