"""What a LiveKit server may make the SDK tell, by chance: its own messages, good and bad.

Owns the events of the native layer, as protobuf messages. Does not know what comes of them.
"""

from __future__ import annotations

import random

from livekit.rtc._proto import ffi_pb2, participant_pb2, room_pb2

ROOM = 0
"""The handle of the room: the SDK frees no handle of this number."""
IDENTITIES = ("alice", "bob", "carol", "", "clara", "x" * 5_000, "ä 🎤\n\x1b[31m")
SIDS = ("PA_1", "PA_2", "PA_3", "PA_4", "", "PA_" + "y" * 5_000)
TEXTS = ("", "a", "\x00\n\r\x1b", "🎤" * 10_000, '{"ignoreLegacy":true}', "\ufffe\u2028")
TOPICS = ("lk.chat", "lk-chat-topic", "other", "")
TIMES_MS = (0, 1, -1, 1_767_225_600_000, 2**62, -(2**62))
KINDS = (
    *("participant_connected", "participant_connected", "participant_disconnected"),
    *("participant_active", "participant_name_changed", "participant_metadata_changed"),
    *("participant_attributes_changed", "participants_updated", "connection_quality_changed"),
    *("data_packet_received", "text_stream_opened", "reconnecting", "reconnected"),
    *("connection_state_changed", "room_updated", "track_muted", "track_published"),
    *("room_metadata_changed", "moved", "active_speakers_changed", "disconnected"),
)


class RoomEvents:
    """event() for ever."""

    def __init__(self, chance: random.Random) -> None:
        """Draw from *chance*."""
        self._chance = chance

    def event(self) -> ffi_pb2.FfiEvent:
        """Make an event of the room; one in eight has changed bytes."""
        event = ffi_pb2.FfiEvent()
        event.room_event.room_handle = ROOM
        self._fill(event.room_event)
        if not self._chance.randrange(8):
            event = self._gone_bad(event)
        return event

    def people(self) -> list[participant_pb2.OwnedParticipant]:
        """Make who is in the room at a join: each identity once."""
        count = self._chance.randrange(4)
        return [
            participant_pb2.OwnedParticipant(info=self._info(identity))
            for identity in IDENTITIES[:count]
        ]

    def _fill(self, event: room_pb2.RoomEvent) -> None:
        kind = self._chance.choice(KINDS)
        content = getattr(event, kind)
        content.SetInParent()
        who = self._chance.choice(IDENTITIES)
        if kind == "participant_connected":
            content.info.info.CopyFrom(self._info(who))
        elif kind == "participants_updated":
            for _ in range(self._chance.randrange(3)):
                content.participants.append(self._info(self._chance.choice(IDENTITIES)))
        elif kind == "data_packet_received":
            content.participant_identity = who
            content.user.topic = self._chance.choice(TOPICS)
        elif kind == "text_stream_opened":
            content.participant_identity = who
            content.reader.info.topic = self._chance.choice(TOPICS)
        elif kind == "participant_attributes_changed":
            content.participant_identity = who
            for _ in range(self._chance.randrange(3)):
                text = self._chance.choice(TEXTS)
                content.attributes.add(key=self._chance.choice(TEXTS), value=text)
        else:
            self._fill_plainly(content, who)

    def _fill_plainly(self, content: object, who: str) -> None:
        """Fill the members by their types."""
        for field in content.DESCRIPTOR.fields:  # type: ignore[attr-defined]  # of protobuf
            if field.is_repeated or field.message_type is not None:
                continue
            if field.cpp_type == field.CPPTYPE_STRING and field.type == field.TYPE_STRING:
                is_identity = field.name == "participant_identity"
                setattr(content, field.name, who if is_identity else self._chance.choice(TEXTS))
            elif field.cpp_type == field.CPPTYPE_ENUM:
                numbers = [each.number for each in field.enum_type.values]
                setattr(content, field.name, self._chance.choice(numbers))

    def _info(self, identity: str) -> participant_pb2.ParticipantInfo:
        info = participant_pb2.ParticipantInfo(
            sid=self._chance.choice(SIDS),
            identity=identity,
            name=self._chance.choice(TEXTS),
            metadata=self._chance.choice(TEXTS),
            joined_at=self._chance.choice(TIMES_MS),
        )
        for name in ("state", "kind", "disconnect_reason"):
            enum = info.DESCRIPTOR.fields_by_name[name].enum_type
            assert enum is not None
            setattr(info, name, self._chance.choice([each.number for each in enum.values]))
        for _ in range(self._chance.randrange(3)):
            info.attributes[self._chance.choice(TEXTS)] = self._chance.choice(TEXTS)
        return info

    def _gone_bad(self, event: ffi_pb2.FfiEvent) -> ffi_pb2.FfiEvent:
        content = bytearray(event.room_event.SerializePartialToString())
        at = self._chance.randrange(len(content))
        content[at] = self._chance.getrandbits(8)
        changed = read(bytes(content))
        return event if changed is None else changed


def read(content: bytes) -> ffi_pb2.FfiEvent | None:
    """Read a room event from *content*; None when it is none, as the native layer never sends."""
    event = ffi_pb2.FfiEvent()
    try:
        event.room_event.ParseFromString(content)
    except Exception:  # the C++ and the upb parser raise classes of their own
        return None
    if not event.room_event.IsInitialized():
        return None
    event.room_event.room_handle = ROOM
    return event
