"""What a consumer asks for while the agent is in trouble."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.dev.stdio_client import RpcError
from sidecar.dev.tokens import mint_token
from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import ROOM, Stage
from tests.livekit.faults.watched import ANNOUNCED_S, OUTAGE_S, REJOINED_S, Agent

OTHER_ROOM = "another-room"


async def _code_of(agent: Agent, method: str, params: dict[str, object]) -> int:
    with pytest.raises(RpcError) as caught:
        await agent.client.call(method, params)
    return caught.value.code


@row
async def test_connects_while_reconnecting(stage: Stage) -> None:
    """Accepted: the same target is answered with the status, another with 1007; nobody is lost."""
    await stage.serve(far=True)
    bob = await stage.person("bob")
    agent = await stage.agent()
    await agent.sees(bob)
    stage.network.set(Mode.CUT)
    await agent.is_in("reconnecting")
    for _ in range(5):
        assert (await agent.connect())["state"] == "reconnecting"
    respelled = {**agent.connect_params, "url": f"{agent.connect_params['url']}/"}
    assert (await agent.client.call("connect", respelled))["state"] == "reconnecting"
    elsewhere = {**agent.connect_params, "room": OTHER_ROOM}
    assert await _code_of(agent, "connect", elsewhere) == 1007
    stage.network.set(Mode.PASS)
    await agent.sees(bob, within_s=REJOINED_S)
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_connect_to_another_room_from_backoff(stage: Stage) -> None:
    """Accepted: `agent-disconnected` at the join; those of the other room have sessions."""
    await stage.serve()
    bob = await stage.person("bob")
    agent = await stage.agent(driven=True)
    await agent.sees(bob)
    agent.law.accept({"bob": ["agent-disconnected"]})
    await agent.simulate("SERVER_LEAVE")
    await agent.is_in("backoff")
    with pytest.raises(RpcError):
        # Nobody is there who would answer: the agent stays away, under its old target no more.
        await agent.client.call(
            "connect", {**agent.connect_params, "url": "ws://127.0.0.1:9", "room": OTHER_ROOM}
        )
    assert agent.fold().closed("bob") == []
    # `switch`: the agent may try again by now, 0 to 1 s after the first try.
    params = {**agent.connect_params, "room": OTHER_ROOM, "switch": True}
    status = await agent.client.call("connect", params)
    assert status["room"] == OTHER_ROOM
    assert agent.fold().closed("bob") == [("agent-disconnected", None)]
    await agent.client.call("disconnect")


@pytest.mark.full
@row
async def test_disconnects_and_connects_in_quick_succession(stage: Stage) -> None:
    """Accepted: a pair for each time that somebody was told of; the last one is open."""
    await stage.serve()
    bob = await stage.person("bob")
    agent = await stage.agent()
    await agent.sees(bob)
    agent.law.accept({"bob": ["agent-disconnected"]})
    agent.law.accept_reopening("bob")
    for _ in range(5):
        connecting = asyncio.create_task(agent.tries())
        await agent.client.call("disconnect")
        await connecting
    await agent.tries()
    await agent.is_in("connected")
    await agent.sees(bob)
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_removal_while_the_agent_reconnects(stage: Stage) -> None:
    """Accepted: `removed`, or `left-during-reconnect` never: the server agreed."""
    await stage.serve(far=True)
    bob, carol = await stage.person("bob"), await stage.person("carol")
    agent = await stage.agent()
    await agent.sees(bob, carol)
    agent.law.accept({"bob": ["removed"]})
    (bob_id,) = (i for i, each in agent.law.open.items() if each["participantId"] == "bob")
    stage.network.set(Mode.CUT)
    await agent.is_in("reconnecting")
    # Its own way to the server is cut as well.
    assert await _code_of(agent, "closeSession", {"sessionId": bob_id}) == 1004
    stage.network.set(Mode.PASS)
    closed = await agent.client.call("closeSession", {"sessionId": bob_id})
    assert closed["connectionState"] == "closed"
    await agent.sees(carol, within_s=REJOINED_S)
    await stage.life_goes_on(agent, leaver=carol)


@pytest.mark.full
@row
async def test_removals_that_race_with_a_leave_and_a_reload(stage: Stage) -> None:
    """Accepted: one close each, `removed`, `left` or `replaced`; each call is answered."""
    await stage.serve()
    people = [await stage.person(f"p{number}") for number in range(6)]
    agent = await stage.agent()
    await agent.sees(*people)
    fates = ("removed", "left", "replaced")
    agent.law.accept({each.identity: fates for each in people})
    ids = list(agent.law.open)

    async def close(session_id: str) -> None:
        try:
            closed = await agent.client.call("closeSession", {"sessionId": session_id})
            assert closed["connectionState"] == "closed"
        except RpcError as error:
            if error.code != 1003:
                raise

    async def leave(number: int) -> None:
        await people[number].leave()
        if number % 2:
            await stage.person(f"p{number}")

    await asyncio.gather(*map(close, ids), *map(close, ids), *(leave(n) for n in range(4)))
    await agent.closes(*people)
    there = {each.identity for each in await stage.listed()} - {"clara-voice-agent"}
    await stage.settled(agent, *there)
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_one_who_is_removed_and_comes_back_at_once(stage: Stage) -> None:
    """Accepted: `removed`, and a new session."""
    await stage.serve()
    bob = await stage.person("bob")
    agent = await stage.agent()
    await agent.sees(bob)
    agent.law.accept({"bob": ["removed"]})
    (session_id,) = agent.law.open
    closing = asyncio.create_task(agent.client.call("closeSession", {"sessionId": session_id}))
    await bob.gone.wait()
    again = await stage.person("bob")
    await closing
    await agent.sees(again)
    assert [reason for reason, _ in agent.law.closed("bob")] == ["removed"]
    await stage.life_goes_on(agent, leaver=again)


@pytest.mark.full
@row
async def test_a_token_that_expires_and_is_renewed_in_time(stage: Stage) -> None:
    """Accepted: `waiting-for-token`; with a new one, who stayed keeps the session."""
    await stage.serve()
    key, secret = stage.server.api_key, stage.server.api_secret
    bob = await stage.person("bob")
    agent = await stage.agent(connects=False, driven=True)
    # The server allows a minute beyond the token's own end; this one has 20 s of it left.
    token = mint_token(key, secret, ROOM, "clara", kind="agent", ttl_s=-40.0)
    refused = asyncio.create_task(asyncio.sleep(21.0))
    agent.connect_params = {"url": stage.server.url, "token": token}
    await agent.connect()
    await agent.sees(bob)
    await refused
    await agent.simulate("SERVER_LEAVE")
    await agent.is_in("waiting-for-token")
    fresh = mint_token(key, secret, ROOM, "clara", kind="agent")
    status = await agent.client.call("connect", {"token": fresh})
    assert status["state"] == "connected"
    await agent.sees(bob)
    assert agent.law.created_sids == [bob.sid]
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_server_that_returns_with_other_keys(stage: Stage) -> None:
    """Accepted: failed, unauthorized; `connection-lost` after 45 s; well again with its keys."""
    await stage.serve()
    bob = await stage.person("bob")
    agent = await stage.agent()
    await agent.sees(bob)
    agent.law.accept({"bob": ["connection-lost"]})
    await stage.server.kill()
    stage.server.api_secret = "s" * 40
    await stage.server.start()
    await agent.is_in("failed")
    status = await agent.client.call("getStatus")
    assert isinstance(status["lastError"], dict)
    assert status["lastError"]["category"] == "unauthorized"
    await agent.closes(bob, within_s=OUTAGE_S + ANNOUNCED_S)
    agent.connect_params = {**agent.connect_params, "apiSecret": stage.server.api_secret}
    assert (await agent.connect())["state"] == "connected"
    again = await stage.person("bob")
    await agent.sees(again)
    await stage.life_goes_on(agent, leaver=again)
