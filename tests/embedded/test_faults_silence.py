"""A server that leaves the agent waiting: answered within 15 s, and joined once it speaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

import pytest
from livekit.protocol.rtc import SignalResponse

from sidecar.dev.embedded.script import Outgoing, Script
from tests.embedded import scripts
from tests.embedded.conftest import StartSidecar, scripted
from tests.embedded.held import DECIDED_S, Held
from tests.embedded.scripts import AGENT, SIGNALLING, Answering, Losing

REJOINED_S = 60.0
"""The longest backoff, 30 s, and a join."""


class Mangling(Script):
    """Sends the agent's join as something else, while `is_on`."""

    def __init__(self, mangle: Callable[[bytes], bytes]) -> None:
        """*mangle* takes the message's bytes."""
        self.is_on = True
        self._mangle = mangle

    def sends(self, identity: str, message: SignalResponse) -> Outgoing:
        """Mangle it, if it is the join."""
        if self.is_on and identity == AGENT and message.HasField("join"):
            return [self._mangle(message.SerializeToString())]
        return [message]


SILENT: Mapping[str, tuple[Callable[[], Answering | Losing | Mangling], str]] = {
    "no answer to the upgrade": (lambda: Answering(SIGNALLING, scripts.silence), "timeout"),
    "a byte a second": (lambda: Answering(SIGNALLING, scripts.a_byte_a_second), "timeout"),
    "no join": (lambda: Losing("join"), "timeout"),
    "no description of the connection": (lambda: Losing("answer", "offer"), "media-blocked"),
    "garbage for the join": (lambda: Mangling(lambda data: b"\xff" * len(data)), "timeout"),
    "half a join": (lambda: Mangling(lambda data: data[: len(data) // 2]), "timeout"),
}
"""What the server does, and the category once the SDK gives up."""


@pytest.mark.full
async def test_whatever_is_not_said_connect_is_answered_in_time_and_so_is_a_shutdown(
    sidecar_at: StartSidecar,
) -> None:
    """All at once, since each takes the 15 s."""
    async with contextlib.AsyncExitStack() as stack:
        sidecars: list[Held] = []
        for make, _ in SILENT.values():
            server = await stack.enter_async_context(scripted(make()))
            sidecars.append(await sidecar_at(server))
        told = await asyncio.gather(*(each.fails() for each in sidecars))
        for name, answer in zip(SILENT, told, strict=True):
            assert (name, answer["category"], answer["retryable"]) == (name, "timeout", True)
        for each in sidecars:
            # A connect is in flight that must not be cancelled.
            assert (await each.client.call("getStatus"))["state"] == "connecting"
            await each.stop()


@pytest.mark.full
@pytest.mark.parametrize("name", SILENT)
async def test_when_the_sdk_gives_up_the_cause_is_told_and_the_join_follows(
    sidecar_at: StartSidecar, name: str
) -> None:
    make, category = SILENT[name]
    script = make()
    async with scripted(script) as server:
        sidecar = await sidecar_at(server)
        await sidecar.fails()
        await sidecar.is_in("backoff", within_s=DECIDED_S)
        status = await sidecar.client.call("getStatus")
        assert isinstance(status["lastError"], dict)
        assert status["lastError"]["category"] == category
        script.is_on = False
        await sidecar.is_in("connected", within_s=DECIDED_S + REJOINED_S)
