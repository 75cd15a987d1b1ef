"""Owns the close reasons of the wire, and the table from LiveKit's reasons to them.

Does not know sessions.
"""

from __future__ import annotations

from enum import StrEnum

from sidecar.core.facts import DisconnectReason, reason_name


class CloseReason(StrEnum):
    """Why a session closed. Each `session-closed` has exactly one reason.

    docs/protocol.md has the sentence below each member.
    """

    LEFT = "left"
    """The participant left. Also when LiveKit gave no reason."""
    CONNECTION_LOST = "connection-lost"
    """The server lost the participant's connection, or the agent was out of the room for 45 s."""
    JOIN_FAILED = "join-failed"
    """The participant was gone before its media connection was up."""
    REPLACED = "replaced"
    """The identity came back with a new sid. A page reload looks like this too."""
    REMOVED = "removed"
    """`closeSession`, or another program with the right to, removed the participant."""
    ROOM_CLOSED = "room-closed"
    """The server closed or deleted the room."""
    LEFT_DURING_RECONNECT = "left-during-reconnect"
    """The participant left while the agent was reconnecting, so the reason is not known."""
    SERVER_SHUTDOWN = "server-shutdown"
    """The LiveKit server shut down."""
    AGENT_DISCONNECTED = "agent-disconnected"
    """The agent left on request or for another room, or the server removed it."""
    SIDECAR_SHUTDOWN = "sidecar-shutdown"
    """The sidecar ended: `shutdown`, the end of stdin, or a signal."""
    SIDECAR_EXITED = "sidecar-exited"
    """The sidecar ended by itself, and the bridge did not restart it. Only the bridge says so."""


REASON_TABLE: dict[DisconnectReason, CloseReason] = {
    DisconnectReason.CLIENT_INITIATED: CloseReason.LEFT,
    DisconnectReason.USER_UNAVAILABLE: CloseReason.LEFT,
    DisconnectReason.USER_REJECTED: CloseReason.LEFT,
    DisconnectReason.AGENT_ERROR: CloseReason.LEFT,
    DisconnectReason.DUPLICATE_IDENTITY: CloseReason.REPLACED,
    DisconnectReason.PARTICIPANT_REMOVED: CloseReason.REMOVED,
    DisconnectReason.ROOM_DELETED: CloseReason.ROOM_CLOSED,
    DisconnectReason.ROOM_CLOSED: CloseReason.ROOM_CLOSED,
    DisconnectReason.JOIN_FAILURE: CloseReason.JOIN_FAILED,
    DisconnectReason.SIP_TRUNK_FAILURE: CloseReason.JOIN_FAILED,
    DisconnectReason.CONNECTION_TIMEOUT: CloseReason.CONNECTION_LOST,
    DisconnectReason.STATE_MISMATCH: CloseReason.CONNECTION_LOST,
    DisconnectReason.MIGRATION: CloseReason.CONNECTION_LOST,
    DisconnectReason.MEDIA_FAILURE: CloseReason.CONNECTION_LOST,
    DisconnectReason.SIGNAL_CLOSE: CloseReason.CONNECTION_LOST,
    DisconnectReason.SERVER_SHUTDOWN: CloseReason.SERVER_SHUTDOWN,
}
"""The close reason for each of LiveKit's reasons. A number not listed means `left`."""


def outage_ending(number: int) -> tuple[CloseReason, str | None]:
    """Return the close reason, and LiveKit's reason or None, after an outage of 45 s.

    *number* is LiveKit's reason for the end of our Room that began the outage; 0 if none.
    """
    if number == DisconnectReason.UNKNOWN_REASON:
        return CloseReason.CONNECTION_LOST, None
    is_shutdown = number == DisconnectReason.SERVER_SHUTDOWN
    why = CloseReason.SERVER_SHUTDOWN if is_shutdown else CloseReason.CONNECTION_LOST
    return why, reason_name(number)


def close_reason(number: int, *, was_active: bool) -> CloseReason:
    """Return the close reason for a leave with LiveKit's reason *number*.

    SIGNAL_CLOSE of a participant that was never active is a failed join: the websocket dropped
    before the media connection was up (livekit-server pkg/rtc/participant.go).
    """
    if number == DisconnectReason.SIGNAL_CLOSE and not was_active:
        return CloseReason.JOIN_FAILED
    try:
        return REASON_TABLE[DisconnectReason(number)]
    except (ValueError, KeyError):
        return CloseReason.LEFT
