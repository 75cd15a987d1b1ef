"""A client that gives tokens, under any order of commands, answers, refusals and lost Rooms."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.config import Settings
from sidecar.core.contract.errors import SidecarError
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import AgentState
from sidecar.core.facts import RoomEnded
from tests.agent.fakes import START_MS, FakeRoom, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.tokens import agent_claims, token

NOW_S = START_MS // 1000
ROOMS = ("den", "attic")
ANSWERED_WITHIN_S = 16.0
"""A `connect` is answered within 15 s; the rest is ticks."""
LONG_S = 120.0
"""Longer than any pause of the agent."""

steps = st.one_of(
    st.tuples(st.just("connect"), st.sampled_from(ROOMS)),
    st.tuples(st.just("connect by token"), st.sampled_from([10, 60, 6_000])),
    st.tuples(st.just("give"), st.sampled_from([-5, 10, 60, 6_000])),
    st.tuples(st.just("give for"), st.sampled_from(ROOMS)),
    st.tuples(st.sampled_from(["fail", "wake", "disconnect", "join"]), st.none()),
    st.tuples(st.just("refuse"), st.sampled_from(Category)),
    st.tuples(st.just("lose"), st.sampled_from([0, 2, 3, 4, 5, 10])),
    st.tuples(st.just("pass"), st.sampled_from([0.5, 5.0, 20.0, 40.0])),
)


def token_for(room: str, expires_in_s: float) -> str:
    """A token for the agent, as of second 0."""
    video = {"room": room, "roomJoin": True}
    return token(agent_claims(exp=NOW_S + expires_in_s, video=video))


class Play:
    """One agent, its client and its server, all played."""

    def __init__(self) -> None:
        """An agent that nobody has asked for anything."""
        self.world = World(Settings(url=URL, room="den", identity="clara"))
        self.world.client.gives_tokens = True
        self.asked: set[asyncio.Task[object]] = set()

    async def does(self, step: str, with_what: object) -> None:
        """Do one step, and let what follows from it happen."""
        world, client = self.world, self.world.client
        room_name = world.agent.status().room or "den"
        match step, with_what:
            case "connect", str(room):
                self._connect(Settings(room=room))
            case "connect by token", int(seconds):
                self._connect(Settings(token=token_for(room_name, self._in(seconds))))
            case "give", int(seconds) if client.is_asked:
                wanted = client.asked[-1].room
                await client.gives(token_for(wanted, self._in(seconds)))
            case "give for", str(room) if client.is_asked:
                await client.gives(token_for(room, self._in(60)))
            case "fail", _ if client.is_asked:
                await client.fails()
            case "wake", _:
                world.agent.wake()
            case "disconnect", _:
                await world.agent.disconnect()
            case "join", _:
                for room in self._undecided():
                    await room.joins()
            case "refuse", Category() as category:
                for room in self._undecided():
                    await room.fails(category)
            case "lose", int(reason) if world.rooms.made and world.rooms.made[-1].has_joined:
                world.rooms.made[-1].emit(RoomEnded(reason))
            case "pass", float(seconds):
                await world.passes(seconds)
        await turns()
        self._hold()

    async def ends_well(self) -> None:
        """From any state, a client and a server that do their part lead into the room."""
        self._connect(Settings())
        async with asyncio.timeout(LONG_S):
            while self.world.agent.status().state is not AgentState.CONNECTED:
                await self.does("give", 6_000)
                await self.does("join", None)
                await self.does("pass", 0.5)
        await self.world.passes(ANSWERED_WITHIN_S)
        assert not self.asked, "a `connect` without its answer"

    def _hold(self) -> None:
        world = self.world
        assert world.rooms.most_at_once <= 1
        assert world.client.most_at_once <= 1
        if world.agent.status().state is not AgentState.WAITING_FOR_TOKEN:
            assert not world.client.is_awaited, "a question that nothing waits for"
        for room in self._undecided():
            assert room.token, "a join without a token"

    def _connect(self, wanted: Settings) -> None:
        async def answered() -> None:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                with contextlib.suppress(SidecarError):
                    await self.world.agent.connect(wanted)

        task: asyncio.Task[object] = asyncio.create_task(answered())
        self.asked.add(task)
        task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[object]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.asked.discard(task)

    def _undecided(self) -> list[FakeRoom]:
        return [each for each in self.world.rooms.made if not each.is_decided]

    def _in(self, seconds: float) -> float:
        """*seconds* from now, in seconds from second 0."""
        return self.world.clock.tick().wall_ms / 1000 - NOW_S + seconds


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(steps, max_size=40))
@in_virtual_time
async def test_every_connect_is_answered_and_good_tokens_lead_into_the_room_from_any_state(
    play: list[tuple[str, object]],
):
    playing = Play()
    for step, with_what in play:
        await playing.does(step, with_what)
    await playing.ends_well()
