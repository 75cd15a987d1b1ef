"""The whole shell under any order of commands, Room events, stale ones and slow ends included.

In virtual time, with Rooms that the test decides. What comes out is held to the law that the fault
matrix is judged by.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.config import Settings
from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import SidecarError
from sidecar.core.contract.failures import Category
from sidecar.core.contract.protocol import NOTIFICATIONS
from sidecar.core.contract.wire import to_wire
from sidecar.core.facts import (
    Fact,
    Joined,
    Left,
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
from tests.livekit.faults.law import Law

IDENTITIES = ("alice", "bob", "cid")
REASONS = st.integers(0, 17)
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
    st.builds(lambda who, why: Left(who.sid, who.identity, why), people, st.none() | REASONS),
    st.just(Reconnecting()),
    crowds.map(Reconnected),
    REASONS.map(RoomEnded),
    st.builds(TextReceived, st.sampled_from(IDENTITIES), st.floats(0, 200)),
)
connects = st.tuples(st.just("connect"), st.sampled_from(["den", "den", "attic"]))
joins = st.tuples(st.just("join"), crowds)
tells = st.tuples(st.sampled_from(["tell", "tell", "tell", "tell stale"]), facts)
passes = st.tuples(st.just("pass"), st.sampled_from([0.1, 1.0, 2.5, 5.0, 16.0, 31.0, 46.0]))
asks = st.tuples(st.sampled_from(["disconnect", "wake", "hold leaves", "let leave"]), st.none())
steps = st.one_of(
    *(tells, tells, tells, passes, passes, connects, joins, asks),
    st.tuples(st.just("list"), crowds),
    st.tuples(st.just("fail"), st.sampled_from(Category)),
    st.tuples(st.just("close session"), st.integers(0, 2)),
)
plays = st.builds(
    lambda *parts: [*parts[:2], *parts[2]],
    connects,
    joins,
    st.lists(steps, min_size=10, max_size=60),
)


class Play:
    """One agent, what is done to it, and the law it is held to."""

    def __init__(self) -> None:
        """An agent that nobody has asked for anything."""
        self.world = World()
        self.law = Law()
        self.law.accept(dict.fromkeys(IDENTITIES, {each.value for each in CloseReason}))
        self.law.accept_reopening(*IDENTITIES)
        self.asked: set[asyncio.Task[object]] = set()
        self._may_leave = True
        self._told = 0

    async def does(self, step: str, with_what: object) -> None:
        """Do one step, let what follows from it happen, and hold it all to the law."""
        agent = self.world.agent
        match step, with_what:
            case "connect", str(room):
                self._ask(agent.connect(Settings(room=room)))
            case "disconnect", _:
                self._ask(agent.disconnect())
            case "wake", _:
                agent.wake()
            case (("hold leaves" | "let leave"), _):
                self._may_leave = step == "let leave"
            case "join", tuple(crowd):
                for room in self._undecided():
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
            params = to_wire(each)
            assert isinstance(params, dict)
            self.law.take(Notification(NOTIFICATIONS[type(each)], params, 0.0))
        self._told = len(told)
        listed = to_wire(self.world.agent.session_list())
        assert isinstance(listed, dict)
        self.law.check_list(listed)
        assert self.world.rooms.most_at_once <= 1
        assert self.law.agent_state == self.world.agent.status().state

    async def ends(self) -> None:
        """All ask for the end; each is answered, and each session closed."""
        await self.does("let leave", None)
        await asyncio.sleep(ANSWERED_WITHIN_S)
        for each in self.asked:
            assert each.done(), f"never answered: {each}"
            error = each.exception()
            assert error is None or isinstance(error, SidecarError), error
        stopping = asyncio.create_task(self.world.agent.stop())
        await turns()
        self.check()
        self.law.check_end()
        await self.does("fail", Category.UNREACHABLE)
        await stopping
        assert not any(room.exists for room in self.world.rooms.made)

    def _ask(self, asking: Coroutine[object, object, object]) -> None:
        self.asked.add(asyncio.ensure_future(asking))

    def _undecided(self) -> list[FakeRoom]:
        made = self.world.rooms.made
        return [room for room in made if room.join_began.is_set() and not room.is_decided]

    def _tell(self, rooms: list[FakeRoom], fact: object) -> None:
        for room in rooms:
            # A Room that was left, or is not joined, tells nothing (see `ports.Room`).
            if room.has_joined and not room.leave_began.is_set():
                assert isinstance(fact, Fact)
                assert not isinstance(fact, Joined)
                room.emit(fact)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1)


@settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plays)
@in_virtual_time
async def test_the_law_is_kept_whatever_is_asked_and_told(play: list[tuple[str, object]]):
    playing = Play()
    for step, with_what in play:
        await playing.does(step, with_what)
    await playing.ends()
