"""The sidecar ends by itself in live rooms, time and again: what a consumer of the bridge sees.

Node with the bridge, the real sidecar, the real LiveKit server.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from tests import parts
from tests.electron.watched_app import WatchedApp

Arrive = Callable[[str], Awaitable[Person]]

OUTAGE_S = 45.0
"""What the product promises: a stay is closed whose agent was away for longer."""
TOLD_S = 10.0
"""From the fault to the agent's knowing of it, and from the end of the outage to the word of it."""

GONE_MEANWHILE = ["left", "left-during-reconnect"]
"""Told before the sidecar ended, or found out after."""


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> int:
    """How often it ends: 10 times, and 50 with --full."""
    return 50 if pytestconfig.getoption("--full") else 10


@pytest_asyncio.fixture
async def server(server_binary: Path) -> AsyncIterator[DevServer]:
    """One of our own, to be killed."""
    async with DevServer(server_binary) as running:
        yield running


@pytest.fixture
def room() -> str:
    """A room of one's own."""
    return f"crashes-{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def arrive(server: DevServer, room: str) -> AsyncIterator[Arrive]:
    """Let people come in, announced at once; all have left when the test ends.

    By an attribute, not by a track: with many tracks on a busy machine the server makes an SDK
    rejoin now and then, which is another stay, and not what is tried here.
    """
    came: list[Person] = []

    async def come(identity: str) -> Person:
        token = mint_token(server.api_key, server.api_secret, room, identity)
        person = Person(server.url, token, identity)
        came.append(person)
        await person.join()
        await person.set_attributes({"here": "yes"})
        return person

    yield come
    for each in came:
        await each.leave()


@pytest_asyncio.fixture
async def app(node: Path, server: DevServer, room: str) -> AsyncIterator[WatchedApp]:
    """An app in that room, which restarts the sidecar at once and as often as it takes."""
    if sys.platform != "linux":  # not run
        parts.require("crashes", "the sidecar is found in Linux's /proc")
    options = {
        "connect": {
            "url": server.url,
            "apiKey": server.api_key,
            "apiSecret": server.api_secret,
            "room": room,
        },
        "restart": {"max": 1000, "windowMs": 1000, "delaysMs": [20]},
    }
    async with WatchedApp(node, options, {"SIDECAR_PYTHON": sys.executable}) as running:
        yield running


def settled(app: WatchedApp, *identities: str) -> Callable[[], bool]:
    """Whether exactly these people have sessions, all of them connected."""
    wanted = sorted(identities)

    def is_so() -> bool:
        states = {each["connectionState"] for each in app.law.open.values()}
        return app.law.identities() == wanted and states == {"connected"}

    return is_so


def send(app: WatchedApp, *signals: signal.Signals) -> None:
    """Send the sidecar these signals."""
    pid = app.sidecar_pid()
    assert pid is not None
    for each in signals:
        os.kill(pid, each)


async def killed(app: WatchedApp) -> None:
    """Without a last word."""
    send(app, signal.SIGKILL)


async def asked_from_outside(app: WatchedApp) -> None:
    """It drains, closes what is open with `sidecar-shutdown`, and ends with status 0."""
    send(app, signal.SIGTERM)


async def stopped_and_killed(app: WatchedApp) -> None:
    """As a kernel under pressure does."""
    send(app, signal.SIGSTOP, signal.SIGKILL)


async def killed_while_it_joins(app: WatchedApp) -> None:
    """Twice; the second time before it knows who is in the room."""
    ends = len(app.exits)
    send(app, signal.SIGKILL)
    await app.until("the end", lambda: len(app.exits) > ends)
    await app.until("the next join", lambda: app.law.agent_state in ("connecting", "connected"))
    send(app, signal.SIGKILL)


async def killed_as_it_starts(app: WatchedApp) -> None:
    """Twice; the second time before it has answered anything."""
    ends = len(app.exits)
    send(app, signal.SIGKILL)
    await app.until(
        "the next start", lambda: len(app.exits) > ends and app.process_state == "starting"
    )
    send(app, signal.SIGKILL)


ENDS = [
    killed,
    asked_from_outside,
    stopped_and_killed,
    killed_while_it_joins,
    killed_as_it_starts,
]


@pytest.mark.full
async def test_sessions_outlive_the_sidecar_and_each_is_created_and_closed_once(
    app: WatchedApp, arrive: Arrive, rounds: int
) -> None:
    alice = await arrive("alice")
    await app.until("alice", settled(app, "alice"))
    await alice.chat("hello")
    await app.until("the message", lambda: _session(app, "alice")["messageCount"] == 1)
    at_first = _session(app, "alice")
    there = ["alice"]
    for number in range(rounds):
        leaver, joiner = f"leaver-{number}", f"joiner-{number}"
        leaving = await arrive(leaver)
        await app.until(f"round {number}", settled(app, *there, leaver))
        app.law.accept({leaver: GONE_MEANWHILE})
        ends = len(app.exits)
        await ENDS[number % len(ENDS)](app)
        await leaving.leave()
        await arrive(joiner)
        there.append(joiner)
        await app.until(f"the end {number}", lambda before=ends: len(app.exits) > before)
        await app.until(f"after the end {number}", settled(app, *there))
        assert _session(app, "alice") == at_first
        app.ask_for_the_list()
    assert all(each["willRestart"] for each in app.exits)
    assert app.exits[1]["code"] == 0, "asked from outside, it ends in order"
    assert await app.end() == 0
    app.law.check_end()
    assert len(app.law.created_sids) == 1 + 2 * rounds
    assert app.exits[-1]["willRestart"] is False


@pytest.mark.full
async def test_a_crash_in_an_outage_does_not_make_the_outage_longer(
    app: WatchedApp, arrive: Arrive, server: DevServer
) -> None:
    await arrive("alice")
    await app.until("alice", settled(app, "alice"))
    app.law.accept({"alice": ["connection-lost"]})
    async with asyncio.timeout(OUTAGE_S + TOLD_S):
        await server.kill()
        await app.until("the outage", lambda: _session_state(app) == "reconnecting")
        await asyncio.sleep(OUTAGE_S - 20.0)
        assert _session_state(app) == "reconnecting"
        await killed(app)
        await app.until("the end of the stay", lambda: not app.law.open)
    assert await app.end() == 0
    app.law.check_end()


def _session_state(app: WatchedApp) -> object:
    return _session(app, "alice")["connectionState"]


def _session(app: WatchedApp, identity: str) -> dict[str, object]:
    (found,) = (each for each in app.law.open.values() if each["participantId"] == identity)
    return dict(found)
