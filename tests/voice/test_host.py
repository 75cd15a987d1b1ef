"""The laws of the plug-ins' thread: the end of one plug-in is no other's end."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from sidecar.core.contract.messages import AgentSession, SessionEvent
from sidecar.core.sound import Needs
from sidecar.voice import Session, Voice, method
from sidecar.voice.host import Host
from sidecar.voice.testing import Stage

WITHIN_S = 10.0


class Exiting(Voice):
    """Calls `sys.exit` where it is told to."""

    name = "exiting"
    needs = Needs(0)

    async def run(self, session: Session) -> None:
        session.emit("running", None)
        await asyncio.Event().wait()

    @method
    def alive(self) -> bool:
        return True

    @method
    def exit(self) -> None:
        sys.exit(3)

    @method
    async def exit_in_a_task(self) -> None:
        async def work() -> None:
            sys.exit(3)

        self.task = asyncio.create_task(work())


def session_of(identity: str) -> AgentSession:
    return Stage(Exiting, identity=identity).session.now


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """A host that serves anna and bert on a thread of its own."""
    running = asyncio.Semaphore(0)
    agent_loop = asyncio.get_running_loop()

    def tell(told: object) -> None:
        if isinstance(told, SessionEvent) and told.name == "running":
            agent_loop.call_soon_threadsafe(running.release)

    loop = asyncio.new_event_loop()
    call = SimpleNamespace(close=lambda: None)
    calls = SimpleNamespace(open=lambda *_: call, missing=lambda: Needs(0))
    host = Host(Exiting, calls, loop, tell, "epoch", lambda _: None)  # type: ignore[arg-type]
    host.attach(SimpleNamespace(status=None))  # type: ignore[arg-type]
    for identity in ("anna", "bert"):
        host.opened(session_of(identity))
        async with asyncio.timeout(WITHIN_S):
            await running.acquire()
    yield host
    for identity in ("anna", "bert"):
        host.closed(session_of(identity))
    (thread,) = (each for each in threading.enumerate() if each.name == "voice")
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join, WITHIN_S)
    loop.close()


async def is_alive(host: Host, session: AgentSession) -> bool:
    """Whether the session's plug-in answers."""
    async with asyncio.timeout(WITHIN_S):
        answer = await host.call("exiting.alive", {"sessionId": session.session_id})
    return answer.value is True


async def test_a_method_that_exits_fails_alone(host: Host) -> None:
    anna, bert = session_of("anna"), session_of("bert")
    with pytest.raises(RuntimeError, match=r"exiting\.exit tried to end the process") as raised:
        await host.call("exiting.exit", {"sessionId": anna.session_id})
    assert isinstance(raised.value.__cause__, SystemExit)
    assert await is_alive(host, anna)
    assert await is_alive(host, bert)


async def test_a_plugin_s_own_task_that_exits_is_logged_and_ends_no_session(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    anna, bert = session_of("anna"), session_of("bert")
    await host.call("exiting.exit_in_a_task", {"sessionId": anna.session_id})
    assert await is_alive(host, bert)
    assert await is_alive(host, anna)
    (record,) = (each for each in caplog.records if each.name == "sidecar.voice")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], SystemExit)
