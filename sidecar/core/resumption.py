"""Owns how the sessions of an earlier process are taken over: checked, as sessions.

Does not know what becomes of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.core.changes import iso_time, shown_session, wall_ms
from sidecar.core.errors import InvalidParams
from sidecar.core.facts import Participant
from sidecar.core.messages import AgentSession, ConnectionState, ResumedSession


def resumed_sessions(entries: Sequence[ResumedSession]) -> tuple[AgentSession, ...]:
    """*entries* as sessions in state `reconnecting`.

    Raises:
        InvalidParams: an entry is not whole, or two of them are of one id, sid or identity.
    """
    for name in ("session_id", "participant_sid", "participant_id"):
        values = [getattr(each, name) for each in entries]
        if len(set(values)) != len(values) or "" in values:
            raise _refusal(f"holds an empty or repeated {name.replace('_', ' ')}")
    return tuple(_session(each) for each in entries)


def _session(entry: ResumedSession) -> AgentSession:
    try:
        start_time = iso_time(wall_ms(entry.start_time))
    except (ValueError, OverflowError):
        raise _refusal("holds a startTime that is no ISO-8601 time") from None
    if entry.message_count < 0:
        raise _refusal("holds a negative messageCount")
    return shown_session(
        Participant(entry.participant_sid, entry.participant_id),
        session_id=entry.session_id,
        room_name=entry.room_name,
        start_time=start_time,
        message_count=entry.message_count,
        connection_state=ConnectionState.RECONNECTING,
    )


def _refusal(problem: str) -> InvalidParams:
    return InvalidParams(
        f"Invalid params: params.resume {problem}.",
        "Pass the open sessions as they were announced last.",
    )
