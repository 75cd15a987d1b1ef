"""Owns the agent's state, as one table: events in, decisions out. At most one Room exists.

The shell carries out each decision. When `due_s` has passed, it passes the event of `due()` to
`on`. Does not know Rooms, sessions or clocks.
"""

from __future__ import annotations

from enum import Enum

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import ConnectFailed, NotConnected, ShuttingDown, SidecarError
from sidecar.core.contract.failures import Failure
from sidecar.core.contract.messages import AgentState
from sidecar.core.facts import DisconnectReason, Joined, Participant, reason_name
from sidecar.core.values import dataclass

RECONNECT_WITHIN_S = 30.0
"""After this the agent drops the Room: the SDK may reconnect for minutes while signalling works
(seen: 167 s)."""
STEADY_S = 30.0
"""After this time in the room, the retry delays start again at the shortest."""
LIVED_S = 5.0
"""If the server closes a room that the agent joined this long ago, the agent rejoins at once: a
human who comes back at that moment gets a new room of the same name, and needs the agent there."""
SHORTEST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
SHORTEST_LOOK_S = 30.0
LONGEST_LOOK_S = 300.0
"""Delays before the agent looks whether its identity is free, after another participant took it.
They double, from the first to the second."""


class Event(Enum):
    """The events of the agent. The name is the `reason` of an agent-state-changed."""

    CONNECT = "connect"
    TIMER = "timer"
    WAKE = "wake"
    JOINED = "joined"
    FAILED = "the join failed, and may succeed later"
    REFUSED = "the join failed: unauthorized, malformed or broken-install"
    TOKEN_EXPIRED = "the join failed: the only token has expired"  # noqa: S105 - no password
    TOKEN_NEEDED = "a join is due, and needs a token from the client"  # noqa: S105 - no password
    TOKEN_GIVEN = "the client gave a token"  # noqa: S105 - no password
    TOKEN_FAILED = "the client gave no token"  # noqa: S105 - no password
    TOKEN_REFUSED = "the join failed: the server refused an older token"  # noqa: S105 - no password
    FRESH_TOKEN_REFUSED = "the join failed: the server refused a fresh token"  # noqa: S105 - no password
    RECONNECTING = "the SDK reconnects"
    RECONNECTED = "the SDK has reconnected"
    WATCHDOG = "30 s in this state"
    STEADY = "30 s in the room"
    DEAF = "the server's list shows that the Room misses events"
    OVERGROWN = "the memory of the Room has grown too much"
    LOST = "the Room ended, and a join may succeed later"
    ROOM_GONE = "the Room ended: ROOM_CLOSED or ROOM_DELETED"
    EVICTED = (
        "the Room ended: PARTICIPANT_REMOVED; or DUPLICATE_IDENTITY without the right to read the"
        " server's list"
    )
    IDENTITY_TAKEN = "the Room ended: DUPLICATE_IDENTITY, with the right to read the server's list"
    LOOK = "time to look whether the agent's identity is free"
    IDENTITY_FREE = "the server's list does not have the agent's identity"
    NOBODY_THERE = "`join: 'needed'`, and no person is in the room or about to join it"
    NEEDED = "`join: 'needed'`, and a person is in the room or about to join it"
    DISCONNECT = "disconnect"
    SHUTDOWN = "shutdown"


class Do(Enum):
    """The effects that the shell carries out, in order; `agent._carry_out` has a case for each."""

    OPEN = "open a Room, once the earlier one's connect and disconnect have ended"
    ASK = "ask the client for a token, unless a request is under way"
    DROP = "drop the Room"
    SNAPSHOT = "give the sessions the snapshot"
    LINK_LOST = "mark the link of the sessions as lost, with LiveKit's reason if the Room ended"
    CLOSE_ALL = "close all sessions"
    LOG_FAILURE = "log the failure, with the critical line if it is the first of a series"
    ANSWER = "answer the callers of `connect`"
    POLL = "compare with the server's list"
    LOOK = "look whether the server's list has the agent's identity"
    AWAIT_PEOPLE = "look whether a person is in the room, now, after 5 s, then every 30 s"


