"""Owns what the agent's events came with, and what that means to sessions and to who waits.

Does not know the agent's state.
"""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.core.agent_state import Event
from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import ConnectFailure, NotConnected, ShuttingDown, SidecarError
from sidecar.core.contract.failures import Failure
from sidecar.core.facts import DisconnectReason, Joined, Participant, reason_name

_ENDINGS: dict[int, Event] = {
    DisconnectReason.ROOM_CLOSED: Event.ROOM_GONE,
    DisconnectReason.ROOM_DELETED: Event.ROOM_GONE,
    DisconnectReason.DUPLICATE_IDENTITY: Event.EVICTED,
    DisconnectReason.PARTICIPANT_REMOVED: Event.EVICTED,
}

_CLOSINGS = {
    Event.DISCONNECT: CloseReason.AGENT_DISCONNECTED,
    Event.SHUTDOWN: CloseReason.SIDECAR_SHUTDOWN,
    Event.ROOM_GONE: CloseReason.ROOM_CLOSED,
    Event.EVICTED: CloseReason.AGENT_DISCONNECTED,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """An event of the agent's table, and what it came with."""

    event: Event
    people: tuple[Participant, ...] = ()
    joined: Joined | None = None
    reason: int = 0
    """LiveKit's, of the end of our Room; 0 where there is none."""
    failure: Failure | None = None

    @property
    def words(self) -> str:
        """LiveKit's own reason where it gave one, else the event in a word or two."""
        if self.reason:
            return reason_name(self.reason)
        return self.event.name.lower().replace("_", "-")


def ending_of(reason: int) -> Event:
    """What the end of our Room means.

    UNKNOWN_REASON: the SDK's attempts are exhausted. CLIENT_INITIATED that was not ours comes when
    they were exhausted with signalling alive. Both, and all others, are retried.
    """
    return _ENDINGS.get(reason, Event.LOST)


def closing_of(event: Event) -> CloseReason:
    """Why an event that closes all sessions closes them."""
    return _CLOSINGS[event]


def refusal_of(cause: Cause) -> SidecarError | None:
    """What one who waits for a join is told; None when it succeeded."""
    if cause.failure is not None:
        return connect_failure(cause.failure)
    if cause.event is Event.SHUTDOWN:
        return ShuttingDown()
    if cause.event is Event.DISCONNECT:
        return NotConnected("A `disconnect` came before the join.", "Send `connect` again.")
    return None


def connect_failure(found: Failure) -> ConnectFailure:
    """Error 1002: `{category, detail, fix, retryable}`."""
    return ConnectFailure(
        f"Could not join: {found.detail}",
        found.fix,
        category=found.category.value,
        detail=found.detail,
        retryable=found.retryable,
    )
