"""The sidecar's process is stopped in the middle of a connect, and goes on.

LiveKit's native layer gives up on a connect whose last word it does not hear for 15 s, and ends its
process (livekit/python-sdks#784); that end is status 70, and the parent starts another process.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from sidecar.dev.child import ChildGone
from sidecar.dev.stdio_client import RpcError
from sidecar.tasks import BUG_STATUS
from tests.livekit.faults.proxy import Mode
from tests.livekit.faults.rows import row
from tests.livekit.faults.stage import Stage
from tests.livekit.faults.watched import ANNOUNCED_S, REJOINED_S, Agent

PHASES = ("at once", "signalling", "media")
"""Where the stop falls: early; while the server's answer is awaited; while the media path is."""


async def _stopped(stage: Stage, seconds: float) -> None:
    """In each phase a sidecar of its own, of its own identity, all at once."""
    await stage.serve(media_far=True)
    bob = await stage.person("bob")

    async def one(phase: str) -> None:
        way = await stage.way(media_far=True)
        agent = await stage.agent(connects=False, url=way.url, identity=f"clara-{phase}")
        if phase != "at once":
            way.set(Mode.SILENT, media_alone=phase == "media")
        connecting = asyncio.create_task(_connect(agent, seconds + REJOINED_S))
        await agent.is_in("connecting")
        if phase == "media":
            async with asyncio.timeout(ANNOUNCED_S):
                await way.media_tried()
        agent.client.freeze()
        if phase != "at once":
            assert agent.fold().agent_states == ["connecting"]
        await asyncio.sleep(seconds)
        way.set(Mode.PASS)
        agent.client.thaw()
        if await _panicked(agent, connecting):
            stage.forget(agent)
            return
        await agent.is_in("connected", within_s=REJOINED_S)
        await agent.sees(bob)

    await asyncio.gather(*map(one, PHASES))


async def _connect(agent: Agent, timeout_s: float) -> None:
    with contextlib.suppress(RpcError):  # 1002 timeout: it goes on trying by itself
        await agent.client.request("connect", agent.connect_params, timeout_s=timeout_s)


async def _panicked(agent: Agent, connecting: asyncio.Task[None]) -> bool:
    try:
        await connecting
    except ChildGone:
        assert await agent.client.wait() == BUG_STATUS
        return True
    return False


@row
async def test_a_connect_stopped_for_5_s(stage: Stage) -> None:
    """Accepted: it joins all the same."""
    await _stopped(stage, 5.0)


@pytest.mark.full
@row
async def test_a_connect_stopped_for_20_s(stage: Stage) -> None:
    """Accepted: it joins all the same, or the process has ended with status 70."""
    await _stopped(stage, 20.0)


@pytest.mark.full
@row
async def test_a_connect_stopped_for_60_s(stage: Stage) -> None:
    """Accepted: it joins all the same, or the process has ended with status 70."""
    await _stopped(stage, 60.0)