class Retry(Enum):
    """When the machine starts the next attempt, with the event `timer`."""

    LATER = "try again after a delay"
    AT_ONCE = "try again at once"
    LOOK_LATER = "look whether the identity is free after a longer delay"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: the next state and the effects."""

    next: AgentState
    does: tuple[Do, ...]
    """The effects for the shell."""
    retry: Retry | None = None
    """The effect for the machine itself."""


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
    (_S.BACKOFF, _E.LOOK): Row(_S.BACKOFF, (Do.LOOK,), Retry.LOOK_LATER),
    (_S.BACKOFF, _E.IDENTITY_FREE): Row(_S.BACKOFF, (), Retry.AT_ONCE),
    **{
        (state, _E.NOBODY_THERE): Row(_S.IDLE, (Do.ANSWER, Do.AWAIT_PEOPLE))
        for state in (_S.IDLE, _S.FAILED, _S.BACKOFF, _S.WAITING_FOR_TOKEN)
    },
    (_S.CONNECTED, _E.NOBODY_THERE): Row(_S.IDLE, (Do.CLOSE_ALL, Do.DROP, Do.AWAIT_PEOPLE)),
    (_S.IDLE, _E.NEEDED): Row(_S.CONNECTING, (Do.OPEN,)),
    (_S.CONNECTED, _E.STEADY): Row(_S.CONNECTED, ()),
    (_S.CONNECTED, _E.RECONNECTING): Row(_S.RECONNECTING, (Do.LINK_LOST,)),
    **{
        (_S.CONNECTED, event): Row(_S.BACKOFF, (Do.DROP, Do.LINK_LOST), Retry.AT_ONCE)
        for event in (_E.DEAF, _E.OVERGROWN)
    },
    (_S.RECONNECTING, _E.RECONNECTED): Row(_S.CONNECTED, (Do.SNAPSHOT, Do.POLL)),
    (_S.RECONNECTING, _E.WATCHDOG): Row(_S.BACKOFF, (Do.DROP, Do.LINK_LOST), Retry.AT_ONCE),
    **{
        (state, event): row
        for state in (_S.CONNECTED, _S.RECONNECTING)
        for event, row in {
            _E.LOST: Row(_S.BACKOFF, (Do.DROP, Do.LINK_LOST), Retry.LATER),
            _E.ROOM_GONE: Row(_S.BACKOFF, (Do.DROP, Do.CLOSE_ALL), Retry.LATER),
            _E.EVICTED: Row(_S.FAILED, (Do.LOG_FAILURE, Do.DROP, Do.CLOSE_ALL)),
            _E.IDENTITY_TAKEN: Row(
                _S.BACKOFF, (Do.LOG_FAILURE, Do.DROP, Do.CLOSE_ALL), Retry.LOOK_LATER
            ),
        }.items()
    },
    **{
        (state, event): Row(after, (Do.CLOSE_ALL, Do.DROP, Do.ANSWER))
        for state in AgentState
        if state is not _S.STOPPING
        for event, after in {_E.DISCONNECT: _S.IDLE, _E.SHUTDOWN: _S.STOPPING}.items()
    },
}
"""The rows by state and event. A pair without a row has no effect."""


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
    """The result of an event: the new state, and the effects for the shell."""

    previous: AgentState
    state: AgentState
    does: tuple[Do, ...]
    attempt: int
    """Failed attempts since the last success."""
    retry_in_s: float | None = None
    is_first_failure: bool = False
    """Whether the event is the first failure of a series."""
    is_change: bool = False
    """Whether the state is another one, or `idle` begins or ends to await people."""


class AgentMachine:
    """The state, the series of failures, and the deadline."""

    def __init__(self) -> None:
        """Start idle."""
        self.state = AgentState.IDLE
        self.attempt = 0
        self._delay_s = SHORTEST_DELAY_S
        self._look_delay_s = SHORTEST_LOOK_S
        self.is_put_out = False
        """Whether another participant has the agent's identity, so that the agent only looks."""
        self.awaits_people = False
        """Whether the agent is idle until a person comes. Pass `needed` only then."""
        self._has_failed = False
        self._joined_s = 0.0
        self.due_s: float | None = None
        """Attended seconds at which to call `due`; None if there is no deadline."""
        self._due_event = Event.TIMER

    @property
    def is_in_room(self) -> bool:
        """Return whether the agent has joined a Room."""
        return self.state in (AgentState.CONNECTED, AgentState.RECONNECTING)

    @property
    def is_under_way(self) -> bool:
        """Return whether there is a Room, joined or joining."""
        return self.is_in_room or self.state is AgentState.CONNECTING

    def on(self, event: Event, now_s: float, jitter: float = 1.0) -> Decision:
        """Take *event* at *now_s*, attended seconds; *jitter*, 0 to 1, scales a delay.

        Carry out the decision's effects in order. The jitter keeps a thousand apps from rejoining a
        restarted server at the same moment.
        """
        previous, awaited_people = self.state, self.awaits_people
        row = TABLE.get((previous, event))
        if row is None:
            return Decision(previous, previous, (), self.attempt)
        if event in (Event.CONNECT, Event.TOKEN_NEEDED) and previous is AgentState.FAILED:
            self._has_failed = False
        if event in (Event.JOINED, Event.DISCONNECT, Event.NOBODY_THERE):
            self.attempt = 0
            self._has_failed = False
        if event in (Event.STEADY, Event.DISCONNECT, Event.NOBODY_THERE):
            self._delay_s = SHORTEST_DELAY_S
        if event in (Event.STEADY, Event.DISCONNECT, Event.CONNECT):
            self._look_delay_s = SHORTEST_LOOK_S
        if event is Event.IDENTITY_TAKEN:
            self.is_put_out = True
        elif event is Event.IDENTITY_FREE or row.next is not AgentState.BACKOFF:
            self.is_put_out = False
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
        self.awaits_people = event is Event.NOBODY_THERE
        retry_in_s = self._arm(event, retry, now_s, jitter)
        return Decision(
            previous,
            self.state,
            row.does,
            self.attempt,
            retry_in_s,
            is_first_failure,
            (previous, awaited_people) != (self.state, self.awaits_people),
        )

    def due(self, now_s: float) -> Event | None:
        """Return the event that is due at *now_s*, or None. Pass it to `on`."""
        return self._due_event if self.due_s is not None and self.due_s <= now_s else None

    def _arm(self, event: Event, retry: Retry | None, now_s: float, jitter: float) -> float | None:
        retry_in_s: float | None = None
        if retry is Retry.AT_ONCE:
            retry_in_s = 0.0
        elif retry is Retry.LATER:
            retry_in_s = jitter * self._delay_s
            self._delay_s = min(LONGEST_DELAY_S, 2.0 * self._delay_s)
        elif retry is Retry.LOOK_LATER:
            retry_in_s = self._look_delay_s
            self._look_delay_s = min(LONGEST_LOOK_S, 2.0 * self._look_delay_s)
        if retry_in_s is not None:
            due = Event.LOOK if retry is Retry.LOOK_LATER else Event.TIMER
            self.due_s, self._due_event = now_s + retry_in_s, due
        elif self.state is AgentState.RECONNECTING:
            self.due_s, self._due_event = now_s + RECONNECT_WITHIN_S, Event.WATCHDOG
        elif self.state is AgentState.CONNECTED and event is not Event.STEADY:
            self.due_s, self._due_event = now_s + STEADY_S, Event.STEADY
        else:
            self.due_s = None
        return retry_in_s


