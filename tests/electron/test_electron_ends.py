"""However the real Electron ends, nothing of it is left, and every session is told to its end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from sidecar.dev.person_process import PersonProcess
from tests.electron.conftest import Drive
from tests.electron.driven_app import DrivenApp
from tests.electron.electron_app import Held, all_gone, sidecar_of

pytestmark = pytest.mark.full

STOP_WITHIN_S = 10.0
"""A quit with a sidecar that hangs: what the bridge's ladder takes at most (index.d.ts, stop())."""
ELECTRON_ENDS_WITHIN_S = 30.0
"""Electron's own processes may take over 6 s on a busy machine after theirs was killed."""
LANES = 2
"""How many apps are killed at a time; the machine has at least that many cores."""


@pytest.mark.parametrize("step", ["quit", "close-windows", "update"])
async def test_an_end_during_a_session_closes_it_and_leaves_no_process(
    step: str, drive: Drive, person: Callable[[str], PersonProcess]
) -> None:
    async with drive() as app, person("alice") as alice:
        await alice.join()
        await alice.publish()
        await app.session("alice", "connected")
        processes = app.processes()
        await app.take(step)
        await all_gone(processes)
        assert await app.process.wait() == 0
    law = app.judged()
    law.check_end()
    assert law.closed("alice") == [("sidecar-shutdown", None)]


async def test_an_end_with_a_sidecar_that_hangs_leaves_no_process(drive: Drive) -> None:
    async def end_by(step: str, *before: str) -> None:
        async with drive(home="-".join([step, *before])) as app:
            await app.event("agent-state-changed", lambda event: event["state"] == "connected")
            processes = app.processes()
            os.kill(sidecar_of(processes).pid, signal.SIGSTOP)
            for event in before:
                await app.take("power", event=event)
            await app.take(step)
            await all_gone(processes, STOP_WITHIN_S)
            assert await app.process.wait() == 0

    steps = [end_by("quit"), end_by("close-windows"), end_by("update")]
    # A suspend whose resume is never told must not keep the app from quitting.
    await asyncio.gather(*steps, end_by("quit", "suspend"))


async def test_a_quit_at_any_moment_of_the_sidecars_life_leaves_no_process(drive: Drive) -> None:
    patient = {"max": 3, "windowMs": 300_000, "delaysMs": [60_000]}

    async def while_it_starts() -> None:
        async with drive(home="starting") as app:
            await app.event("process-state", lambda event: event["state"] == "starting")
            await quits(app, app.processes())

    async def while_it_joins() -> None:
        async with drive(home="joining") as app:
            await app.event("process-state", lambda event: event["state"] == "ready")
            await quits(app, app.processes())

    async def before_it_is_started_again() -> None:
        async with drive(home="backoff", restart=patient) as app:
            await app.event("process-state", lambda event: event["state"] == "ready")
            processes = app.processes()
            os.kill(sidecar_of(processes).pid, signal.SIGKILL)
            await app.event("process-state", lambda event: event["state"] == "backoff")
            await quits(app, processes)

    async def as_it_crashes() -> None:
        async with drive(home="crashing") as app:
            await app.event("agent-state-changed", lambda event: event["state"] == "connected")
            processes = app.processes()
            await app.take("quit")
            os.kill(sidecar_of(processes).pid, signal.SIGKILL)
            await all_gone(processes)
            assert await app.process.wait() == 0
            assert [each for each in app.events if each["event"] == "exit"][1:] == []

    async def quits(app: DrivenApp, processes: list[Held]) -> None:
        await app.take("quit")
        await all_gone(processes)
        assert await app.process.wait() == 0

    await asyncio.gather(
        while_it_starts(), while_it_joins(), before_it_is_started_again(), as_it_crashes()
    )


async def test_killed_electrons_leave_no_process(
    drive: Drive, person: Callable[[str], PersonProcess], rounds: int
) -> None:
    async def lane(name: str, alice: PersonProcess) -> int:
        done = 0
        while done < rounds // LANES:
            async with drive(home=name) as app:
                await app.session(alice.identity, "connected")
                processes = app.processes()
                sidecar = sidecar_of(processes)
                app.process.send_signal(signal.SIGKILL)
                await all_gone([sidecar])
                await all_gone(processes, ELECTRON_ENDS_WITHIN_S)
            done += 1
        return done

    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(person("alice"))
        await alice.join()
        await alice.publish()
        killed = await asyncio.gather(*(lane(f"home-{lane_}", alice) for lane_ in range(LANES)))
    assert sum(killed) == rounds


async def test_a_crashed_page_costs_no_session_and_the_app_still_quits(
    drive: Drive, person: Callable[[str], PersonProcess]
) -> None:
    async with drive() as app, person("alice") as alice, person("bob") as bob:
        await alice.join()
        await alice.publish()
        await app.session("alice", "connected")
        processes = app.processes()
        (page,) = (each for each in processes if "--type=renderer" in each.command.split())
        os.kill(page.pid, signal.SIGKILL)
        await app.event("page-gone")
        await bob.join()
        await bob.publish()
        await app.session("bob", "connected")
        assert _open(app) == ["alice", "bob"]
        await app.take("quit")
        await all_gone([*processes, *app.processes()])
        assert await app.process.wait() == 0
    app.judged().check_end()


def _open(app: DrivenApp) -> list[str]:
    return app.judged().identities()
