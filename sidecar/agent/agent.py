"""Owns the agent: takes facts, announces changes, carries decisions out, answers who waits.

Does not know JSON, threads or LiveKit's SDK.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from sidecar.agent.announcer import Announcer
from sidecar.agent.connection import Connection
from sidecar.core.agent_state import AgentMachine, Decision, Do, Event
from sidecar.core.changes import Change, Closed, Created, Updated
from sidecar.core.close_reasons import CloseReason
from sidecar.core.config import (
    NO_CAPABILITIES,
    Settings,
    Target,
    has_expired,
    shown_url,
    with_newer_token,
)
from sidecar.core.config import target as resolved
from sidecar.core.errors import ConnectFailure, NotConnected, OtherRoom, ShuttingDown
from sidecar.core.facts import (
    ConnectFailed,
    DisconnectReason,
    Fact,
    Joined,
    Left,
    Participant,
    Reconnected,
    Reconnecting,
    RoomEnded,
    Seen,
    TextReceived,
    reason_name,
)
from sidecar.core.failures import Category, Failure, failure
from sidecar.core.messages import (
    AgentSession,
    AgentState,
    Capabilities,
    Counters,
    SessionList,
    Status,
)
from sidecar.core.ports import Ports
from sidecar.core.sessions import Sessions

ANSWER_WITHIN_S = 15.0
"""A `connect` is answered within this; the attempt itself goes on."""

_log = logging.getLogger("sidecar.agent")

_ENDINGS = {
    DisconnectReason.ROOM_CLOSED: Event.ROOM_GONE,
    DisconnectReason.ROOM_DELETED: Event.ROOM_GONE,
    DisconnectReason.DUPLICATE_IDENTITY: Event.EVICTED,
    DisconnectReason.PARTICIPANT_REMOVED: Event.EVICTED,
}
"""What the end of our Room means; every other reason is LOST."""

_CLOSINGS = {
    Event.DISCONNECT: CloseReason.AGENT_DISCONNECTED,
    Event.SHUTDOWN: CloseReason.SIDECAR_SHUTDOWN,
    Event.ROOM_GONE: CloseReason.ROOM_CLOSED,
    Event.EVICTED: CloseReason.AGENT_DISCONNECTED,
}


@dataclass(frozen=True, slots=True)
class _Cause:
    """What an event of the agent's table came with."""

    event: Event
    people: tuple[Participant, ...] = ()
    joined: Joined | None = None
    reason: int = 0
    failure: Failure | None = None


