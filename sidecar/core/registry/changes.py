"""Owns what can happen to a session, as frozen copies, and how one is shown.

Does not know why anything happens.
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
    """A session began; `session` is in state `connecting`."""

    session: AgentSession


@dataclass(frozen=True, slots=True)
class Updated:
    """Members of a session changed; `changed` holds their names on the wire."""

    session: AgentSession
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A session ended; `detail` is LiveKit's own reason where it gave one."""

    session: AgentSession
    reason: CloseReason
    detail: str | None


Change = Created | Updated | Closed

_YEAR_10000_MS = 253_402_300_800_000


def believable_ms(joined_at_ms: int | None, now_ms: int) -> int:
    """The server's `joined_at`, or now where it said none or what no calendar holds."""
    if joined_at_ms is None or not 0 < joined_at_ms < _YEAR_10000_MS:
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
    """How the session of *person* looks on the wire; metadata and attributes cut at 16 KiB each."""
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
    """The names on the wire of what differs."""
    return tuple(
        each.wire_name
        for each in fields_of(AgentSession)
        if getattr(before, each.name) != getattr(now, each.name)
    )


def _cut_text(text: str, max_bytes: int) -> tuple[str, bool]:
    # A character is at most 4 bytes of UTF-8, so most texts need no encoding to be known short.
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
