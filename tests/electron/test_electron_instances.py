"""More than one app: two of them in one room both stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.dev.person_process import PersonProcess
from tests.electron.conftest import Drive
from tests.electron.driven_app import DrivenApp
from tests.electron.electron_app import all_gone

pytestmark = pytest.mark.full


async def connected(app: DrivenApp) -> None:
    """Wait until the app's agent is in the room."""
    await app.event("agent-state-changed", lambda event: event["state"] == "connected")


async def test_two_apps_in_one_room_both_stay_each_under_an_identity_of_its_own(
    drive: Drive, person: Callable[[str], PersonProcess]
) -> None:
    async with drive("one") as one, drive("two") as two, person("alice") as alice:
        for app in (one, two):
            await connected(app)
        await alice.join()
        await alice.publish()
        for app in (one, two):
            await app.session("alice", "connected")
        identities = [(await app.ask("getStatus"))["identity"] for app in (one, two)]
        assert len({*identities}) == 2
        for app in (one, two):
            law = app.judged()
            assert law.identities() == ["alice"]
            assert law.agent_states.count("connected") == 1
        processes = one.processes()
        await one.take("quit")
        await all_gone(processes)

        # The other one stays, and the first comes back as who it was.
        async with drive("one") as again:
            await again.session("alice", "connected")
            assert (await again.ask("getStatus"))["identity"] == identities[0]
        law = two.judged()
        assert law.identities() == ["alice"]
        assert law.agent_states.count("connected") == 1
