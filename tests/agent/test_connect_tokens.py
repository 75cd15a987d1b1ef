"""Which access token an attempt has, what an expired one means, and who must not see one."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ConnectFailed, InvalidParams
from sidecar.core.contract.failures import Category
from sidecar.core.contract.messages import AgentState
from sidecar.core.facts import RoomEnded
from tests.agent.fakes import START_MS, turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.tokens import agent_claims, token

NOW_S = START_MS // 1000


def by_token(expires_in_s: int = 3_600) -> Settings:
    """Settings with a token alone."""
    return Settings(url=URL, token=token(agent_claims(exp=NOW_S + expires_in_s)))


@in_virtual_time
async def test_every_attempt_has_a_token_of_its_own():
    world = World()
    connecting = world.connecting()
    tokens = []
    for number in (1, 2, 3):
        room = await world.rooms.opened(number)
        tokens.append(room.token)
        await room.fails()
    with pytest.raises(ConnectFailed):
        await connecting
    assert tokens == ["token-1", "token-2", "token-3"]


@in_virtual_time
async def test_a_newer_token_is_kept_for_the_next_attempt():
    world = World(by_token(3_600))
    connecting = world.connecting()
    first = await world.rooms.opened()
    await first.joins()
    await connecting
    newer = by_token(7_200)
    await world.agent.connect(newer)
    first.emit(RoomEnded(0))
    second = await world.rooms.opened(2)
    assert (first.token, second.token) == (by_token(3_600).token, newer.token)


@in_virtual_time
async def test_a_token_that_comes_while_the_earlier_room_is_being_left_is_used():
    world = World(by_token(3_600))
    connecting = world.connecting()
    first = await world.rooms.opened()
    await first.joins()
    await connecting
    first.may_leave.clear()
    first.emit(RoomEnded(0))
    await world.passes(5)
    assert world.agent.status().state is AgentState.CONNECTING
    newer = by_token(7_200)
    connecting = world.connecting(newer)
    await turns()
    first.may_leave.set()
    second = await world.rooms.opened(2)
    assert second.token == newer.token
    await second.joins()
    await connecting


@pytest.mark.parametrize(
    ("expires_in_s", "expected"),
    [
        (-1, AgentState.WAITING_FOR_TOKEN),
        (0, AgentState.WAITING_FOR_TOKEN),
        (3_600, AgentState.FAILED),
    ],
)
@in_virtual_time
async def test_the_agent_waits_for_a_token_only_when_its_own_has_expired(
    expires_in_s: int, expected: AgentState
):
    world = World(by_token(expires_in_s))
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.UNAUTHORIZED)
    with pytest.raises(ConnectFailed):
        await connecting
    assert world.agent.status().state is expected


@in_virtual_time
async def test_with_a_secret_a_refused_token_is_failed_and_never_waiting():
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.UNAUTHORIZED)
    with pytest.raises(ConnectFailed):
        await connecting
    assert world.agent.status().state is AgentState.FAILED


@in_virtual_time
async def test_a_token_brought_to_an_agent_that_waits_for_one_is_tried_at_once():
    world = World(by_token(-1))
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.UNAUTHORIZED)
    with pytest.raises(ConnectFailed):
        await connecting
    newer = by_token(600)
    connecting = world.connecting(newer)
    second = await world.rooms.opened(2)
    assert second.token == newer.token
    await second.joins()
    assert (await connecting).state is AgentState.CONNECTED


@in_virtual_time
async def test_secrets_are_protected_before_anything_is_logged_of_them():
    world = World()
    connecting = world.connecting(Settings(api_secret="open-up"))
    assert "open-up" not in world.protected
    await turns()
    assert "open-up" in world.protected
    await (await world.rooms.opened()).joins()
    await connecting


@in_virtual_time
async def test_secrets_of_a_connect_that_is_refused_are_protected_too():
    world = World(Settings())
    with pytest.raises(InvalidParams):
        await world.agent.connect(Settings(url=URL, api_key="k", api_secret="open-up"))
    assert "open-up" in world.protected


@in_virtual_time
async def test_a_token_without_the_agent_s_kind_is_one_warning(caplog: pytest.LogCaptureFixture):
    claims = {**agent_claims(exp=NOW_S + 60), "kind": "standard"}
    world = World(Settings(url=URL, token=token(claims)))
    await world.joined()
    await world.agent.connect(Settings())
    warnings = world.agent.status().warnings
    assert len(warnings) == 1
    logged = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.getMessage() for each in logged if each.name.startswith("sidecar")] == [*warnings]


@in_virtual_time
async def test_the_warning_about_a_token_goes_with_that_token():
    claims = {**agent_claims(exp=NOW_S + 60), "kind": "standard"}
    world = World(Settings(url=URL, token=token(claims)))
    await world.joined()
    await world.agent.disconnect()
    connecting = world.connecting(by_token())
    await (await world.rooms.opened(2)).joins()
    assert (await connecting).warnings == ()


@pytest.mark.parametrize("ahead_s", [3_600, -3_600, 61])
@in_virtual_time
async def test_a_wrong_clock_is_named_and_its_cure_lets_the_agent_in(ahead_s: int):
    """The tokens made here are then early or expired by the server's clock; time cures it."""
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(
        Category.UNAUTHORIZED, server_ms=START_MS + ahead_s * 1000
    )
    with pytest.raises(ConnectFailed) as refusal:
        await connecting
    assert (refusal.value.data["category"], refusal.value.data["retryable"]) == ("clock", True)
    assert world.agent.status().state is AgentState.BACKOFF
    await (await world.rooms.opened(2)).joins()
    assert world.agent.status().state is AgentState.CONNECTED


