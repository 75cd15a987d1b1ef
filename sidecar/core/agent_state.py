"""Owns the agent's state: events in, decisions out, as one table. At most one Room exists.

Does not know Rooms, sessions or clocks; the shell carries out what a decision says, and feeds what
`due()` gives once `deadline()` has passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import ConnectFailed, NotConnected, ShuttingDown, SidecarError
from sidecar.core.contract.failures import Failure
from sidecar.core.contract.messages import AgentState
from sidecar.core.facts import DisconnectReason, Joined, Participant, reason_name

RECONNECT_WITHIN_S = 30.0
"""Then the Room is given up: the SDK may stay in its own reconnect for minutes with signalling
alive (seen: 167 s)."""
STEADY_S = 30.0
"""Connected for this long, the ladder of delays starts again."""
LIVED_S = 5.0
"""A Room that lived this long and was closed as empty is rejoined at once: a person who comes back
in that very second lands in a new room of the same name, and should not be alone there."""
LONGEST_DELAY_S = 30.0


class Event(Enum):
    """What can happen to the agent; its name is the `reason` of an agent-state-changed."""

    CONNECT = "connect"
    TIMER = "timer"
    WAKE = "wake"
    JOINED = "joined"
    FAILED = "failed, retryable"
    REFUSED = "failed: unauthorized, malformed, broken-install"
    TOKEN_EXPIRED = "failed: the token alone is known, and has expired"  # noqa: S105 - no password
    TOKEN_NEEDED = "a join is due, and needs a token of the client"  # noqa: S105 - no password
    TOKEN_GIVEN = "the client gave a token"  # noqa: S105 - no password
    TOKEN_FAILED = "the client gave no token"  # noqa: S105 - no password
    TOKEN_REFUSED = "failed: a token that was not fresh"  # noqa: S105 - no password
    FRESH_TOKEN_REFUSED = "failed: a fresh token of the client"  # noqa: S105 - no password
    RECONNECTING = "SDK reconnecting"
    RECONNECTED = "SDK reconnected"
    WATCHDOG = "30 s of reconnecting over"
    STEADY = "30 s of connected over"
    DEAF = "the server's list shows that the Room is not told what happens"
    LOST = "final, retryable"
    ROOM_GONE = "final, ROOM_CLOSED or ROOM_DELETED"
    EVICTED = "final, DUPLICATE_IDENTITY or PARTICIPANT_REMOVED"
    DISCONNECT = "disconnect"
    SHUTDOWN = "shutdown"


class Do(Enum):
    """What the shell carries out, in the order given; each has its case in `agent._carry_out`."""

    OPEN = "open a Room, once the earlier one's connect and disconnect have ended"
    ASK = "ask the client for a token, unless that is under way"
    DROP = "drop the Room"
    SNAPSHOT = "give the sessions the snapshot"
    LINK_LOST = "tell the sessions that the link is lost"
    ROOM_LOST = "tell the sessions that the link is lost, and LiveKit's reason"
    CLOSE_ALL = "close all sessions"
    LOG_FAILURE = "log the failure; the first of a series has the critical line"
    ANSWER = "answer the callers of `connect`"
    POLL = "compare with the server's list"


class Retry(Enum):
    """When the machine itself lets the next attempt begin, by the event `timer`."""

    LATER = "try again after a delay"
    AT_ONCE = "try again at once"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    next: AgentState
    does: tuple[Do, ...]
    """For the shell."""
    retry: Retry | None = None
    """For the machine itself."""


_S = AgentState
_E = Event

TABLE: dict[tuple[AgentState, Event], Row] = {
    (_S.IDLE, _E.CONNECT): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.FAILED, _E.CONNECT): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.WAITING_FOR_TOKEN, _E.CONNECT): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.BACKOFF, _E.CONNECT): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.BACKOFF, _E.TIMER): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.BACKOFF, _E.WAKE): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.CONNECTING, _E.JOINED): Row(_S.CONNECTED, (Do.SNAPSHOT, Do.ANSWER, Do.POLL)),
    (_S.CONNECTING, _E.FAILED): Row(_S.BACKOFF, (Do.LOG_FAILURE, Do.ANSWER), Retry.LATER),
    (_S.CONNECTING, _E.REFUSED): Row(_S.FAILED, (Do.LOG_FAILURE, Do.ANSWER)),
    (_S.CONNECTING, _E.TOKEN_EXPIRED): Row(_S.WAITING_FOR_TOKEN, (Do.LOG_FAILURE, Do.ANSWER)),
    (_S.CONNECTING, _E.TOKEN_REFUSED): Row(
        _S.WAITING_FOR_TOKEN, (Do.LOG_FAILURE, Do.ANSWER, Do.ASK)
    ),
    (_S.CONNECTING, _E.FRESH_TOKEN_REFUSED): Row(
        _S.WAITING_FOR_TOKEN, (Do.LOG_FAILURE, Do.ANSWER), Retry.LATER
    ),
    **{
        (state, _E.TOKEN_NEEDED): Row(_S.WAITING_FOR_TOKEN, (Do.ASK,))
        for state in (_S.IDLE, _S.FAILED, _S.BACKOFF, _S.WAITING_FOR_TOKEN)
    },
    (_S.WAITING_FOR_TOKEN, _E.TOKEN_GIVEN): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.WAITING_FOR_TOKEN, _E.TOKEN_FAILED): Row(
        _S.WAITING_FOR_TOKEN, (Do.LOG_FAILURE, Do.ANSWER), Retry.LATER
    ),
    (_S.WAITING_FOR_TOKEN, _E.TIMER): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.CONNECTED, _E.STEADY): Row(_S.CONNECTED, ()),
    (_S.CONNECTED, _E.RECONNECTING): Row(_S.RECONNECTING, (Do.LINK_LOST,)),
    (_S.CONNECTED, _E.DEAF): Row(_S.BACKOFF, (Do.DROP, Do.ROOM_LOST), Retry.AT_ONCE),
    (_S.RECONNECTING, _E.RECONNECTED): Row(_S.CONNECTED, (Do.SNAPSHOT, Do.POLL)),
    (_S.RECONNECTING, _E.WATCHDOG): Row(_S.BACKOFF, (Do.DROP, Do.ROOM_LOST), Retry.AT_ONCE),
    **{
        (state, event): row
        for state in (_S.CONNECTED, _S.RECONNECTING)
        for event, row in {
            _E.LOST: Row(_S.BACKOFF, (Do.DROP, Do.ROOM_LOST), Retry.LATER),
            _E.ROOM_GONE: Row(_S.BACKOFF, (Do.DROP, Do.CLOSE_ALL), Retry.LATER),
            _E.EVICTED: Row(_S.FAILED, (Do.LOG_FAILURE, Do.DROP, Do.CLOSE_ALL)),
        }.items()
    },
    **{
        (state, event): Row(after, (Do.CLOSE_ALL, Do.DROP, Do.ANSWER))
        for state in AgentState
        if state is not _S.STOPPING
        for event, after in {_E.DISCONNECT: _S.IDLE, _E.SHUTDOWN: _S.STOPPING}.items()
    },
}
"""A pair that is not here changes nothing and does nothing."""


_FAILURES = frozenset(
    {
        Event.FAILED,
        Event.REFUSED,
        Event.TOKEN_EXPIRED,
        Event.TOKEN_FAILED,
        Event.TOKEN_REFUSED,
        Event.FRESH_TOKEN_REFUSED,
    }
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an event came to."""

    previous: AgentState
    state: AgentState
    does: tuple[Do, ...]
    attempt: int
    """Failed attempts since the last success."""
    retry_in_s: float | None = None
    is_first_failure: bool = False
    """Whether the event is the first failure of a series."""


