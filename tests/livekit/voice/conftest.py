"""What the tests of voice plug-ins share: a sidecar with a plug-in, and people who play tones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, SidecarClient
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import connect_params, session_of, with_plug_in
from tests.livekit.voice.talker import Talker
from tests.repository import ROOT

AGENT = "clara-voice-agent"
STARTS_WITHIN_S = 60.0
"""For Python to start and import the plug-in on a busy machine."""
Talk = Callable[[str], Talker]
Serve = Callable[..., AbstractAsyncContextManager[SidecarClient]]


@pytest.fixture
def serve(server: DevServer, room: str) -> Serve:
    """Run a sidecar with a plug-in of `probe.py`, in the test's room."""

    @asynccontextmanager
    async def run(
        plugin: str = "Probe", *, params: JsonObject | None = None, **initialize: object
    ) -> AsyncIterator[SidecarClient]:
        named = f"tests.livekit.voice.probe:{plugin}"
        command = with_plug_in(named)
        async with SidecarClient(command, cwd=ROOT) as sidecar:
            first = {"protocolVersion": 1, **initialize}
            await sidecar.call("initialize", first, timeout_s=STARTS_WITHIN_S)
            await sidecar.call("connect", params or connect_params(server, room))
            yield sidecar

    return run


@pytest_asyncio.fixture
async def talker(person: Arrive) -> AsyncIterator[Talk]:
    """Make people who play tones; all have left when the test ends."""
    made: list[Talker] = []

    def make(identity: str) -> Talker:
        made.append(Talker(person(identity)))
        return made[-1]

    yield make
    for each in made:
        await each.leave()


async def session_id_of(sidecar: SidecarClient, identity: str) -> str:
    """The id of the session of *identity*, once it is created."""
    created = await sidecar.notified(
        "session-created", lambda params: session_of(params)["participantId"] == identity
    )
    return str(session_of(created.params)["sessionId"])


async def arrived(sidecar: SidecarClient, talker: Talker, hz: int = 0) -> str:
    """Let a person join, and play a tone if *hz* is not 0; return the session's id."""
    await talker.person.join()
    if hz:
        await talker.talk(hz)
    else:
        await talker.person.set_attributes({"here": "yes"})
    return await session_id_of(sidecar, talker.person.identity)


def events_of(sidecar: SidecarClient, session_id: str, name: str = "") -> list[JsonObject]:
    """The events of a session so far."""
    return [
        each.params
        for each in sidecar.notifications
        if each.method == "session-event"
        and each.params["sessionId"] == session_id
        and name in ("", each.params["name"])
    ]


async def asked(sidecar: SidecarClient, method: str, session_id: str, **params: object) -> object:
    """The result of a method of the plug-in."""
    return await sidecar.request(f"probe.{method}", {"sessionId": session_id, **params})


async def hears(sidecar: SidecarClient, session_id: str, hz: int) -> None:
    """Wait until the session's plug-in hears *hz*."""
    found: object = None
    try:
        async with asyncio.timeout(20):
            while not (isinstance(found, list) and abs(found[1] - hz) <= 20 and found[0] > 10):
                found = await asked(sidecar, "heard", session_id)
    except TimeoutError:
        raise AssertionError(f"heard [frames, Hz]: {found}, not {hz}") from None
