"""Owns what can be known about a room: facts as frozen dataclasses, in LiveKit's own words.

Does not know where a fact came from, what a session is, or what will be done about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class ParticipantKind(StrEnum):
    """Kinds by name: the SDK and the server API number some of them differently."""

    STANDARD = "standard"
    INGRESS = "ingress"
    EGRESS = "egress"
    SIP = "sip"
    AGENT = "agent"
    CONNECTOR = "connector"
    BRIDGE = "bridge"
    UNKNOWN = "unknown"


PERSON_KINDS = frozenset({ParticipantKind.STANDARD, ParticipantKind.SIP, ParticipantKind.CONNECTOR})
"""The kinds that get a session: those that stand for a human, as LiveKit Agents counts them."""


class ParticipantState(StrEnum):
    """livekit_models.proto, ParticipantInfo.State."""

    JOINING = "joining"
    JOINED = "joined"
    ACTIVE = "active"
    DISCONNECTED = "disconnected"


class ConnectionQuality(StrEnum):
    """What LiveKit last said of a participant's link; unknown until a track is subscribed."""

    UNKNOWN = "unknown"
    POOR = "poor"
    GOOD = "good"
    EXCELLENT = "excellent"
    LOST = "lost"


class DisconnectReason(IntEnum):
    """livekit_models.proto, DisconnectReason. Newer servers may send numbers not listed here."""

    UNKNOWN_REASON = 0
    CLIENT_INITIATED = 1
    DUPLICATE_IDENTITY = 2
    SERVER_SHUTDOWN = 3
    PARTICIPANT_REMOVED = 4
    ROOM_DELETED = 5
    STATE_MISMATCH = 6
    JOIN_FAILURE = 7
    MIGRATION = 8
    SIGNAL_CLOSE = 9
    ROOM_CLOSED = 10
    USER_UNAVAILABLE = 11
    USER_REJECTED = 12
    SIP_TRUNK_FAILURE = 13
    CONNECTION_TIMEOUT = 14
    MEDIA_FAILURE = 15
    AGENT_ERROR = 16


def reason_name(number: int) -> str:
    """LiveKit's own name of a disconnect reason, `REASON_{number}` for one not listed above."""
    try:
        return DisconnectReason(number).name
    except ValueError:
        return f"REASON_{number}"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened, on each clock."""

    attended_s: float
    """Seconds of attended time: a stopped process or a sleeping laptop does not advance it."""
    wall_ms: int
    """Milliseconds since 1970, UTC, by this machine's clock, which can be wrong and can be set."""
    steady_ms: int
    """Milliseconds on a clock that nobody sets and that counts sleep too, for durations."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A remote participant as LiveKit described it at one moment."""

    sid: str
    """Names one stay: a rejoin has a new one."""
    identity: str
    name: str = ""
    kind: ParticipantKind = ParticipantKind.STANDARD
    state: ParticipantState = ParticipantState.ACTIVE
    joined_at_ms: int | None = None
    """The server's `joined_at` in milliseconds since 1970; None where it said none."""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    quality: ConnectionQuality = ConnectionQuality.UNKNOWN


@dataclass(frozen=True, slots=True)
class Joined:
    """Our `connect()` succeeded; who was there at that moment."""

    room_name: str
    own_identity: str
    people: tuple[Participant, ...]
    server_ms: int | None = None
    """The server's clock at this moment, in milliseconds since 1970; None where it is not known."""


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """Our `connect()` failed. `category` is one of `failures.Category`."""

    category: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A participant joined, became active or changed."""

    person: Participant


@dataclass(frozen=True, slots=True)
class Left:
    """A participant is gone, as the SDK sees it; without a reason that is not yet proof."""

    sid: str
    identity: str
    reason: int | None


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The SDK began its own resume or full reconnect."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The SDK's reconnect succeeded; who is there now."""

    people: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """The Room is disconnected for good; `reason` 0 when LiveKit gave none."""

    reason: int


@dataclass(frozen=True, slots=True)
class TextReceived:
    """One chat message of `identity` is complete; its stream was opened at `opened_s`."""

    identity: str
    opened_s: float
    """Attended seconds."""


Fact = Joined | JoinFailed | Seen | Left | Reconnecting | Reconnected | RoomEnded | TextReceived
"""What a Room tells the agent."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of the server's ListParticipants."""

    sid: str
    identity: str
    kind: ParticipantKind
    state: ParticipantState
    is_hidden: bool = False
    """The server tells nobody of a hidden participant; it only lists them."""

    @property
    def is_announced(self) -> bool:
        """Whether the server tells others of this person."""
        is_active = self.state is ParticipantState.ACTIVE
        return is_active and self.kind in PERSON_KINDS and not self.is_hidden
