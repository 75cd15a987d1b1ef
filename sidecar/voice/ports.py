"""Owns the Protocols that the plug-ins use: a person's sound and text, and the agent.

Does not know the implementations.
"""

from __future__ import annotations

from typing import Protocol

from sidecar.core.contract.messages import Health, SessionEvent, Status
from sidecar.core.contract.wire import EncodedJson
from sidecar.core.sound import Needs
from sidecar.voice.microphone import Microphone


class Call(Protocol):
    """The sound and text of one person, over all Rooms of the agent.

    `close` belongs to the agent's loop, everything else to the plug-ins' loop.
    """

    def hear(self, microphone: Microphone) -> None:
        """Feed *microphone* with the person's sound, from now on."""

    def unhear(self, microphone: Microphone) -> None:
        """Stop feeding *microphone*."""

    async def say(self, data: bytes, rate: int) -> None:
        """Play samples of *rate* Hz to the person; wait while 200 ms are queued.

        Returns early after `interrupt`.
        """

    def interrupt(self) -> float:
        """Drop the queued sound; return its length in seconds."""

    async def send_text(self, text: str, topic: str) -> None:
        """Send *text* to the person.

        Raises:
            TimeoutError: the room did not take it within 5 s.
            ConnectionError: the room refused it.
        """

    async def transcribe(self, text: str, segment: str, *, is_user: bool, is_final: bool) -> None:
        """Show words to the person as LiveKit's transcription. Raises like `send_text`."""

    def close(self) -> None:
        """End the call: no sound or text goes in or out any more."""


class Calls(Protocol):
    """Makes the Call of each session."""

    def open(self, participant_sid: str, identity: str) -> Call:
        """Make the Call of a participant. Call it on the agent's loop."""

    def missing(self) -> Needs:
        """Return what the agent's token in the present Room does not grant."""


class Agent(Protocol):
    """The calls of the agent; each belongs to the agent's loop."""

    def status(self) -> Status:
        """Return the agent's state and counters."""

    def add_messages(self, session_id: str, count: int) -> None:
        """Add *count* to the session's messageCount."""

    def set_context(self, session_id: str, context: EncodedJson) -> None:
        """Set the session's `context`."""


class Tell(Protocol):
    """Queues a notification for the app. Safe on any thread; never blocks."""

    def __call__(self, told: SessionEvent | Health, /) -> None:
        """Queue *told*."""
