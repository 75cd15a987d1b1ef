"""One who joins with a connection of the sidecar's need not wait for the server's next batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import connect_params, identities, session_of

pytestmark = pytest.mark.full

TRIALS = 12
"""The server's tick may fall between the two joins and the asking: then a trial tells nothing."""


async def test_a_silent_person_with_our_connection_is_told_of_before_one_who_came_earlier(
    server: DevServer, room: str, person: Arrive, source_command: list[str], tmp_path: Path
) -> None:
    async with SidecarClient([*source_command, "--wait"]) as sidecar:
        await sidecar.call("connect", connect_params(server, room))
        for trial in range(TRIALS):
            earlier = person(f"earlier-{trial}")
            details = await sidecar.call("createConnection", {"identity": f"expected-{trial}"})
            expected = Person(server.url, str(details["token"]), str(details["identity"]))
            await earlier.join()
            await expected.join()
            await sidecar.notified(
                "session-created",
                lambda params: session_of(params)["participantId"] == expected.identity,  # noqa: B023
            )
            # One batch is taken as a whole: whom it holds besides is listed by now.
            is_first = earlier.identity not in await identities(sidecar)
            await earlier.leave()
            await expected.leave()
            if is_first:
                break
        else:
            raise AssertionError(f"in {TRIALS} trials nobody was announced before the batch")
        session = session_of(
            (
                await sidecar.notified(
                    "session-closed",
                    lambda params: session_of(params)["participantId"] == expected.identity,
                )
            ).params
        )
        assert session["attributes"] == {}
        assert session["metadata"] == ""
