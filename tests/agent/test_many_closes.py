"""Many sessions that close at once: requests get their turn, and nothing else changes."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from sidecar.agent.agent import CLOSES_A_TURN
from sidecar.core.contract.messages import Notification, SessionClosed
from sidecar.core.facts import Reconnected, Reconnecting, Seen
from sidecar.core.registry.resumption import Inheritance
from tests.agent.fakes import FakeClock
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import earlier, someone

PEOPLE = [someone(f"person-{number}") for number in range(1_000)]
"""Many more than close within one turn."""
MISSING_S = 3.0
"""So long after a reconnect a session closes whose participant is not there any more."""


def closed(world: World) -> list[str]:
    """The participants whose sessions were announced as closed."""
    return [each.session.participant_id for each in world.heard(SessionClosed)]


async def a_turn_amid(world: World) -> None:
    """Wait for a turn of the loop in which some sessions are closed and some are open."""
    await asyncio.sleep(0)
    assert 0 < len(closed(world)) < len(PEOPLE)


async def test_between_the_closes_other_work_gets_its_turn_and_sees_what_was_announced():
    world = World()
    await world.joined(*PEOPLE)
    leaving = asyncio.create_task(world.agent.disconnect())
    await a_turn_amid(world)
    turns = 0
    while not leaving.done():
        turns += 1
        rest = {each.participant_id for each in world.agent.sessions.values()}
        assert rest == {each.identity for each in PEOPLE} - set(closed(world))
        assert world.agent.session_list().seq == world.notify.notifications[-1].seq
        assert len(world.agent.session_list().sessions) == len(rest)
        await asyncio.sleep(0)
    assert turns > 1
    assert (await leaving).sessions == 0
    assert closed(world) == [each.identity for each in PEOPLE]


async def test_a_stop_that_comes_amid_the_closes_announces_the_rest_before_it_leaves():
    world = World()
    await world.joined(*PEOPLE)
    leaving = asyncio.create_task(world.agent.disconnect())
    await a_turn_amid(world)
    await world.agent.stop()
    assert closed(world) == [each.identity for each in PEOPLE]
    assert {each.reason for each in world.heard(SessionClosed)} == {"agent-disconnected"}
    await leaving


async def test_a_join_that_comes_amid_the_closes_finds_them_all_closed():
    """Else a session of the earlier stay in the room would close after its participant is seen."""
    world = World()
    await world.joined(*PEOPLE)
    leaving = asyncio.create_task(world.agent.disconnect())
    await a_turn_amid(world)
    await world.joined(PEOPLE[-1])
    await leaving
    assert len(closed(world)) == len(PEOPLE)
    (again,) = world.agent.sessions.values()
    assert again.participant_id == PEOPLE[-1].identity
    assert world.agent.status().sessions == 1


async def test_an_outage_that_is_over_closes_in_turns_too():
    world = World()
    world.agent.resume(Inheritance(tuple(earlier(each.identity) for each in PEOPLE), outage_s=45.0))
    amid = set()
    while len(closed(world)) < len(PEOPLE):
        await asyncio.sleep(0)
        amid.add(len(closed(world)))
    assert len(amid) > 2
    assert closed(world) == [each.identity for each in PEOPLE]
    assert {each.reason for each in world.heard(SessionClosed)} == {"connection-lost"}


async def test_a_participant_who_is_seen_amid_the_closes_finds_their_session_closed():
    """Facts and closes keep their order: what was due before the fact is announced before it."""
    clock = FakeClock()
    world = World(clock=clock)
    room = await world.joined(*PEOPLE)
    world.api.lists_only()
    room.emit(Reconnecting())
    room.emit(Reconnected(()))
    clock.advance(MISSING_S)
    await a_turn_amid(world)
    room.emit(Seen(PEOPLE[-1]))
    assert closed(world) == [each.identity for each in PEOPLE]
    (again,) = world.agent.sessions.values()
    assert again.participant_id == PEOPLE[-1].identity


@in_virtual_time
async def test_those_who_are_missing_after_a_reconnect_close_in_turns_too():
    """The deadlines of the ones that still wait for their turn have passed as well."""
    loop = asyncio.get_running_loop()
    closes: list[SessionClosed] = []
    amid = [0]

    def look() -> None:
        amid.append(len(closes))
        if len(closes) < len(PEOPLE):
            loop.call_soon(look)

    def notify(notification: Notification) -> None:
        if isinstance(notification, SessionClosed):
            closes.append(notification)
            if len(closes) == 1:
                loop.call_soon(look)

    world = World(notify=notify)
    room = await world.joined(*PEOPLE)
    world.api.lists_only()
    room.emit(Reconnecting())
    room.emit(Reconnected(()))
    await world.passes(30)
    assert amid[-1] == len(PEOPLE)
    assert max(after - before for before, after in pairwise(amid)) <= 2 * CLOSES_A_TURN
