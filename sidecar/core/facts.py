"""Owns the facts about a room, as frozen dataclasses, in LiveKit's own words.

Does not know the source of a fact, nor sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import IntEnum, StrEnum

from sidecar.core.sound import Needs
from sidecar.core.values import dataclass

MAX_WORD_BYTES = 1_024
"""Bytes of UTF-8 of a sid, an identity or a name. livekit-server allows 256 unless it is set."""
MAX_SHOWN_BYTES = 16 * 1024
"""Bytes of UTF-8 of a participant's metadata, and of the attributes in all."""


class ParticipantKind(StrEnum):
    """The kinds of participants. Names, since SDK and server API number some kinds differently."""

    STANDARD = "standard"
    INGRESS = "ingress"
    EGRESS = "egress"
    SIP = "sip"
    AGENT = "agent"
    CONNECTOR = "connector"
    BRIDGE = "bridge"
    UNKNOWN = "unknown"


PERSON_KINDS = frozenset({ParticipantKind.STANDARD, ParticipantKind.SIP, ParticipantKind.CONNECTOR})
"""The kinds that get a session: the kinds of humans, as LiveKit Agents counts them."""


class ParticipantState(StrEnum):
    """livekit_models.proto, ParticipantInfo.State."""

    JOINING = "joining"
    JOINED = "joined"
    ACTIVE = "active"
    DISCONNECTED = "disconnected"


class ConnectionQuality(StrEnum):
    """The quality of a participant's link; `unknown` until the agent subscribes to a track."""

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
    """Return LiveKit's name of a disconnect reason; `REASON_{number}` for an unknown number."""
    try:
        return DisconnectReason(number).name
    except ValueError:
        return f"REASON_{number}"


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment, on three clocks."""

    attended_s: float
    """Seconds of attended time. It does not advance while the process is stopped or the laptop
    sleeps."""
    wall_ms: int
    """Milliseconds since 1970, UTC, by this machine's clock. It can be wrong or set by a user."""
    steady_ms: int
    """Milliseconds on a clock for durations. It runs during sleep, and a user cannot set it."""


@dataclass(frozen=True, slots=True)
class Participant:
    """A remote participant as LiveKit described it at one moment."""

    sid: str
    """LiveKit's id of the stay. A participant who rejoins has a new sid."""
    identity: str
    name: str = ""
    kind: ParticipantKind = ParticipantKind.STANDARD
    state: ParticipantState = ParticipantState.ACTIVE
    joined_at_ms: int | None = None
    """The server's `joined_at` in milliseconds since 1970; None if it sent none."""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    quality: ConnectionQuality = ConnectionQuality.UNKNOWN
    is_cut: bool = False
    """Whether `bounded` cut one of the texts."""


def bounded(person: Participant) -> Participant:
    """Return *person* with each text cut at its limit: a server may send megabytes."""
    short = replace(
        person,
        sid=cut(person.sid),
        identity=cut(person.identity),
        name=cut(person.name),
        metadata=cut(person.metadata, MAX_SHOWN_BYTES),
        attributes=_cut_attributes(person.attributes),
    )
    return short if short == person else replace(short, is_cut=True)


def cut(text: str, max_bytes: int = MAX_WORD_BYTES) -> str:
    """Return *text* cut at *max_bytes* of UTF-8: by default a sid, an identity or a name."""
    # A character takes at most 4 bytes of UTF-8, so a short text needs no encoding here.
    if len(text) * 4 <= max_bytes:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= max_bytes:
        return text
    return encoded[:max_bytes].decode("utf-8", "ignore")


def _cut_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    room_bytes = MAX_SHOWN_BYTES
    kept: dict[str, str] = {}
    for key, value in sorted(attributes.items()):
        room_bytes -= len(key.encode("utf-8", "replace")) + len(value.encode("utf-8", "replace"))
        if room_bytes < 0:
            break
        kept[key] = value
    return kept


@dataclass(frozen=True, slots=True)
class Joined:
    """Our `connect()` succeeded; `people` are the participants in the room at that moment."""

    room_name: str
    own_identity: str
    people: tuple[Participant, ...]
    server_ms: int | None = None
    """The server's clock at this moment, in milliseconds since 1970; None if not known."""
    granted: Needs | None = None
    """What the server allows the agent; None if not known."""


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """Our `connect()` failed. `category` is one of `failures.Category`."""

    category: str
    answer: str = ""
    """What came in place of a LiveKit answer, redacted; empty if the category says enough."""
    server_ms: int | None = None
    """The server's clock, if a wrong clock may be why it refused the token. Milliseconds since
    1970."""
    is_name_unknown: bool = False
    """Whether no address was found for the server's name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A participant joined, became active or changed."""

    person: Participant


@dataclass(frozen=True, slots=True)
class Left:
    """The SDK reports that a participant left. Without a reason the report may be wrong."""

    sid: str
    identity: str
    reason: int | None


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The SDK began its own resume or full reconnect."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The SDK's reconnect succeeded; `people` are the participants in the room now."""

    people: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """The Room is disconnected for good; `reason` is LiveKit's, or 0."""

    reason: int


@dataclass(frozen=True, slots=True)
class TextReceived:
    """A chat message from `identity` is complete; its stream was opened at `opened_s`."""

    identity: str
    opened_s: float
    """Attended seconds."""


@dataclass(frozen=True, slots=True)
class MessagesDropped:
    """`identity` sent more than one participant may: `count` messages were dropped, uncounted."""

    identity: str
    count: int


@dataclass(frozen=True, slots=True)
class Overgrown:
    """The Room's memory has grown so much that the agent should leave the Room, which frees it."""


@dataclass(frozen=True, slots=True)
class Audible:
    """A participant's microphone, speech and sound quality at one moment, for a voice plug-in."""

    sid: str
    microphone: str
    """One of `messages.Microphone`."""
    is_speaking: bool | None
    """None if the agent does not hear the participant."""
    quality: object | None
    """An `messages.AudioQuality`; None if it is not known."""


Fact = (
    Joined
    | JoinFailed
    | Seen
    | Left
    | Reconnecting
    | Reconnected
    | RoomEnded
    | TextReceived
    | MessagesDropped
    | Overgrown
    | Audible
)
"""A fact that a Room emits."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A participant in the answer of the server's ListParticipants."""

    sid: str
    identity: str
    kind: ParticipantKind
    state: ParticipantState
    is_hidden: bool = False
    """The server lists a hidden participant, and never announces them."""

    @property
    def is_person(self) -> bool:
        """Return whether the kind gets a session, and the server does not hide the participant."""
        return self.kind in PERSON_KINDS and not self.is_hidden

    @property
    def is_announced(self) -> bool:
        """Return whether the server announces this participant, and the kind gets a session."""
        return self.state is ParticipantState.ACTIVE and self.is_person
