"""Owns how a participant, as LiveKit's SDK or server API describes it, becomes a fact.

Reads the server's list participant by participant: 2 bytes of an answer can make an object of 100
bytes. Does not know Rooms or requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar.core.facts import (
    ConnectionQuality,
    Listed,
    Participant,
    ParticipantKind,
    ParticipantState,
    bounded,
    cut,
)

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.protocol.models import ParticipantInfo

_Word = TypeVar("_Word", bound=StrEnum)

MAX_LISTED = 20_000
"""Participants in one list."""
MAX_INFO_BYTES = 1024 * 1024
"""One participant in a list. livekit-server allows 64 KiB of metadata and 64 KiB of attributes."""

_log = logging.getLogger("sidecar.rtc")


def people(room: rtc.Room) -> tuple[Participant, ...]:
    """Return every remote participant of *room* that can be read."""
    found = []
    for each in room.remote_participants.values():
        try:
            found.append(participant(each))
        except Exception:  # one unreadable participant must not make the join fail
            _log.exception("A participant could not be read, by a bug, and is left out.")
    return tuple(found)


def participant(person: rtc.RemoteParticipant) -> Participant:
    """Translate the SDK's *person*."""
    from livekit import rtc

    whole = Participant(
        sid=person.sid,
        identity=person.identity,
        name=person.name,
        kind=_word(
            rtc.ParticipantKind.Name, person.kind, "PARTICIPANT_KIND_", ParticipantKind.UNKNOWN
        ),
        state=_word(
            rtc.ParticipantState.Name, person.state, "PARTICIPANT_STATE_", ParticipantState.JOINED
        ),
        joined_at_ms=joined_at_ms(person),
        metadata=person.metadata,
        attributes=person.attributes,
        quality=_word(
            attrgetter("name"), person.connection_quality, "QUALITY_", ConnectionQuality.UNKNOWN
        ),
    )
    return bounded(whole)


def joined_at_ms(person: rtc.Participant) -> int | None:
    """Return the server's time of the join in milliseconds since 1970, or None."""
    try:
        joined_at = person.joined_at
    except (ValueError, OverflowError, OSError):  # a time that no datetime holds
        return None
    return None if joined_at is None else round(joined_at.timestamp() * 1000)


def listed_in(body: bytes) -> tuple[Listed, ...]:
    """Read *body*, a ListParticipantsResponse. Safe to call from any thread.

    Raises:
        DecodeError: *body* is something else, or is over a limit; the text says which limit.
    """
    from google.protobuf.message import DecodeError
    from livekit.protocol.models import ParticipantInfo

    found: list[Listed] = []
    try:
        for part in _infos(memoryview(body)):
            if len(found) == MAX_LISTED:
                raise _OverLimit(f"a list of more than {MAX_LISTED} participants")
            if len(part) > MAX_INFO_BYTES:
                raise _OverLimit(f"a participant of more than {MAX_INFO_BYTES} bytes")
            found.append(listed(ParticipantInfo.FromString(part)))
    except (IndexError, DecodeError):
        raise DecodeError("something else than a list") from None
    except _OverLimit as error:
        raise DecodeError(str(error)) from None
    return tuple(found)


class _OverLimit(Exception):
    """The text says which limit."""


def _infos(body: memoryview) -> Iterator[bytes]:
    """Yield the bytes of each participant in *body*; see the encoding of Protocol Buffers.

    Raises:
        IndexError: *body* has another form, or ends in the middle of a field.
    """
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        length, at = _varint(body, at)  # the value itself, in a field with a number
        if key & 7 == _BYTES:
            if at + length > len(body):
                raise IndexError
            if key >> 3 == _PARTICIPANTS:
                yield bytes(body[at : at + length])
            at += length
        elif key & 7 != _NUMBER:
            raise IndexError


_PARTICIPANTS, _NUMBER, _BYTES = 1, 0, 2
"""A field's number in ListParticipantsResponse, and two types of fields."""


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    """Read the number of up to 64 bits at *at*; return it and the place after it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise IndexError


def listed(info: ParticipantInfo) -> Listed:
    """Translate *info*, a participant in an answer of the server API."""
    from livekit.protocol.models import ParticipantInfo

    return Listed(
        sid=cut(info.sid),
        identity=cut(info.identity),
        kind=_word(ParticipantInfo.Kind.Name, info.kind, "", ParticipantKind.UNKNOWN),
        state=_word(ParticipantInfo.State.Name, info.state, "", ParticipantState.JOINED),
        is_hidden=info.permission.hidden,
    )


def _word(name_of: Callable[[Any], str], number: object, prefix: str, unknown: _Word) -> _Word:
    """Translate *number* by its name: the SDK and the server API number some kinds differently.

    Returns *unknown* if *number* or its name is of a newer server. Any: each enum has a type of
    its own for its numbers.
    """
    try:
        return type(unknown)(name_of(number).removeprefix(prefix).lower())
    except ValueError:
        return unknown
