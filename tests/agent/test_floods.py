"""What the agent says of a participant who sends more than one participant may."""

from __future__ import annotations

import logging

import pytest

from sidecar.agent.announcer import BOUT_MS
from sidecar.core.facts import MessagesDropped, Overgrown, TextReceived
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import someone

MALLORY, ALICE = someone("mallory"), someone("alice")


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What stands in the log at WARNING."""
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


@in_virtual_time
async def test_dropped_messages_are_counted_in_the_status_and_logged_once_a_bout(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    room = await world.joined(MALLORY, ALICE)
    for _ in range(600):
        room.emit(MessagesDropped("mallory", 7))
        await world.passes(0.1)
    assert world.agent.status().counters.dropped == 4_200
    (line,) = warnings(caplog)
    assert "mallory" in line
    assert "closeSession" in line
    await world.passes(BOUT_MS / 1000 + 1)
    room.emit(MessagesDropped("mallory", 1))
    assert len(warnings(caplog)) == 2


@in_virtual_time
async def test_dropped_messages_change_no_session(caplog: pytest.LogCaptureFixture):
    world = World()
    room = await world.joined(MALLORY, ALICE)
    before = world.lines
    room.emit(MessagesDropped("mallory", 1_000))
    assert world.lines == before
    room.emit(TextReceived("alice", 0.0))
    assert [each.message_count for each in world.agent.sessions.values()] == [0, 1]


@in_virtual_time
async def test_a_room_that_grows_makes_the_agent_join_anew_once_a_minute_and_closes_nothing(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    first = await world.joined(MALLORY, ALICE)
    first.emit(Overgrown())
    second = await world.rooms.opened(2)
    assert first.has_left
    assert "joins anew" in warnings(caplog)[0]
    await second.joins(MALLORY, ALICE)
    second.emit(Overgrown())
    await world.passes(50)
    assert len(world.rooms.made) == 2
    await world.passes(15)
    second.emit(Overgrown())
    third = await world.rooms.opened(3)
    await third.joins(MALLORY, ALICE)
    assert "closed" not in " ".join(world.lines)
    assert len(world.agent.sessions) == 2
