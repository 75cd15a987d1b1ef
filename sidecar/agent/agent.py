"""Owns the agent: takes facts, announces changes, carries out decisions, answers callers.

Does not know JSON, threads or LiveKit's SDK.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import assert_never

from sidecar.agent.announcer import Announcer
from sidecar.agent.arrivals import Arrivals
from sidecar.agent.destination import Destination
from sidecar.agent.identity_look import IdentityLook
from sidecar.agent.people_look import PeopleLook
from sidecar.agent.reconciler import Reconciler
from sidecar.agent.removals import Removals
from sidecar.agent.room_life import RoomLife, Waiters
from sidecar.agent.tokens import Tokens
from sidecar.agent.wakes import Wakes
from sidecar.core.agent_state import (
    AgentMachine,
    Cause,
    Decision,
    Do,
    Event,
    closing_of,
    connect_failure,
    ending_of,
    refusal_of,
)
from sidecar.core.attendance import Attendance
from sidecar.core.config import Settings, shown_url
from sidecar.core.contract.errors import (
    InvalidParams,
    InvalidRequest,
    OtherRoom,
    ShuttingDown,
    UnknownSession,
)
from sidecar.core.contract.failures import (
    Category,
    Failure,
    earlier_attempt,
    failure,
    no_token_yet,
)
from sidecar.core.contract.messages import (
    AgentSession,
    AgentState,
    ClosedSessionList,
    ClosedSessionsParams,
    ConnectionDetails,
    ConnectionParams,
    Diagnosis,
    ListParams,
    SessionList,
    Status,
)
from sidecar.core.contract.wire import EncodedJson
from sidecar.core.facts import (
    Audible,
    Fact,
    Joined,
    JoinFailed,
    Left,
    MessagesDropped,
    Overgrown,
    Participant,
    Reconnected,
    Reconnecting,
    RoomEnded,
    Seen,
    TextReceived,
    reason_name,
)
from sidecar.core.ports import Ports
from sidecar.core.registry.changes import Change, Closed, Updated
from sidecar.core.registry.closed_sessions import ClosedSessions
from sidecar.core.registry.deadlines import earliest
from sidecar.core.registry.pages import page
from sidecar.core.registry.resumption import Inheritance
from sidecar.core.registry.sessions import Sessions

_log = logging.getLogger("sidecar.agent")

TRY_AGAIN_AFTER_S = 1.0
"""Delay after a deadline that failed because of a bug. Without it the deadline would fail in a
tight loop."""
ANSWER_WITHIN_S = 15.0
"""`connect` answers within this time. The attempt itself continues afterwards."""
FREED_EVERY_MS = 60_000
"""Milliseconds between two joins that free the memory of a Room."""
CLOSES_A_TURN = 25
"""Closes in one turn of the loop, about 1 ms; then requests are answered. A number, since the clock
of Windows has steps of 15 ms."""


class ClaraVoiceAgent:
    """Joins a LiveKit room and keeps a session for each human in it. Make one per process."""

    def __init__(self, ports: Ports, settings: Settings) -> None:
        """Start idle; *settings* are the defaults of `connect`."""
        self._ports = ports
        self._clock = ports.clock
        self._destination = Destination(settings, ports)
        self._machine = AgentMachine()
        self._sessions = Sessions(counts_outages=bool(ports.followers))
        self._announcer = Announcer(ports.notify, ports.followers, ports.epoch)
        self._removals = Removals(
            self._sessions, self._destination, ports.api, ports.clock, self._announce
        )
        self._reconciler = Reconciler(
            self._sessions.comparison,
            self._destination,
            ports.api,
            ports.clock,
            self._announce,
            lambda: self._happen(Cause(Event.DEAF)),
        )
        self._arrivals = Arrivals(self._destination, ports.api, self._sessions.of_identity)
        self._room = RoomLife(ports.room_factory, ports.api, self.take)
        self._tokens = Tokens(self._destination, ports, self._happen, self._sessions.of_identity)
        self._identity_look = IdentityLook(self._destination, ports.api, self._happen)
        self._closed_sessions = ClosedSessions()
        self._attendance = Attendance()
        self._people_look = PeopleLook(
            self._sessions.comparison, self._destination, ports.api, self._person_found
        )
        self._wakes = Wakes(self._wake)
        self._waiters = Waiters()
        self._last_error: Failure | None = None
        self._freed_ms: int | None = None
        """When the agent last joined anew to free memory, on the steady clock."""
        self._rest: Iterator[Change] | None = None
        """The changes that later turns of the loop make and announce."""

    # Requests

    @property
    def epoch(self) -> str:
        """Return the random id of this process."""
        return self._announcer.epoch

    @property
    def sessions(self) -> dict[str, AgentSession]:
        """Return a copy of the open sessions, by session id."""
        return {each.session_id: each for each in self._sessions.listed()}

    def session_list(self, params: ListParams | None = None) -> SessionList:
        """Return a page of the open sessions, and the seq of the last notification they include.

        Raises:
            InvalidParams: `after` is no `next` of an earlier answer, or `limit` is not positive.
        """
        after, limit = (None, None) if params is None else (params.after, params.limit)
        if after is not None and not (after.isascii() and after.isdigit() and len(after) <= 15):
            raise InvalidParams(
                "Invalid params: params.after is no `next` of an earlier answer.",
                "Leave `after` out to begin anew.",
            )
        if limit is not None and limit < 1:
            raise InvalidParams("Invalid params: params.limit must be at least 1.", "Correct it.")
        numbered = self._sessions.numbered(int(after or 0))
        sessions, last = page(numbered, limit, self._ports.size_bytes)
        next_page = None if last is None else str(last)
        return SessionList(sessions, self._announcer.seq, self._announcer.epoch, next_page)

    def closed_sessions(self, params: ClosedSessionsParams) -> ClosedSessionList:
        """Return a page of the last 256 closed sessions; see `ClosedSessions.page`.

        Raises:
            InvalidParams: after or limit is out of range.
        """
        return self._closed_sessions.page(params, self._ports.size_bytes)

    def session(self, session_id: str) -> AgentSession:
        """Return the open session with this id.

        Raises:
            UnknownSession: no open session has this id.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise UnknownSession
        return session

    async def connect(self, settings: Settings) -> Status:
        """Join a room. *settings* override the earlier settings, member by member.

        With `settings.switch`, an agent in another room leaves that room first, as by `disconnect`.
        With `join` needed and no person in the room, the agent stays out until one comes.
        Returns when the first attempt has succeeded, or when the agent stays out. After
        ConnectFailed the agent may still be trying: read `status`.

        Raises:
            InvalidParams: a setting is missing or invalid; nothing changed.
            OtherRoom: the agent is in another room, or is joining it; nothing changed.
            ConnectFailed: the first attempt failed, or took longer than 15 s.
            NotConnected: a `disconnect` came before the join.
            ShuttingDown: the process is shutting down.
        """
        if self._machine.state is AgentState.STOPPING:
            raise ShuttingDown
        take = self._destination.take_settings
        try:
            is_other_room = take(settings, is_under_way=self._machine.is_under_way)
        except OtherRoom:
            if not settings.switch:
                raise
            self._happen(Cause(Event.DISCONNECT))
            is_other_room = take(settings, is_under_way=False)
        if is_other_room:
            self._attendance = Attendance()
        if self._machine.is_in_room:
            self._arm()  # `join` and `leaveAfterMs` count at once
            return self.status()
        if len(self._sessions):
            self._attendance.is_person_there = True  # sessions of an earlier process
        waiter = self._waiters.add()
        self._happen(Cause(self._joining(Event.CONNECT)))
        try:
            async with self._clock.within(ANSWER_WITHIN_S):
                return await waiter
        except TimeoutError:
            if self._machine.state is AgentState.WAITING_FOR_TOKEN:
                self._last_error = no_token_yet(ANSWER_WITHIN_S)
            else:
                url = shown_url(self._destination.required().url)
                earlier = self._room.earlier_url
                self._last_error = (
                    failure(Category.TIMEOUT, url)
                    if earlier is None
                    else earlier_attempt(url, shown_url(earlier))
                )
            raise connect_failure(self._last_error) from None

    async def disconnect(self) -> Status:
        """Close all sessions and leave the room. Does not wait for a connect in flight."""
        self._happen(Cause(Event.DISCONNECT))
        while self._rest is not None:  # noqa: ASYNC110 - sleeps for one turn of the closes
            await asyncio.sleep(0)
        return self.status()

    async def close_session(self, session_id: str) -> AgentSession:
        """Remove a participant from the room; see `Removals.close`."""
        return await self._removals.close(session_id)

    async def create_connection(
        self, params: ConnectionParams, generated_identity: str
    ) -> ConnectionDetails:
        """Make a token for a page; see `Tokens.connection`."""
        details = await self._tokens.connection(params, generated_identity)
        if self._sessions.of_identity(details.identity) is None:
            now_s = self._clock.tick().attended_s
            is_list_known = self._destination.may_list
            self._attendance.expect(details.identity, now_s, is_list_known=is_list_known)
        if self._machine.state is AgentState.CONNECTED:
            self._arrivals.expect(details.identity)
        self._join_if_needed()
        self._arm()
        return details

    async def diagnose(self) -> Diagnosis:
        """Check why the agent cannot join its room; see `Destination.diagnose`."""
        return await self._destination.diagnose(
            self._machine.state, self._last_error, awaits_people=self._machine.awaits_people
        )

    def wake(self) -> None:
        """Try to join, or compare the sessions, now. Call when system or network is back.

        Of many calls, the first counts at once, and then one each second.
        """
        self._wakes.ask()

    def _wake(self) -> None:
        if self._machine.state in (AgentState.BACKOFF, AgentState.WAITING_FOR_TOKEN):
            is_put_out = self._machine.is_put_out
            self._happen(Cause(Event.LOOK if is_put_out else self._joining(Event.WAKE)))
        if self._machine.state is AgentState.CONNECTED:
            self._reconciler.start()
        if self._machine.awaits_people:
            self._people_look.start()

    def resume(self, inherited: Inheritance) -> None:
        """Continue the sessions of an earlier process. Call before the first `connect`.

        Raises:
            InvalidRequest: this process has created sessions already, or is in a room.
        """
        if not self._sessions.resume(inherited, self._clock.tick()):
            raise InvalidRequest(
                "Sessions can be resumed only before the first one is created.",
                "Send `initialize` with `resume` first, and start the sidecar with --wait.",
            )
        for session in self._sessions.listed():
            messages = inherited.conversations.get(session.session_id, ())
            self._announcer.session_resumed(session, messages)
        self._arm()

    async def stop(self) -> None:
        """Close all sessions, leave the room and take no more requests.

        Returns when the Room is gone.
        """
        self._happen(Cause(Event.SHUTDOWN))
        self._announce_rest()
        await self._room.gone()

    def status(self) -> Status:
        """Return the agent's current state and counters."""
        target, process = self._destination.target, self._ports.process
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
            warnings=tuple(self._destination.warnings),
            rss_bytes=process.rss_bytes(),
            capabilities=self._destination.capabilities(),
            counters=self._announcer.counters(),
            versions=process.versions(),
            last_error=self._last_error,
            reason=self._announcer.reason,
        )

    # Facts of the Room

    def take(self, fact: Fact) -> None:
        """Take a fact from the current Room."""
        if self._rest is not None:
            self._announce_rest()
        match fact:
            case Joined():
                self._sessions.joined(fact, self._clock.tick())
                self._happen(Cause(Event.JOINED, people=fact.people, joined=fact))
            case JoinFailed():
                event, found = self._destination.take_failure(fact)
                self._happen(Cause(event, failure=found))
            case Reconnecting():
                self._happen(Cause(Event.RECONNECTING))
            case Reconnected(people):
                self._happen(Cause(Event.RECONNECTED, people=people))
            case RoomEnded(reason):
                event, put_out = self._destination.put_out(ending_of(reason))
                self._happen(Cause(event, reason=reason, failure=put_out))
            case Seen(person):
                self.on_participant_joined(person)
            case Left():
                self.on_participant_left(fact)
            case MessagesDropped():
                self._announcer.messages_dropped(fact, self._clock.tick().steady_ms)
            case Overgrown():
                self._join_anew()
            case Audible():
                self._announce(self._sessions.audible(fact, self._clock.tick()))
            case TextReceived(identity, opened_s):
                self._announce(self._sessions.text(identity, opened_s, self._clock.tick()))

    def on_participant_joined(self, participant: Participant) -> None:
        """Take a participant that joined, became active or changed."""
        self._announce(self._sessions.seen(participant, self._clock.tick()))

    def on_participant_left(self, left: Left) -> None:
        """Take the SDK's report that a participant left; compare soon, since it may be wrong."""
        self._announce(self._sessions.left(left.sid, left.reason, self._clock.tick()))
        self._reconciler.check_soon()

    def cleanup_session(self, closed: Closed) -> None:
        """Log and announce a closed session, then answer its `closeSession`."""
        self._attendance.left(closed.session.participant_id)
        self._announcer.session_closed(closed)
        self._closed_sessions.add(closed)
        self._removals.closed(closed)

    # For the voice plug-ins

    def add_messages(self, session_id: str, count: int) -> None:
        """Add *count* to the session's messageCount, unless it is closed."""
        self._announce(self._sessions.say(session_id, self._clock.tick(), new_messages=count))

    def set_context(self, session_id: str, context: EncodedJson) -> None:
        """Set the session's `context`, unless it is closed; null removes it."""
        self._announce(self._sessions.say(session_id, self._clock.tick(), context=context))

    # Decisions

    def _join_anew(self) -> None:
        """Join anew, to free the Room's memory; at most once in FREED_EVERY_MS."""
        now_ms = self._clock.tick().steady_ms
        if self._freed_ms is None or now_ms >= self._freed_ms + FREED_EVERY_MS:
            self._freed_ms = now_ms
            _log.warning("The memory of the Room has grown too much; the agent joins anew.")
            self._happen(Cause(Event.OVERGROWN))

    def _happen(self, cause: Cause) -> None:
        self._announce_rest()
        at = self._clock.tick()
        decision = self._machine.on(cause.event, at.attended_s, self._ports.chance())
        if decision.is_change:
            if decision.previous is AgentState.CONNECTED:
                self._attendance.is_person_there = len(self._sessions) > 0
            self._reconciler.stop()
            self._arrivals.stop()
            self._tokens.stop()
            self._identity_look.stop()
            self._people_look.stop()
        if decision.is_change or decision.retry_in_s is not None:
            capabilities = self._destination.capabilities()
            ahead_ms = self._sessions.server_ahead_ms(at)
            self._announcer.agent_state_changed(decision, cause, capabilities, ahead_ms)
        for what in decision.does:
            self._carry_out(what, decision, cause)
        self._arm()

    def _joining(self, event: Event) -> Event:
        """Return the event to handle in place of *event*, which asks for a join.

        TOKEN_NEEDED if the agent needs a token first. NOBODY_THERE if the agent joins only when
        needed, no person is in the room, and the agent may read the server's list.
        """
        if self._destination.is_join_on_need and self._destination.may_list:
            if not self._attendance.is_needed(self._clock.tick().attended_s):
                return Event.NOBODY_THERE
        return Event.TOKEN_NEEDED if self._destination.needs_token else event

    def _person_found(self) -> None:
        self._attendance.is_person_there = True
        self._join_if_needed()

    def _join_if_needed(self) -> None:
        if self._machine.awaits_people:
            self._happen(Cause(self._joining(Event.NEEDED)))

    def _carry_out(self, what: Do, decision: Decision, cause: Cause) -> None:
        at = self._clock.tick()
        match what:
            case Do.OPEN:
                self._room.open(self._destination.joins)
            case Do.ASK:
                self._tokens.ask()
            case Do.DROP:
                self._room.drop()
            case Do.SNAPSHOT:
                self._take_snapshot(cause)
            case Do.LINK_LOST:
                self._announce(self._sessions.link_lost(cause.reason, at))
            case Do.CLOSE_ALL:
                detail = reason_name(cause.reason) if cause.reason else None
                closes = self._sessions.close_all(closing_of(cause.event), detail, at)
                self._announce_in_turns(closes)
                self._attendance.is_person_there = False
            case Do.POLL:
                self._reconciler.start()
            case Do.LOOK:
                self._identity_look.start()
            case Do.AWAIT_PEOPLE:
                self._people_look.start()
            case Do.LOG_FAILURE:
                self._log_failure(cause, decision)
            case Do.ANSWER:
                self._answer(cause)
            case _:
                assert_never(what)

    def _take_snapshot(self, cause: Cause) -> None:
        joined = cause.joined
        if joined is not None:
            self._last_error = None
            self._destination.has_joined(joined.granted)
            url = shown_url(self._destination.required().url)
            self._announcer.joined(joined.room_name, url, joined.own_identity)
        at = self._clock.tick()
        self._announce(self._sessions.snapshot(cause.people, at))
        for identity in self._attendance.expected(at.attended_s):
            if self._sessions.of_identity(identity) is None:
                self._arrivals.expect(identity)

    def _log_failure(self, cause: Cause, decision: Decision) -> None:
        if cause.failure is None:
            raise RuntimeError("a failed join must have its failure")
        self._last_error = cause.failure
        self._announcer.failed(cause.failure, cause, decision)

    def _answer(self, cause: Cause) -> None:
        if (refusal := refusal_of(cause)) is None:
            self._waiters.answer(self.status())
        else:
            self._waiters.refuse(refusal)

    def _announce(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if isinstance(change, Closed):
                self.cleanup_session(change)
            elif isinstance(change, Updated):
                self._announcer.session_updated(change)
            else:
                self._announcer.session_created(change.session)
        self._arm()

    def _announce_in_turns(self, changes: Iterator[Change]) -> None:
        """Make and announce 25 of *changes*; later turns of the loop take the rest.

        The sessions are at all times as they were announced. A fact or an event that comes before
        the end waits for the rest: see `_announce_rest`.
        """
        self._rest = changes
        self._take_turn()

    def _take_turn(self) -> None:
        rest = self._rest
        if rest is None:
            return
        # Asks for the next turn first: so a bug in one change does not end the turns.
        asyncio.get_running_loop().call_soon(self._take_turn)
        first = next(rest, None)
        if first is None:
            self._rest = None
            self._arm()
        else:
            self._announce(chain((first,), islice(rest, CLOSES_A_TURN - 1)))

    def _announce_rest(self) -> None:
        """Make and announce now the changes that later turns of the loop would make."""
        rest, self._rest = self._rest, None
        if rest is not None:
            self._announce(rest)

    # Time

    def _arm(self) -> None:
        leave_at_s = None
        if self._machine.state is not AgentState.CONNECTED or len(self._sessions):
            self._attendance.empty_since_s = None
        else:
            if self._attendance.empty_since_s is None:
                self._attendance.empty_since_s = self._clock.tick().attended_s
            leave_at_s = self._leave_at_s()
        # The rest, if any, closes in turns what is due already; the last turn arms the timer again.
        sessions_due_s = self._sessions.deadline() if self._rest is None else None
        due_s = earliest(leave_at_s, self._machine.due_s, sessions_due_s)
        self._clock.call_at(due_s, self._carry_out_what_is_due)

    def _leave_at_s(self) -> float | None:
        """Return when the agent leaves its empty room, in attended seconds; None: it stays."""
        if self._attendance.empty_since_s is None or not self._destination.is_join_on_need:
            return None
        return self._attendance.leave_at_s(self._destination.required().leave_after_s)

    def _carry_out_what_is_due(self) -> None:
        at = self._clock.tick()
        try:
            if (event := self._machine.due(at.attended_s)) is not None:
                self._happen(Cause(self._joining(event) if event is Event.TIMER else event))
            self._announce_rest()
            self._announce_in_turns(self._sessions.expire(at))
            leave_at_s = self._leave_at_s()
            if leave_at_s is not None and leave_at_s <= at.attended_s:
                self._happen(Cause(Event.NOBODY_THERE))
        except Exception:
            _log.exception("A timer failed because of a bug.")
            self._clock.call_at(at.attended_s + TRY_AGAIN_AFTER_S, self._carry_out_what_is_due)