class ClaraVoiceAgent:
    """One per process: connects to a LiveKit room and keeps a session per person in it."""

    def __init__(self, ports: Ports, settings: Settings) -> None:
        """*settings* are what `connect` falls back on."""
        self._ports = ports
        self._clock = ports.clock
        self._settings = settings
        self._target: Target | None = None
        self._machine = AgentMachine()
        self._sessions = Sessions()
        self._announcer = Announcer(ports.notify, ports.set_up_session, ports.epoch)
        self._connection = Connection(ports.room_factory, ports.api, self.take)
        self._waiters: set[asyncio.Future[Status]] = set()
        self._last_error: Failure | None = None
        self._warnings: list[str] = []
        self._reconnects = 0

    # What is asked of the agent

    @property
    def epoch(self) -> str:
        """A random id of this process."""
        return self._announcer.epoch

    @property
    def sessions(self) -> dict[str, AgentSession]:
        """The open sessions by id; a copy."""
        return {each.session_id: each for each in self._sessions.listed()}

    def session_list(self) -> SessionList:
        """The open sessions, with the seq of the last notification they include."""
        return SessionList(self._sessions.listed(), self._announcer.seq, self._announcer.epoch)

    def session(self, session_id: str) -> AgentSession | None:
        """One open session."""
        return self._sessions.get(session_id)

    async def connect(self, settings: Settings) -> Status:
        """Join the room that *settings*, over what was given before, say.

        Raises:
            InvalidParams: the settings do not come to a target; nothing changed.
            OtherRoom: the agent is elsewhere, or on its way there.
            ConnectFailure: the first attempt failed, or is not decided after 15 s.
            NotConnected: a `disconnect` came first. ShuttingDown: the process ends.
        """
        if self._machine.state is AgentState.STOPPING:
            raise ShuttingDown
        merged = settings.over(self._settings)
        wanted = resolved(merged)
        self._ports.protect(merged.secrets)
        is_under_way = self._machine.state in (
            AgentState.CONNECTING,
            AgentState.CONNECTED,
            AgentState.RECONNECTING,
        )
        if is_under_way and self._target is not None:
            if wanted.place != self._target.place:
                raise OtherRoom(
                    f"The agent is in room {self._target.room!r} already, or on its way there.",
                    "Send `disconnect` first.",
                )
            wanted = with_newer_token(self._target, wanted)
        self._settings, self._target = merged, wanted
        self._warn_of_kind(wanted)
        if self._machine.state in (AgentState.CONNECTED, AgentState.RECONNECTING):
            return self.status()
        waiter: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        self._happen(_Cause(Event.CONNECT))
        await asyncio.wait({waiter}, timeout=ANSWER_WITHIN_S)
        if not waiter.done():
            self._waiters.discard(waiter)
            self._last_error = failure(Category.TIMEOUT, shown_url(wanted.url))
            self._happen(_Cause(Event.ANSWER_LIMIT))
            raise _connect_failure(self._last_error)
        return waiter.result()

    async def disconnect(self) -> Status:
        """Leave the room; comes back without waiting for a connect in flight."""
        self._happen(_Cause(Event.DISCONNECT))
        return self.status()

    async def stop(self) -> None:
        """Close all sessions and leave the room for good; returns when the Room is gone."""
        self._happen(_Cause(Event.SHUTDOWN))
        await self._connection.gone()

    def status(self) -> Status:
        """The state and figures as they are now."""
        target, process = self._target, self._ports.process
        return Status(
            state=self._machine.state,
            room=target.room or None if target else None,
            url=shown_url(target.url) if target else None,
            identity=target.identity if target else None,
            sessions=len(self._sessions),
            seq=self._announcer.seq,
            epoch=self._announcer.epoch,
            uptime_seconds=round(process.uptime_s(), 3),
            attempt=self._machine.attempt,
            warnings=tuple(self._warnings),
            rss_bytes=process.rss_bytes(),
            capabilities=self._capabilities(),
            counters=Counters(
                created=self._announcer.created,
                closed=self._announcer.closed,
                errors=self._announcer.errors,
                reconnects=self._reconnects,
            ),
            versions=process.versions(),
            last_error=self._last_error,
        )

    # Facts of the Room

    def take(self, number: int, fact: Fact) -> None:
        """A fact of Room *number*; those of an earlier Room are dropped."""
        if number != self._machine.room_number:
            return
        at = self._clock.now()
        match fact:
            case Joined():
                self._happen(_Cause(Event.JOINED, people=fact.people, joined=fact))
            case ConnectFailed(category):
                self._happen(self._failed(Category(category)))
            case Reconnecting():
                self._happen(_Cause(Event.RECONNECTING))
            case Reconnected(people):
                self._happen(_Cause(Event.RECONNECTED, people=people))
            case RoomEnded(reason):
                ending = next((e for r, e in _ENDINGS.items() if r == reason), Event.LOST)
                self._happen(_Cause(ending, reason=reason))
            case Seen(person):
                self.on_participant_joined(person)
            case Left():
                self.on_participant_left(fact)
            case TextReceived(identity, opened_s):
                self._announce(self._sessions.text(identity, opened_s, at))

    def on_participant_joined(self, participant: Participant) -> None:
        """A participant joined, became active or changed."""
        self._announce(self._sessions.seen(participant, self._clock.now()))

    def on_participant_left(self, left: Left) -> None:
        """A participant left, as the SDK sees it."""
        self._announce(self._sessions.left(left.sid, left.reason, self._clock.now()))

    def cleanup_session(self, closed: Closed) -> None:
        """Carry out a close, whatever its reason: the line, then the notification."""
        self._announcer.session_closed(closed)

    # Decisions

    def _happen(self, cause: _Cause) -> None:
        now_s = self._clock.now().attended_s
        decision = self._machine.on(cause.event, now_s, self._ports.chance())
        if cause.failure is not None:
            self._last_error = cause.failure
            self._announcer.connect_failed(cause.failure, is_first=Do.CRITICAL in decision.does)
        if decision.state is not decision.previous:
            self._announce_state(decision, cause)
        for what in decision.does:
            self._carry_out(what, decision.room_number, cause)
        self._arm()

    def _carry_out(self, what: Do, room_number: int, cause: _Cause) -> None:
        at = self._clock.now()
        match what:
            case Do.OPEN:
                self._connection.open(room_number, self._current_target)
            case Do.DROP:
                self._connection.drop()
            case Do.SNAPSHOT:
                self._take_snapshot(cause)
            case Do.LINK_LOST:
                self._announce(self._sessions.link_lost(at))
            case Do.ROOM_LOST:
                self._announce(self._sessions.room_lost(cause.reason, at))
            case Do.CLOSE_ALL:
                detail = reason_name(cause.reason) if cause.reason else None
                self._announce(self._sessions.close_all(_CLOSINGS[cause.event], detail, at))
            case Do.ANSWER:
                self._answer(cause)

    def _take_snapshot(self, cause: _Cause) -> None:
        at, joined = self._clock.now(), cause.joined
        if joined is None:
            self._reconnects += 1
            self._announce(self._sessions.snapshot(cause.people, at))
            return
        self._last_error = None
        self._announce(
            self._sessions.snapshot(
                joined.people, at, room_name=joined.room_name, own_identity=joined.own_identity
            )
        )

    def _answer(self, cause: _Cause) -> None:
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if cause.failure is not None:
                waiter.set_exception(_connect_failure(cause.failure))
            elif cause.event is Event.SHUTDOWN:
                waiter.set_exception(ShuttingDown())
            elif cause.event is Event.DISCONNECT:
                waiter.set_exception(
                    NotConnected("A `disconnect` came before the join.", "Send `connect` again.")
                )
            else:
                waiter.set_result(self.status())

    def _announce_state(self, decision: Decision, cause: _Cause) -> None:
        retry_in_s = decision.retry_in_s
        reason = cause.event.name.lower().replace("_", "-")
        if cause.event is Event.EVICTED and self._target is not None:
            warning = (
                f"Another participant took the identity {self._target.identity!r}, or removed"
                " this agent from the room; give each agent an identity of its own."
            )
            self._warn(warning)
        self._announcer.agent_state_changed(
            decision.state,
            decision.previous,
            self._capabilities(),
            reason=reason_name(cause.reason) if cause.reason else reason,
            error=cause.failure,
            attempt=decision.attempt or None,
            retry_in_ms=None if retry_in_s is None else round(retry_in_s * 1000),
        )

    def _announce(self, changes: Iterable[Change]) -> None:
        failed: set[str] = set()
        for change in changes:
            session_id = change.session.session_id
            if session_id in failed:
                continue
            if isinstance(change, Created):
                if not self._announcer.session_created(change.session):
                    failed.add(session_id)
                    self._sessions.creation_failed(session_id)
            elif isinstance(change, Updated):
                self._announcer.session_updated(change)
            else:
                self.cleanup_session(change)
        self._arm()

    # Time

    def _arm(self) -> None:
        deadlines = (self._machine.deadline(), self._sessions.deadline())
        self._clock.wake_at(min((d for d in deadlines if d is not None), default=None), self._wake)

    def _wake(self) -> None:
        at = self._clock.now()
        event = self._machine.due(at.attended_s)
        if event is not None:
            self._happen(_Cause(event))
        self._announce(self._sessions.expire(at))

    # What follows from the target

    def _current_target(self) -> Target:
        if self._target is None:
            raise RuntimeError("a Room is opened only for a target")
        return self._target

    def _failed(self, category: Category) -> _Cause:
        target = self._current_target()
        found = failure(category, shown_url(target.url))
        claims, now_s = target.claims, self._clock.now().wall_ms / 1000
        if found.retryable:
            event = Event.FAILED
        elif claims is not None and has_expired(claims, now_s):
            event = Event.TOKEN_EXPIRED
        else:
            event = Event.REFUSED
        return _Cause(event, failure=found)

    def _capabilities(self) -> Capabilities:
        if self._target is None:
            return NO_CAPABILITIES
        return self._target.capabilities(self._clock.now().wall_ms / 1000)

    def _warn_of_kind(self, target: Target) -> None:
        claims = target.claims
        if claims is not None and claims.kind != "agent":
            self._warn(
                "The agent's token is not of kind `agent`: the room stays open for it alone, and"
                " others see it as a person. Issue it with kind `agent`."
            )

    def _warn(self, warning: str) -> None:
        if warning not in self._warnings:
            self._warnings.append(warning)
            _log.warning(warning)


def _connect_failure(found: Failure) -> ConnectFailure:
    return ConnectFailure(
        f"Could not join: {found.detail}",
        found.fix,
        category=found.category.value,
        detail=found.detail,
        retryable=found.retryable,
    )
