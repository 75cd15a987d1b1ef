"""The whole shell under any order of commands, Room events, stale ones and slow ends included.

In virtual time, with Rooms that the test decides. What comes out is held to the law that the fault
matrix is judged by.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.config import Settings
from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import SidecarError
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import (
    AgentSession,
    AgentState,
    AgentStateChanged,
    ConnectionParams,
    SessionClosed,
    SessionCreated,
)
from sidecar.core.contract.messages import Notification as AnyNotification
from sidecar.core.contract.protocol import NOTIFICATIONS
from sidecar.core.facts import (
    Fact,
    Joined,
    Left,
    Listed,
    ParticipantState,
    Reconnected,
    Reconnecting,
    RoomEnded,
    Seen,
    TextReceived,
)
from sidecar.dev.stdio_client import Notification
from tests.agent.fakes import FakeRoom, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import someone
from tests.core.registry_model import REASONS
from tests.livekit.faults.law import Law
from tests.written import written

IDENTITIES = ("alice", "bob", "cid")
Join = Literal["always", "needed"]
numbers = st.integers(0, 17)
ANSWERED_WITHIN_S = 16.0
"""A `connect` is answered within 15 s; the rest is ticks."""

people = st.builds(
    lambda identity, stay, state: someone(identity, f"PA_{identity}{stay}", state),
    st.sampled_from(IDENTITIES),
    st.integers(0, 2),
    st.sampled_from([ParticipantState.ACTIVE, *ParticipantState]),
)
# The SDK has at most one participant of an identity.
crowds = st.lists(people, max_size=3, unique_by=lambda each: each.identity).map(tuple)
facts = st.one_of(
    people.map(Seen),
    st.builds(lambda who, why: Left(who.sid, who.identity, why), people, st.none() | numbers),
    st.just(Reconnecting()),
    crowds.map(Reconnected),
    numbers.map(RoomEnded),
    st.builds(TextReceived, st.sampled_from(IDENTITIES), st.floats(0, 200)),
)
connects = st.tuples(
    st.sampled_from(["connect", "connect", "connect when needed"]),
    st.sampled_from(["den", "den", "attic"]),
)
joins = st.tuples(st.just("join"), crowds)
tells = st.tuples(st.sampled_from(["tell", "tell", "tell", "tell stale"]), facts)
passes = st.tuples(st.just("pass"), st.sampled_from([0.1, 1.0, 2.5, 5.0, 16.0, 31.0, 46.0]))
asks = st.tuples(st.sampled_from(["disconnect", "wake", "hold leaves", "let leave"]), st.none())
steps = st.one_of(
    *(tells, tells, tells, passes, passes, connects, joins, asks),
    st.tuples(st.just("list"), crowds),
    st.tuples(st.just("give a token"), st.sampled_from(IDENTITIES)),
    st.tuples(st.just("fail"), st.sampled_from(Category)),
    st.tuples(st.just("close session"), st.integers(0, 2)),
)
plays = st.builds(
    lambda *parts: [*parts[:2], *parts[2]],
    connects,
    joins,
    st.lists(steps, min_size=10, max_size=60),
)


class Reasons:
    """Which close reasons are true of each open sid, by what was done and told since it opened.

    More than one can be: which of them it is depends on what comes first.
    """

    def __init__(self) -> None:
        """No session is open."""
        self._identities: dict[str, str] = {}
        self._true: dict[str, set[CloseReason]] = {}

    def opened(self, session: AgentSession) -> None:
        """A session was announced."""
        self._identities[session.participant_sid] = session.participant_id
        self._true[session.participant_sid] = set()

    def closed(self, sid: str, reason: CloseReason) -> None:
        """A session closed: its reason is held against what happened."""
        assert reason in self._true[sid], f"{sid} closed {reason}, and {self._true[sid]} is true"
        del self._true[sid], self._identities[sid]

    def may_be(self, *reasons: CloseReason, sid: str | None = None) -> None:
        """From now on these are true, of one open sid or of all."""
        for each in [sid] if sid else list(self._true):
            self._true.get(each, set()).update(reasons)

    def told(self, fact: Fact) -> None:
        """The Room that counts says *fact*."""
        match fact:
            case Left(sid, _, None | 0):
                self.may_be(CloseReason.LEFT, sid=sid)
            case Left(sid, _, int(number)):
                why = REASONS.get(number, ("left", "left"))
                self.may_be(*map(CloseReason, why), sid=sid)
            case Seen(person):
                self._shown(person.identity, person.sid)
            case Joined(_, _, crowd) | Reconnected(crowd):
                here = {each.sid for each in crowd}
                for each in crowd:
                    self._shown(each.identity, each.sid)
                for sid in self._true.keys() - here:
                    self.may_be(CloseReason.LEFT_DURING_RECONNECT, sid=sid)
                gone = [each for each in crowd if each.state is ParticipantState.DISCONNECTED]
                for each in gone:
                    self.may_be(CloseReason.LEFT_DURING_RECONNECT, sid=each.sid)
            case RoomEnded(3):
                self.may_be(CloseReason.SERVER_SHUTDOWN)
            case RoomEnded(5 | 10):
                self.may_be(CloseReason.ROOM_CLOSED)
            case RoomEnded(2 | 4):
                self.may_be(CloseReason.AGENT_DISCONNECTED)

    def listed(self, listed: Iterable[Listed]) -> None:
        """What the server's list says, from now on."""
        there = {each.sid for each in listed if each.state is not ParticipantState.DISCONNECTED}
        for sid in self._true.keys() - there:
            self.may_be(CloseReason.LEFT, sid=sid)

    def removal_asked(self, session: AgentSession, listed: Iterable[Listed]) -> None:
        """`closeSession` was called."""
        sid, identity = session.participant_sid, session.participant_id
        self.may_be(CloseReason.REMOVED, sid=sid)
        if any(each.identity == identity and each.sid != sid for each in listed):
            self.may_be(CloseReason.REPLACED, sid=sid)

    def _shown(self, identity: str, sid: str) -> None:
        for other, whose in self._identities.items():
            if whose == identity and other != sid:
                self.may_be(CloseReason.REPLACED, sid=other)


