"""What the log says of a connection: the customer's line once a series of failures, the cause in
the same record, when the next try is, and where the agent is after a success."""

from __future__ import annotations

import logging
import re

import pytest

from sidecar.core.contract.errors import ConnectFailed
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import AgentState
from sidecar.core.facts import Reconnected, Reconnecting, RoomEnded
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
async def test_the_critical_line_and_its_cause_are_one_record(
    category: Category, caplog: pytest.LogCaptureFixture
):
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(category)
    with pytest.raises(ConnectFailed) as failure:
        await connecting
    (record,) = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert record.getMessage() == CRITICAL
    cause = record.__dict__["cause"]
    assert cause.startswith(f"{category.value}: ")
    assert str(failure.value.data["detail"]) in cause
    assert str(failure.value.data["fix"]) in cause
    assert re.search(r"(Next try in|It does not try again until) ", cause)


@in_virtual_time
async def test_a_later_failure_of_the_series_is_one_line_with_when_the_next_try_is(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails()
    with pytest.raises(ConnectFailed):
        await connecting
    caplog.clear()
    await (await world.rooms.opened(2)).fails()
    (line,) = worse(caplog)
    assert re.search(r"\. Next try in \d+\.\d s\.$", line)


@in_virtual_time
async def test_a_join_is_one_line_that_says_which_room_url_and_identity(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    await world.joined()
    status = world.agent.status()
    (line,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.INFO]
    assert line == f"Connected to room {status.room} at {status.url} as {status.identity}."


@in_virtual_time
async def test_an_interrupted_connection_and_its_end_are_one_line_each(
    caplog: pytest.LogCaptureFixture,
):
    world = World()
    room = await world.joined()
    caplog.clear()
    room.emit(Reconnecting())
    room.emit(Reconnected(()))
    room.emit(RoomEnded(0))
    lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.INFO]
    assert lines[0] == "The connection to the LiveKit server is interrupted; reconnecting."
    assert lines[1] == "The connection to the LiveKit server is back."
    assert re.fullmatch(r"The agent lost its room \(lost\)\. Next try in \d+\.\d s\.", lines[2])
    assert len(lines) == 3


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
    assert line.endswith(" It does not try again until `connect`.")


@in_virtual_time
async def test_a_host_name_without_an_address_is_told_in_place_of_a_server_that_does_not_answer():
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(is_name_unknown=True)
    with pytest.raises(ConnectFailed, match="No address was found for the host name in") as caught:
        await connecting
    assert caught.value.data["category"] == "unreachable"
    assert "LIVEKIT_URL" in str(caught.value.data["fix"])