_ENDINGS: dict[int, Event] = {
    DisconnectReason.ROOM_CLOSED: Event.ROOM_GONE,
    DisconnectReason.ROOM_DELETED: Event.ROOM_GONE,
    DisconnectReason.DUPLICATE_IDENTITY: Event.IDENTITY_TAKEN,
    DisconnectReason.PARTICIPANT_REMOVED: Event.EVICTED,
}

_CLOSINGS = {
    Event.DISCONNECT: CloseReason.AGENT_DISCONNECTED,
    Event.SHUTDOWN: CloseReason.SIDECAR_SHUTDOWN,
    Event.ROOM_GONE: CloseReason.ROOM_CLOSED,
    Event.EVICTED: CloseReason.AGENT_DISCONNECTED,
    Event.IDENTITY_TAKEN: CloseReason.AGENT_DISCONNECTED,
    Event.NOBODY_THERE: CloseReason.AGENT_DISCONNECTED,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """An event, with the facts or the failure behind it."""

    event: Event
    people: tuple[Participant, ...] = ()
    joined: Joined | None = None
    reason: int = 0
    """LiveKit's reason for the end of our Room, or 0."""
    failure: Failure | None = None

    @property
    def words(self) -> str:
        """Return LiveKit's reason if there is one, else the name of the event."""
        if self.reason:
            return reason_name(self.reason)
        return self.event.name.lower().replace("_", "-")


def ending_of(reason: int) -> Event:
    """Return the event for the end of our Room with LiveKit's *reason*.

    UNKNOWN_REASON: the SDK used up its attempts. CLIENT_INITIATED, although the agent did not
    leave: the SDK used up its attempts while signalling worked. The agent retries after both.
    """
    return _ENDINGS.get(reason, Event.LOST)


def closing_of(event: Event) -> CloseReason:
    """Return the close reason of *event*, which closes all sessions."""
    return _CLOSINGS[event]


def refusal_of(cause: Cause) -> SidecarError | None:
    """Return the error for the callers of `connect`; None if the agent joined."""
    if cause.failure is not None:
        return connect_failure(cause.failure)
    if cause.event is Event.SHUTDOWN:
        return ShuttingDown()
    if cause.event is Event.DISCONNECT:
        return NotConnected("A `disconnect` cancelled this `connect`.", "Send `connect` again.")
    return None


def connect_failure(found: Failure) -> ConnectFailed:
    """Build error 1002, with data `{category, detail, fix, retryable}`."""
    return ConnectFailed(
        f"Could not join: {found.detail}",
        found.fix,
        category=found.category.value,
        detail=found.detail,
        retryable=found.retryable,
    )
