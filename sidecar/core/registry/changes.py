"""Owns the changes of a session (created, updated, closed) and its form on the wire.

Does not know why a session changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession, ConnectionState
from sidecar.core.contract.protocol import MAX_SHOWN_BYTES
from sidecar.core.contract.wire import IsoTime, fields_of
from sidecar.core.facts import Participant


@dataclass(frozen=True, slots=True)
class Created:
    """A session was created, in state `connecting`."""

    session: AgentSession


@dataclass(frozen=True, slots=True)
class Updated:
    """A session changed; `changed` has the wire names of the members that differ."""

    session: AgentSession
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A session closed; `detail` is LiveKit's own reason, or None."""

    session: AgentSession
    reason: CloseReason
    detail: str | None


Change = Created | Updated | Closed

YEAR_10000_MS = 253_402_300_800_000
"""Milliseconds from 1970 to the first year that ISO-8601 cannot write in four digits."""


def believable_ms(joined_at_ms: int | None, now_ms: int) -> int:
    """Return *joined_at_ms*, or *now_ms* if it is missing, not positive, or after 9999."""
    if joined_at_ms is None or not 0 < joined_at_ms < YEAR_10000_MS:
        return now_ms
    return joined_at_ms


def shown_session(
    person: Participant,
    *,
    session_id: str,
    room_name: str,
    start_time: IsoTime,
    message_count: int,
    connection_state: ConnectionState,
) -> AgentSession:
    """Build the session of *person* for the wire; cuts metadata and attributes at 16 KiB each."""
    metadata, metadata_cut = _cut_text(person.metadata, MAX_SHOWN_BYTES)
    attributes, attributes_cut = _cut_attributes(person.attributes)
    return AgentSession(
        session_id=session_id,
        participant_id=person.identity,
        participant_sid=person.sid,
        room_name=room_name,
        start_time=start_time,
        message_count=message_count,
        connection_state=connection_state,
        name=person.name,
        kind=person.kind,
        metadata=metadata,
        attributes=attributes,
        connection_quality=person.quality,
        end_time=None,
        truncated=True if metadata_cut or attributes_cut else None,
    )


def changed_members(before: AgentSession, now: AgentSession) -> tuple[str, ...]:
    """Return the wire names of the members that differ."""
    return tuple(
        each.wire_name
        for each in fields_of(AgentSession)
        if getattr(before, each.name) != getattr(now, each.name)
    )


def _cut_text(text: str, max_bytes: int) -> tuple[str, bool]:
    # A character takes at most 4 bytes of UTF-8, so a short text needs no encoding here.
    if len(text) * 4 <= max_bytes:
        return text, False
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= max_bytes:
        return text, False
    return encoded[:max_bytes].decode("utf-8", "ignore"), True


def _cut_attributes(attributes: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    room_bytes = MAX_SHOWN_BYTES
    kept: dict[str, str] = {}
    for key, value in sorted(attributes.items()):
        room_bytes -= len(key.encode("utf-8", "replace")) + len(value.encode("utf-8", "replace"))
        if room_bytes < 0:
            return kept, True
        kept[key] = value
    return kept, False