@in_virtual_time
async def test_a_clock_within_the_server_s_leeway_does_not_explain_a_refusal():
    world = World()
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.UNAUTHORIZED, server_ms=START_MS + 59_000)
    with pytest.raises(ConnectFailed) as refusal:
        await connecting
    assert refusal.value.data["category"] == "unauthorized"
    assert world.agent.status().state is AgentState.FAILED


@in_virtual_time
async def test_a_token_alone_that_is_not_valid_yet_is_tried_again():
    claims = agent_claims(nbf=NOW_S + 120, exp=NOW_S + 3_600)
    world = World(Settings(url=URL, token=token(claims)))
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.UNAUTHORIZED)
    with pytest.raises(ConnectFailed) as refusal:
        await connecting
    assert refusal.value.data["retryable"] is True
    assert "not valid yet" in str(refusal.value.data["detail"])
    assert world.agent.status().state is AgentState.BACKOFF
    await (await world.rooms.opened(2)).joins()


@in_virtual_time
async def test_the_server_s_clock_decides_whether_a_token_alone_has_expired():
    world = World(by_token(3_600))
    connecting = world.connecting()
    await (await world.rooms.opened()).fails(Category.UNAUTHORIZED, server_ms=START_MS + 7_200_000)
    with pytest.raises(ConnectFailed):
        await connecting
    assert world.agent.status().state is AgentState.WAITING_FOR_TOKEN


@in_virtual_time
async def test_a_plain_connection_beyond_this_machine_is_in_status_log_and_diagnosis(
    caplog: pytest.LogCaptureFixture,
):
    world = World(replace(by_token(), url="ws://livekit.example"))
    connecting = world.connecting()
    await (await world.rooms.opened()).joins()
    (warning,) = (await connecting).warnings
    assert "livekit.example is not encrypted" in warning
    assert warning in caplog.messages
    assert any(warning in each.detail for each in (await world.agent.diagnose()).checks)
    await world.agent.disconnect()
    for safe in ("wss://livekit.example", "ws://127.0.0.1:7880", "ws://[::1]", "http://localhost"):
        connecting = world.connecting(Settings(url=safe))
        await (await world.rooms.opened(len(world.rooms.made) + 1)).joins()
        assert (await connecting).warnings == ()
        await world.agent.disconnect()
