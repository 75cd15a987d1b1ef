"""Owns how a participant, as LiveKit's SDK or server API describes it, becomes a fact.

Does not know Rooms or requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
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
    cut_word,
)

if TYPE_CHECKING:
    from livekit import rtc
    from livekit.api import ParticipantInfo

_Word = TypeVar("_Word", bound=StrEnum)

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


def listed(info: ParticipantInfo) -> Listed:
    """Translate *info*, a participant in an answer of the server API."""
    from livekit import api

    return Listed(
        sid=cut_word(info.sid),
        identity=cut_word(info.identity),
        kind=_word(api.ParticipantInfo.Kind.Name, info.kind, "", ParticipantKind.UNKNOWN),
        state=_word(api.ParticipantInfo.State.Name, info.state, "", ParticipantState.JOINED),
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
