"""Faults that a double can play and a real server cannot.

Owns the places where a test may put a fault. Without an override the double has no fault.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.rtc import SignalResponse

Outgoing = Sequence[SignalResponse | bytes]
"""What goes out in place of one message; bytes go out as they are."""


class Script:
    """Plays by the rules; override a method to play a fault."""

    async def answers(self, request: web.Request) -> web.StreamResponse | None:
        """Answer an HTTP request, signalling included, in place of the double; None: no fault."""
        return None

    def sends(self, identity: str, message: SignalResponse) -> Outgoing:
        """Return the message to send to *identity* in place of *message*."""
        return [message]

    def lists(self, room: str, people: Sequence[ParticipantInfo]) -> Sequence[ParticipantInfo]:
        """Return the list of ListParticipants in place of *people*."""
        return people

    def refuses_resume(self, identity: str) -> bool:
        """Whether *identity* is to reconnect in full when it asks to resume."""
        return False