class AgentMachine:
    """The state, the series of failures, and the deadline."""

    def __init__(self) -> None:
        """Start idle."""
        self.state = AgentState.IDLE
        self.attempt = 0
        self._rung = 0
        self._has_failed = False
        self._joined_s = 0.0
        self._due: tuple[float, Event] | None = None

    @property
    def is_in_room(self) -> bool:
        """Whether there is a Room that was joined."""
        return self.state in (AgentState.CONNECTED, AgentState.RECONNECTING)

    @property
    def is_under_way(self) -> bool:
        """Whether there is a Room, joined or not yet."""
        return self.is_in_room or self.state is AgentState.CONNECTING

    def on(self, event: Event, now_s: float, jitter: float = 1.0) -> Decision:
        """Take *event* at *now_s*, attended seconds; *jitter*, 0 to 1, scales a delay.

        Full jitter, so that a thousand apps do not come back to a restarted server at once.
        """
        previous = self.state
        row = TABLE.get((previous, event))
        if row is None:
            return Decision(previous, previous, (), self.attempt)
        if event in (Event.CONNECT, Event.TOKEN_NEEDED) and previous is AgentState.FAILED:
            self._has_failed = False
        if event in (Event.JOINED, Event.DISCONNECT):
            self.attempt = 0
            self._has_failed = False
        if event in (Event.STEADY, Event.DISCONNECT):
            self._rung = 0
        is_first_failure = event in _FAILURES and not self._has_failed
        if event in _FAILURES:
            self.attempt += 1
            self._has_failed = True
        retry = row.retry
        if event is Event.ROOM_GONE and now_s - self._joined_s >= LIVED_S:
            retry = Retry.AT_ONCE
        if event is Event.JOINED:
            self._joined_s = now_s
        self.state = row.next
        retry_in_s = self._arm(event, retry, now_s, jitter)
        return Decision(previous, self.state, row.does, self.attempt, retry_in_s, is_first_failure)

    def deadline(self) -> float | None:
        """Attended seconds at which `due` has an event."""
        return None if self._due is None else self._due[0]

    def due(self, now_s: float) -> Event | None:
        """The event whose time has come, to be given to `on`."""
        if self._due is None or self._due[0] > now_s:
            return None
        return self._due[1]

    def _arm(self, event: Event, retry: Retry | None, now_s: float, jitter: float) -> float | None:
        self._due = None
        if retry is Retry.AT_ONCE:
            self._due = (now_s, Event.TIMER)
            return 0.0
        if retry is Retry.LATER:
            delay_s = jitter * min(LONGEST_DELAY_S, 2.0**self._rung)
            self._rung = min(self._rung + 1, 5)
            self._due = (now_s + delay_s, Event.TIMER)
            return delay_s
        if self.state is AgentState.RECONNECTING:
            self._due = (now_s + RECONNECT_WITHIN_S, Event.WATCHDOG)
        elif self.state is AgentState.CONNECTED and event is not Event.STEADY:
            self._due = (now_s + STEADY_S, Event.STEADY)
        return None


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


def connect_failure(found: Failure) -> ConnectFailed:
    """Error 1002: `{category, detail, fix, retryable}`."""
    return ConnectFailed(
        f"Could not join: {found.detail}",
        found.fix,
        category=found.category.value,
        detail=found.detail,
        retryable=found.retryable,
    )
