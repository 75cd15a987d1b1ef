"""A plug-in that goes wrong: what it does is said, and no other session is harmed."""

from __future__ import annotations

import asyncio
import time

import pytest

from sidecar.dev.stdio_client import RpcError, SidecarClient
from tests.livekit.stdio import session_of
from tests.livekit.voice.conftest import Serve, Talk, arrived, asked, events_of

pytestmark = pytest.mark.full

PING_WITHIN_S = 1.0
CREATED_WITHIN_S = 3.0


async def failed(sidecar: SidecarClient, word: str) -> None:
    """Wait until the event `failed` says *word*."""
    await sidecar.notified(
        "session-event",
        lambda params: params["name"] == "failed" and word in str(params["content"]),
    )


@pytest.mark.parametrize(
    ("does", "params", "said"),
    [
        ("block", {"seconds": 4}, "blocks"),
        ("spin", {"seconds": 4}, "blocks"),
        ("flood", {"count": 4_000}, ""),
        ("flood_context", {"count": 100_000}, ""),
        ("flood_words", {"count": 3_000}, ""),
        ("flood_texts", {"count": 3_000}, ""),
        ("never", {}, ""),
        ("fail", {}, ""),
    ],
)
async def test_no_other_session_waits_for_what_a_plug_in_does(
    serve: Serve, talker: Talk, does: str, params: dict[str, object], said: str
) -> None:
    async with serve() as sidecar:
        anna_id = await arrived(sidecar, talker("anna"))
        doing = asyncio.ensure_future(asked(sidecar, does, anna_id, **params))
        if said:
            await failed(sidecar, said)
        began_s = time.monotonic()
        await sidecar.request("ping")
        pinged_s = time.monotonic()
        ben = talker("ben")
        ben_id = await arrived(sidecar, ben)
        created_s = time.monotonic()
        await ben.leave()
        closed = await sidecar.notified("session-closed")
        assert (session_of(closed.params)["sessionId"], closed.params["reason"]) == (ben_id, "left")
        assert pinged_s - began_s < PING_WITHIN_S
        assert created_s - pinged_s < CREATED_WITHIN_S
        await asyncio.wait({doing})
        session = await sidecar.call("getSession", {"sessionId": anna_id})
        assert session["connectionState"] == "connected"
        assert await asked(sidecar, "heard", anna_id) == [0, 0]


async def test_a_method_that_raises_or_does_not_answer_is_an_error_for_its_caller_alone(
    serve: Serve, talker: Talk
) -> None:
    async with serve(voice={"key": "secret-key-of-the-app"}) as sidecar:
        anna_id = await arrived(sidecar, talker("anna"))
        with pytest.raises(RpcError) as raised:
            await asked(sidecar, "fail", anna_id)
        assert (raised.value.code, "secret" in str(raised.value)) == (-32603, False)
        await sidecar.logged("KeyError: 'no such key: [secret]'")
        with pytest.raises(RpcError, match="within 10 s") as late:
            await asked(sidecar, "never", anna_id)
        assert late.value.code == -32603


async def test_what_run_raises_is_logged_and_told_and_the_session_goes_on(
    serve: Serve, talker: Talk
) -> None:
    settings = {"key": "secret-key-of-the-app"}
    async with serve("Raising", voice=settings) as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna)
        failed = await sidecar.notified("session-event", lambda params: params["name"] == "failed")
        assert failed.params["sessionId"] == anna_id
        assert str(failed.params["content"]).startswith("{'error': \"KeyError:")
        await sidecar.logged(f"The voice of session {anna_id} failed.")
        assert (await sidecar.call("getSession", {"sessionId": anna_id}))["sessionId"] == anna_id
        assert "secret-key-of-the-app" not in "\n".join(sidecar.stderr_lines)
        await anna.leave()
        closed = await sidecar.notified("session-closed")
        assert closed.params["reason"] == "left"


async def test_a_plug_in_that_never_ends_is_named(serve: Serve, talker: Talk) -> None:
    async with serve("Endless") as sidecar:
        anna = talker("anna")
        anna_id = await arrived(sidecar, anna)
        await anna.leave()
        await sidecar.notified("session-closed")
        said = f"The voice of session {anna_id} goes on 5 s after the session closed"
        assert said in await sidecar.logged(said)


async def test_a_flood_of_events_is_dropped_and_shows_in_the_numbers(
    serve: Serve, talker: Talk
) -> None:
    async with serve() as sidecar:
        anna_id = await arrived(sidecar, talker("anna"))
        await asked(sidecar, "flood", anna_id, count=4_000)
        assert await sidecar.request("ping") == "pong"
        await asked(sidecar, "context", anna_id, content={"after": "the flood"})
        await sidecar.notified("session-updated", lambda params: "context" in params["changed"])
        await asked(sidecar, "write", anna_id, role="user", text="still here")
        numbers = [int(str(each["number"])) for each in events_of(sidecar, anna_id)]
        assert numbers == sorted(set(numbers))
