"""Sessions and notifications as short as a test can say them."""

from __future__ import annotations

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import (
    AgentSession,
    AgentState,
    AgentStateChanged,
    Capabilities,
    ConnectionState,
    SessionClosed,
    SessionCreated,
    SessionUpdated,
)
from sidecar.core.contract.wire import IsoTime
from sidecar.core.facts import ConnectionQuality, ParticipantKind


def session(name: str, *, count: int = 0, metadata: str = "") -> AgentSession:
    return AgentSession(
        session_id=f"session_1_{name}",
        participant_id=name,
        participant_sid=f"PA_{name}",
        room_name="room",
        start_time=IsoTime("2026-01-31T12:00:00.000Z"),
        message_count=count,
        connection_state=ConnectionState.CONNECTED,
        name=name,
        kind=ParticipantKind.STANDARD,
        metadata=metadata,
        attributes={},
        connection_quality=ConnectionQuality.UNKNOWN,
    )


def created(name: str, seq: int) -> SessionCreated:
    return SessionCreated(session(name), seq, "epoch")


def updated(
    name: str, seq: int, *changed: str, count: int = 0, metadata: str = ""
) -> SessionUpdated:
    stay = session(name, count=count, metadata=metadata)
    return SessionUpdated(stay, changed or ("messageCount",), seq, "epoch")


def closed(name: str, seq: int) -> SessionClosed:
    return SessionClosed(session(name), CloseReason.LEFT, seq, "epoch")


def state_changed(seq: int) -> AgentStateChanged:
    none = Capabilities(create_connection=False, close_session=False, reconcile=False)
    return AgentStateChanged(AgentState.CONNECTED, AgentState.CONNECTING, none, seq, "epoch")
