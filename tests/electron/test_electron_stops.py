"""A main process that stands still, at a breakpoint or with the whole machine, loses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from sidecar.dev.freezing import freeze, thaw
from sidecar.dev.person_process import PersonProcess
from tests.electron.conftest import Drive
from tests.electron.electron_app import Held, all_gone, sidecar_of

pytestmark = pytest.mark.full

LEFT = ("left", "left-during-reconnect")


@pytest.fixture
def stop_s(pytestconfig: pytest.Config) -> float:
    """How long main stands still, in seconds."""
    return 60.0 if pytestconfig.getoption("--full") else 5.0


async def test_what_happens_while_main_stands_at_a_breakpoint_is_told_afterwards(
    drive: Drive, person: Callable[[str], PersonProcess], stop_s: float
) -> None:
    chats = 20
    async with drive() as app, person("alice") as alice, person("bob") as bob:
        for someone in (alice, bob):
            await someone.join()
            await someone.publish()
            await app.session(someone.identity, "connected")
        sidecar, place = sidecar_of(app.processes()), len(app.events)
        freeze(app.process.pid)
        for number in range(chats):
            await alice.chat(f"message {number}")
        await bob.leave()
        async with person("carol") as carol:
            await carol.join()
            await carol.publish()
            await asyncio.sleep(stop_s)
            thaw(app.process.pid)
            await app.session("carol", "connected", place)
            await app.session("bob", "closed", place)
            await app.event("session-updated", lambda event: count(event) == chats, place)
            assert sidecar_of(app.processes()).pid == sidecar.pid
            law = app.judged({"bob": LEFT})
            assert law.identities() == ["alice", "carol"]
            listed = await app.ask("listSessions")
            assert len(listed["sessions"]) == 2


async def test_a_sidecar_that_dies_while_main_stands_still_has_said_what_it_said(
    drive: Drive, person: Callable[[str], PersonProcess]
) -> None:
    async with drive() as app, person("alice") as alice, person("bob") as bob:
        await alice.join()
        await alice.publish()
        await app.session("alice", "connected")
        sidecar, place = sidecar_of(app.processes()), len(app.events)
        freeze(app.process.pid)
        await bob.join()
        await bob.publish()
        await alice.leave()
        os.kill(sidecar.pid, signal.SIGKILL)
        await all_gone([sidecar])
        thaw(app.process.pid)
        await app.session("alice", "closed", place)
        place = await app.event("process-state", lambda event: event["state"] == "ready", place)
        await app.session("bob", "connected", place)
        law = app.judged({"alice": LEFT})
        assert law.identities() == ["bob"]
        processes = app.processes()
        await app.take("quit")
        await all_gone(processes)


async def test_after_the_system_slept_the_same_sessions_go_on_and_who_left_meanwhile_is_gone(
    drive: Drive, person: Callable[[str], PersonProcess]
) -> None:
    async with drive() as app, person("alice") as alice, person("bob") as bob:
        for someone in (alice, bob):
            await someone.join()
            await someone.publish()
            await app.session(someone.identity, "connected")
        processes, place = app.processes(), len(app.events)
        await app.take("power", event="suspend")
        await app.done("power", place)
        asleep(processes)
        await bob.leave()
        awake(processes)
        place = len(app.events)
        await app.take("power", event="resume")
        await app.session("bob", "closed", place)
        assert (await app.ask("getStatus"))["state"] == "connected"
        law = app.judged({"bob": LEFT})
        assert law.identities() == ["alice"]
        assert sidecar_of(app.processes()).pid == sidecar_of(processes).pid
        await app.take("quit")
        await all_gone(processes)


def count(event: dict[str, object]) -> object:
    """The messages of the session that an event is about."""
    session = event["session"]
    assert isinstance(session, dict)
    return session["messageCount"]


def asleep(processes: list[Held]) -> None:
    """Stop all of them."""
    for each in processes:
        os.kill(each.pid, signal.SIGSTOP)


def awake(processes: list[Held]) -> None:
    """Let all of them go on."""
    for each in processes:
        os.kill(each.pid, signal.SIGCONT)
