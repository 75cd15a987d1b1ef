"""Owns the types that all voice parts share: a frame of sound, and the needs of a plug-in.

Does not know the source or the listener of a sound.
"""

from __future__ import annotations

from enum import Flag, auto

from sidecar.core.values import dataclass

SAMPLE_BYTES = 2
"""Bytes of one sample: 16 bits."""


class Needs(Flag):
    """The needs of a plug-in in the room. The agent's token grants exactly these."""

    NOTHING = 0
    HEAR = auto()
    """Subscribes to the microphones of people (the grant `canSubscribe`)."""
    SPEAK = auto()
    """Publishes one audio track for each person (`canPublish`)."""
    TEXT = auto()
    """Sends text to people (`canPublishData`)."""


GRANTS = {
    Needs.HEAR: "canSubscribe",
    Needs.SPEAK: "canPublish",
    Needs.TEXT: "canPublishData",
}
"""The grant of an access token for each need (docs.livekit.io, Tokens & grants)."""


def missing_grants(needs: Needs, granted: Needs) -> tuple[str, ...]:
    """Return the names of the grants that *needs* has and *granted* lacks."""
    return tuple(grant for need, grant in GRANTS.items() if need in needs and need not in granted)


@dataclass(frozen=True, slots=True)
class Frame:
    """A short piece of sound, with one channel."""

    data: bytes
    """Samples of 16 bits, signed, little-endian."""
    rate: int
    """Samples per second."""

    @property
    def samples(self) -> int:
        """Return the number of samples."""
        return len(self.data) // SAMPLE_BYTES