class Play:
    """One agent, what is done to it, and the law it is held to."""

    def __init__(self) -> None:
        """An agent that nobody has asked for anything."""
        self.world = World()
        self.law = Law()
        self.law.accept(dict.fromkeys(IDENTITIES, {each.value for each in CloseReason}))
        self.law.accept_reopening(*IDENTITIES)
        self.reasons = Reasons()
        self.asked: set[asyncio.Task[object]] = set()
        self._may_leave = True
        self._told = 0

    async def does(self, step: str, with_what: object) -> None:
        """Do one step, let what follows from it happen, and hold it all to the law."""
        agent = self.world.agent
        match step, with_what:
            case (("connect" | "connect when needed"), str(room)):
                if room != agent.status().room:
                    self.reasons.may_be(CloseReason.AGENT_DISCONNECTED)
                join: Join = "always" if step == "connect" else "needed"
                self._ask(agent.connect(Settings(room=room, join=join)))
            case "give a token", str(identity):
                params = ConnectionParams(identity=identity)
                self._ask(agent.create_connection(params, "person-1"))
            case "disconnect", _:
                self.reasons.may_be(CloseReason.AGENT_DISCONNECTED)
                self._ask(agent.disconnect())
            case "wake", _:
                agent.wake()
            case (("hold leaves" | "let leave"), _):
                self._may_leave = step == "let leave"
            case "join", tuple(crowd):
                for room in self._undecided():
                    self.reasons.told(Joined("den", "clara", crowd))
                    await room.joins(*crowd)
            case "fail", Category() as category:
                for room in self._undecided():
                    await room.fails(category)
            case "tell", fact:
                self._tell(self.world.rooms.made[-1:], fact)
            case "tell stale", fact:
                self._tell(self.world.rooms.made[:-1], fact)
            case "list", tuple(crowd):
                self.world.api.lists_only(*crowd)
            case "close session", int(number):
                for session_id in list(agent.sessions)[number : number + 1]:
                    listed = self.world.api.listed
                    self.reasons.removal_asked(agent.sessions[session_id], listed)
                    self._ask(agent.close_session(session_id))
            case "pass", float(seconds):
                await asyncio.sleep(seconds)
        for room in self.world.rooms.made:
            (room.may_leave.set if self._may_leave else room.may_leave.clear)()
        await turns()
        self.check()

    def check(self) -> None:
        """The law, the list, and that there is one Room at most."""
        told = self.world.notify.notifications
        for each in told[self._told :]:
            self._note(each)
            params = written(each)
            assert isinstance(params, dict)
            self.law.take(Notification(NOTIFICATIONS[type(each)], params, 0.0))
        self._told = len(told)
        self.reasons.listed(self.world.api.listed)
        listed = written(self.world.agent.session_list())
        assert isinstance(listed, dict)
        self.law.check_list(listed)
        assert self.world.rooms.most_at_once <= 1
        status = self.world.agent.status()
        assert self.law.agent_state == status.state
        if status.reason == "nobody-there":
            assert (status.state, status.sessions) == (AgentState.IDLE, 0)

    async def ends(self) -> None:
        """All ask for the end; each is answered, and each session closed."""
        await self.does("let leave", None)
        await asyncio.sleep(ANSWERED_WITHIN_S)
        for each in self.asked:
            assert each.done(), f"never answered: {each}"
            error = each.exception()
            assert error is None or isinstance(error, SidecarError), error
        self.reasons.may_be(CloseReason.SIDECAR_SHUTDOWN)
        stopping = asyncio.create_task(self.world.agent.stop())
        await turns()
        self.check()
        self.law.check_end()
        await self.does("fail", Category.UNREACHABLE)
        await stopping
        assert not any(room.exists for room in self.world.rooms.made)

    def _ask(self, asking: Coroutine[object, object, object]) -> None:
        self.asked.add(asyncio.ensure_future(asking))

    def _note(self, told: AnyNotification) -> None:
        match told:
            case SessionCreated(session):
                self.reasons.opened(session)
            case SessionClosed(session, reason):
                self.reasons.closed(session.participant_sid, reason)
            case AgentStateChanged(state) if state is not AgentState.CONNECTED:
                self.reasons.may_be(CloseReason.CONNECTION_LOST)

    def _undecided(self) -> list[FakeRoom]:
        made = self.world.rooms.made
        return [room for room in made if room.join_began.is_set() and not room.is_decided]

    def _tell(self, rooms: list[FakeRoom], fact: object) -> None:
        for room in rooms:
            # A Room that was left, or is not joined, tells nothing (see `ports.Room`).
            if room.has_joined and not room.leave_began.is_set():
                assert isinstance(fact, Fact)
                assert not isinstance(fact, Joined)
                if room is self.world.rooms.made[-1]:
                    self.reasons.told(fact)
                room.emit(fact)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(plays)
@in_virtual_time
async def test_the_law_is_kept_whatever_is_asked_and_told(play: list[tuple[str, object]]):
    playing = Play()
    for step, with_what in play:
        await playing.does(step, with_what)
    await playing.ends()
