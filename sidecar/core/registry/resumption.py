"""Owns the sessions that a new process inherits from the process before it: checks them.

Does not know how they continue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import (
    MAX_SAFE_INTEGER,
    AgentSession,
    ConnectionState,
    InitializeParams,
    Message,
    ResumedSession,
)
from sidecar.core.contract.wire import iso_time, wall_ms
from sidecar.core.facts import (
    MAX_WORD_BYTES,
    ConnectionQuality,
    Participant,
    ParticipantKind,
    bounded,
)
from sidecar.core.registry.stays import YEAR_10000_MS, described
from sidecar.core.values import dataclass

MAX_ID_BYTES = 2 * MAX_WORD_BYTES
"""Bytes of UTF-8 of a session's id, which has the identity in it, and of a room's name."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """The state that earlier processes hand over."""

    sessions: tuple[AgentSession, ...] = ()
    """Open sessions, in state `reconnecting`, each with its own id, sid and identity."""
    used_ids: tuple[str, ...] = ()
    """Ids of closed sessions."""
    outage_s: float = 0.0
    """Seconds since the last agent was in the room."""
    server_ahead_ms: int | None = None
    """Milliseconds by which the server's clock is ahead of this machine's; None if not known."""
    conversations: Mapping[str, tuple[Message, ...]] = field(default_factory=dict)
    """The last messages of each session, by session id."""

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to resume."""
        return not self.sessions and not self.used_ids


def inheritance(params: InitializeParams) -> Inheritance:
    """Read the inherited state from *params*.

    Raises:
        InvalidParams: see `resumed_sessions`; or `outageMs` is negative; or `serverAheadMs` is
            beyond every calendar.
    """
    outage_ms = params.outage_ms or 0
    if outage_ms < 0:
        raise InvalidParams(
            "Invalid params: params.outageMs is negative.",
            "Pass the milliseconds since the agent was in its room.",
        )
    ahead_ms = params.server_ahead_ms
    if abs(ahead_ms or 0) >= YEAR_10000_MS:
        raise InvalidParams(
            "Invalid params: params.serverAheadMs is thousands of years.",
            "Pass the serverAheadMs of the last agent-state-changed that had one.",
        )
    sessions = resumed_sessions(params.resume or ())
    conversations = {each.session_id: each.conversation or () for each in params.resume or ()}
    return Inheritance(sessions, params.used_ids or (), outage_ms / 1000, ahead_ms, conversations)


def resumed_sessions(entries: Sequence[ResumedSession]) -> tuple[AgentSession, ...]:
    """Turn *entries* into sessions in state `reconnecting`.

    Raises:
        InvalidParams: an entry is incomplete or closed, or an id or a count of it is over a limit,
            or two entries have the same id, sid or identity.
    """
    sessions = tuple(map(_session, entries))
    for name in ("session_id", "participant_sid", "participant_id"):
        values = [getattr(each, name) for each in sessions]
        if len(set(values)) != len(values) or "" in values:
            raise _refusal(f"holds an empty or repeated {name.replace('_', ' ')}")
    return sessions


def _session(entry: ResumedSession) -> AgentSession:
    try:
        start_time = iso_time(wall_ms(entry.start_time))
    except (ValueError, OverflowError):
        raise _refusal("holds a startTime that is no ISO-8601 time") from None
    if not 0 <= entry.message_count <= MAX_SAFE_INTEGER:
        raise _refusal("holds a messageCount that is negative or beyond every count")
    if not 0 <= (entry.reconnection_attempts or 0) <= MAX_SAFE_INTEGER:
        raise _refusal("holds reconnectionAttempts that are negative or beyond every count")
    for name, text in (("sessionId", entry.session_id), ("roomName", entry.room_name)):
        if len(text.encode("utf-8", "replace")) > MAX_ID_BYTES:
            raise _refusal(f"holds a {name} of over {MAX_ID_BYTES} bytes")
    if entry.connection_state is ConnectionState.CLOSED or entry.end_time is not None:
        raise _refusal("holds a session that is closed")
    whole = Participant(
        entry.participant_sid,
        entry.participant_id,
        name=entry.name or "",
        kind=entry.kind or ParticipantKind.STANDARD,
        metadata=entry.metadata or "",
        attributes=entry.attributes or {},
        quality=entry.connection_quality or ConnectionQuality.UNKNOWN,
        is_cut=bool(entry.truncated),
    )
    person = bounded(whole)
    return AgentSession(
        session_id=entry.session_id,
        participant_id=person.identity,
        participant_sid=person.sid,
        room_name=entry.room_name,
        start_time=start_time,
        message_count=entry.message_count,
        connection_state=ConnectionState.RECONNECTING,
        context=entry.context,
        microphone=entry.microphone,
        reconnection_attempts=entry.reconnection_attempts,
        **described(person),
    )


def _refusal(problem: str) -> InvalidParams:
    return InvalidParams(
        f"Invalid params: params.resume {problem}.",
        "Pass the open sessions as they were announced last.",
    )
