"""Whatever ends the sidecar, its sessions go on: one created, one closed, under their own ids."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.dev.person_process import PersonProcess
from tests.electron.conftest import Drive
from tests.electron.driven_app import DrivenApp
from tests.electron.electron_app import all_gone, sidecar_of

pytestmark = pytest.mark.full

CROWD_SIDECAR = Path(__file__).resolve().parent / "fixtures" / "crowd-sidecar.cjs"
CROWD = 10_000
TIRELESS = {"max": 1000, "windowMs": 300_000, "delaysMs": [50]}
"""A restart policy for a sidecar that is killed many times."""
LEFT = ("left", "left-during-reconnect")
"""Of a person who leaves while there may be no sidecar to see it."""


async def killed(app: DrivenApp, by: signal.Signals = signal.SIGKILL) -> int:
    """End the app's sidecar by a signal; give the place in the events before that."""
    place = len(app.events)
    os.kill(sidecar_of(app.processes()).pid, by)
    return place


async def test_killed_sidecars_cost_no_session_and_change_no_id(
    drive: Drive, person: Callable[[str], PersonProcess], rounds: int
) -> None:
    async with drive(restart=TIRELESS) as app, person("alice") as alice:
        await alice.join()
        await alice.publish()
        await app.session("alice", "connected")
        for number in range(rounds):
            if number % 5 != 3:
                place = await killed(app)
            else:  # somebody comes while there is no sidecar, and goes while there is none
                async with person("bob") as bob:
                    place = await killed(app)
                    await bob.join()
                    await bob.publish()
                    await app.session("bob", "connected", place)
                    place = await killed(app)
                    await bob.leave()
                await app.session("bob", "closed", place)
            place = await app.session("alice", "reconnecting", place)
            await app.session("alice", "connected", place)
        processes = app.processes()
        await app.take("quit")
        await all_gone(processes)
        assert await app.process.wait() == 0
    law = app.judged({"bob": LEFT})
    law.check_end()
    assert law.closed("alice") == [("sidecar-shutdown", None)]
    assert len(law.closes) == 1 + (rounds + 1) // 5
    ends = [event for event in app.events if event["event"] == "exit"]
    assert [end["willRestart"] for end in ends] == [True] * (len(ends) - 1) + [False]
    assert len(ends) > rounds


async def test_a_sidecar_that_ends_by_itself_with_status_0_is_a_crash_like_any_other(
    drive: Drive, person: Callable[[str], PersonProcess]
) -> None:
    async with drive(restart=TIRELESS) as app, person("alice") as alice:
        await alice.join()
        await alice.publish()
        await app.session("alice", "connected")
        # It drains and says that it closes its sessions, and nobody asked it to.
        place = await killed(app, signal.SIGTERM)
        place = await app.event("exit", lambda event: event["code"] == 0, place)
        await app.session("alice", "connected", place)
        await alice.leave()
        await app.session("alice", "closed", place)
    (close,) = app.judged({"alice": LEFT}).closes
    assert close.identity == "alice"


async def test_a_crash_with_10_000_sessions_closes_none_and_blocks_nobody(
    drive: Drive, node: Path
) -> None:
    async with drive(command=str(node), args=[str(CROWD_SIDECAR)], restart=TIRELESS) as app:
        last = f"p{CROWD - 1}"
        await app.session(last, "connected")
        place = await killed(app)
        place = await app.session(last, "reconnecting", place)
        await app.session(last, "connected", place)
        assert await app.ask("ping") == "pong"
        created = told(app, "session-created")
        assert len({*created}) == len(created) == CROWD
        assert told(app, "session-closed") == []
        # Each came to be, was connected, waited, and was connected again.
        assert len(told(app, "session-updated")) == 3 * CROWD
        # Not by a quit, which would cut off what the console has yet to take.
        await app.take("stop")
        await app.done("stop")
        assert sorted(told(app, "session-closed")) == sorted(created)
    counted = [event["seq"] for event in app.events if "seq" in event]
    assert counted == list(range(1, len(counted) + 1))


def told(app: DrivenApp, name: str) -> list[str]:
    """The session ids of all events of a name, in order."""
    return [event["session"]["sessionId"] for event in app.events if event["event"] == name]
