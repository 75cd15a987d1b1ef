"""People whom nobody expects: by their names, by their number, by their wish to be the agent."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sidecar.dev.person import Person
from sidecar.dev.tokens import mint_token
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import ROOM, Stage
from tests.livekit.faults.watched import ANNOUNCED_S, GIVEN_UP_S
from tests.livekit.faults.websocket_only import websocket_only

IDENTITIES = (
    "with spaces  in it",
    "zoé 🎤 مرحبا",
    "two\nlines\r\nand\ttabs",
    "quote\" back\\slash 'n' {brace} %s %d",
    "session_1_bob",
    "_",
    "e\u0301 is not \u00e9",
    "\u202eright to left",
    "x" * 256,
)


@row
async def test_people_of_strange_names(stage: Stage) -> None:
    """Accepted: a session each, its id ending with the identity; each leave is told."""
    await stage.serve()
    agent = await stage.agent()
    people = [await stage.person(each, publishes=True) for each in IDENTITIES]
    await agent.sees(*people)
    assert agent.law.identities() == sorted(IDENTITIES)
    for session_id, session in agent.law.open.items():
        milliseconds, _, identity = session_id.removeprefix("session_").partition("_")
        assert milliseconds.isdigit()
        assert identity == session["participantId"]
        assert await agent.client.call("getSession", {"sessionId": session_id}) == session
    # As in life_goes_on: a busy SDK can drop its websocket before the server has read its leave.
    agent.law.accept({each: ["left", "connection-lost"] for each in IDENTITIES})
    await asyncio.gather(*(each.leave() for each in people))
    await agent.closes(*people, within_s=GIVEN_UP_S + ANNOUNCED_S)
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_a_hundred_who_come_within_a_second(stage: Stage) -> None:
    """Accepted: a session for each; each end is told.

    `replaced` where the server, hard pressed, began a join twice.
    """
    await stage.serve()
    agent = await stage.agent()
    names = [f"guest-{number}" for number in range(100)]
    agent.law.accept({each: ["join-failed", "replaced"] for each in names})
    async with contextlib.AsyncExitStack() as all_of_them:
        await asyncio.gather(
            *(
                all_of_them.enter_async_context(websocket_only(stage.server.url, stage.token(each)))
                for each in names
            )
        )
        await agent.until("all", lambda law: law.identities() == sorted(names), ANNOUNCED_S)
    await agent.until("nobody", lambda law: not law.open, ANNOUNCED_S)
    for each in names:
        assert agent.law.closed(each)[-1] == ("join-failed", "SIGNAL_CLOSE")
    await stage.life_goes_on(agent)


@pytest.mark.full
@row
async def test_a_person_who_takes_the_agents_identity(stage: Stage) -> None:
    """Accepted: the agent is put out, says so, and does not fight; `agent-disconnected`.

    `wake` makes it look at once, and it comes back when the identity is free.
    """
    await stage.serve()
    agent = await stage.agent()
    bob = await stage.person("bob")
    await agent.sees(bob)
    agent.law.accept({"bob": ["agent-disconnected"]})
    agent.law.accept_reopening("bob")
    impostor = await stage.person("clara-voice-agent")
    await agent.is_in("backoff")
    await agent.closes(bob)
    assert agent.law.closed("bob") == [("agent-disconnected", "DUPLICATE_IDENTITY")]
    await impostor.leave()
    assert (await agent.connect())["state"] == "connected"
    await agent.sees(bob)
    assert agent.law.identities() == ["bob"]
    await stage.life_goes_on(agent, leaver=bob)


@pytest.mark.full
@row
async def test_a_hidden_person(stage: Stage) -> None:
    """Accepted: no session, and the agent stays where it is, though the server lists the person."""
    await stage.serve()
    hidden = Person(
        stage.server.url,
        mint_token(stage.server.api_key, stage.server.api_secret, ROOM, "spy", hidden=True),
        "spy",
    )
    await hidden.join()
    agent = await stage.agent()
    await asyncio.sleep(15.0)  # three looks at the server's list, 5 s apart
    await stage.life_goes_on(agent)
    assert agent.law.agent_states == ["connecting", "connected"]
    assert agent.law.identities() == ["newcomer"]
    await hidden.leave()
