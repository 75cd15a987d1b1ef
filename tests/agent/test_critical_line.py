"""The customer's line for a failed connection: word for word, once a series, the cause after it."""

from __future__ import annotations

import logging

import pytest

from sidecar.core.contract.errors import ConnectFailed
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import AgentState
from sidecar.core.facts import RoomEnded
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World

CRITICAL = (
    "Critical: ClaraVoiceAgent failed to connect to the LiveKit server."
    " Voice features will be unavailable."
)


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sidecar")


def worse(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What stands in the log at WARNING and above."""
    return [
        each.getMessage()
        for each in caplog.records
        if each.levelno >= logging.WARNING and each.name.startswith("sidecar")
    ]


def criticals(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What stands in the log at CRITICAL."""
    return [each.getMessage() for each in caplog.records if each.levelno == logging.CRITICAL]


@pytest.mark.parametrize("category", sorted(Category))
@in_virtual_time
async def test_the_critical_line_stands_alone_with_the_cause_on_the_next(
    category: Category, caplog: pytest.LogCaptureFixture
):
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(category)
    with pytest.raises(ConnectFailed) as failure:
        await connecting
    first, second = worse(caplog)[:2]
    assert first == CRITICAL
    assert second.startswith(f"{category.value}: ")
    assert str(failure.value.data["detail"]) in second
    assert str(failure.value.data["fix"]) in second


@in_virtual_time
async def test_the_critical_line_comes_once_a_series_and_again_in_the_next(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    connecting = world.connecting()
    for number in (1, 2, 3):
        await (await world.rooms.opened(number)).fails()
    with pytest.raises(ConnectFailed):
        await connecting
    assert criticals(caplog).count(CRITICAL) == 1
    room = await world.rooms.opened(4)
    await room.joins()
    room.emit(RoomEnded(0))
    await (await world.rooms.opened(5)).fails()
    assert criticals(caplog).count(CRITICAL) == 2


@in_virtual_time
async def test_a_lost_room_alone_is_not_critical(caplog: pytest.LogCaptureFixture):
    world = World()
    room = await world.joined()
    room.emit(RoomEnded(0))
    await (await world.rooms.opened(2)).joins()
    assert criticals(caplog) == []


@in_virtual_time
async def test_no_line_says_that_the_agent_tries_again_when_it_does_not(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.UNREACHABLE)
    with pytest.raises(ConnectFailed):
        await connecting
    caplog.clear()
    await (await world.rooms.opened(2)).fails(Category.UNAUTHORIZED)
    assert world.agent.status().state is AgentState.FAILED
    (line,) = worse(caplog)
    assert line.startswith("unauthorized: ")
    assert "rying again" not in line
