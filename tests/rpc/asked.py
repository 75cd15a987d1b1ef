"""The methods on an agent and a process that only keep what they were asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sidecar import __version__
from sidecar.core.config import NO_CAPABILITIES, Settings
from sidecar.core.contract.errors import UnknownSession
from sidecar.core.contract.messages import (
    AgentSession,
    AgentState,
    Check,
    ClientCapabilities,
    ClosedSessionList,
    ClosedSessionsParams,
    ConnectionDetails,
    ConnectionParams,
    Counters,
    Diagnosis,
    ListParams,
    SessionList,
    Status,
)
from sidecar.core.contract.wire import IsoTime
from sidecar.core.registry.resumption import Inheritance
from sidecar.rpc.methods import handlers
from tests.rpc.notices import session
from tests.rpc.peer import Peer, request

INITIALIZE: dict[str, object] = {"protocolVersion": 1}
VALID: dict[str, dict[str, object]] = {
    "initialize": INITIALIZE,
    "getSession": {"sessionId": "session_1_anna"},
    "getConversation": {"sessionId": "session_1_anna"},
    "sendText": {"sessionId": "session_1_anna", "text": "hello"},
    "closeSession": {"sessionId": "session_1_anna"},
    "wake": {"reason": "system-resume"},
}
"""Params of the methods that need some; the others take none."""
ANNA = session("anna")


class FakeAgent:
    """An agent in no room, with one session; keeps what it was asked for."""

    epoch = "epoch"

    def __init__(self) -> None:
        self.asked: list[object] = []
        """What would change something, in order."""
        self.failure: Exception | None = None

    async def connect(self, settings: Settings) -> Status:
        self.asked.append(settings)
        if self.failure is not None:
            raise self.failure
        return self.status()

    async def disconnect(self) -> Status:
        return self.status()

    async def close_session(self, session_id: str) -> AgentSession:
        self.asked.append(session_id)
        return ANNA

    async def create_connection(
        self, params: ConnectionParams, generated_identity: str
    ) -> ConnectionDetails:
        self.asked.append(params)
        expires_at = IsoTime("2026-01-31T12:00:00.000Z")
        identity = params.identity or generated_identity
        return ConnectionDetails("ws://127.0.0.1:7880", "room", identity, "a.b.c", expires_at)

    async def diagnose(self) -> Diagnosis:
        self.asked.append("diagnose")
        return Diagnosis(True, (Check("room", True, "The agent is in room 'den'."),))

    def wake(self) -> None:
        self.asked.append("wake")

    def resume(self, inherited: Inheritance) -> None:
        self.asked.append(inherited)

    def session_list(self, params: ListParams) -> SessionList:
        return SessionList((ANNA,), 3, self.epoch)

    def closed_sessions(self, params: ClosedSessionsParams) -> ClosedSessionList:
        """None closed."""
        self.asked.append(params)
        return ClosedSessionList(())

    def session(self, session_id: str) -> AgentSession:
        if session_id != ANNA.session_id:
            raise UnknownSession
        return ANNA

    def status(self) -> Status:
        return Status(
            state=AgentState.IDLE,
            room=None,
            url=None,
            identity=None,
            sessions=1,
            seq=3,
            epoch=self.epoch,
            uptime_seconds=1.5,
            attempt=0,
            warnings=(),
            rss_bytes=0,
            capabilities=NO_CAPABILITIES,
            counters=Counters(created=1, closed=0, errors=0, reconnects=0, dropped=0),
            versions={"sidecar": __version__},
        )


class FakeProcess:
    """Keeps what the methods ask of the process."""

    epoch = FakeAgent.epoch

    def __init__(self) -> None:
        self.is_stopping = False
        self.watched: list[int] = []
        self.sessions_resumed: tuple[AgentSession, ...] = ()

    def stop(self) -> None:
        self.is_stopping = True

    def resumed(self, sessions: Iterable[AgentSession]) -> None:
        self.sessions_resumed = tuple(sessions)

    def watch_parent(self, pid: int) -> None:
        self.watched.append(pid)


class FakeClient:
    """Keeps what the client offers."""

    def __init__(self) -> None:
        self.offered: list[ClientCapabilities | None] = []

    def offers(self, capabilities: ClientCapabilities | None) -> None:
        self.offered.append(capabilities)


class Methods:
    """All methods behind a dispatcher, on the two fakes."""

    def __init__(self) -> None:
        self.agent, self.process = FakeAgent(), FakeProcess()
        self.client = FakeClient()
        self.handlers = handlers(lambda: self.agent, self.process, self.client)
        self.peer = Peer(self.handlers)

    async def ask(self, method: str, params: object = None) -> dict[str, Any]:
        """Send one request and give its whole answer."""
        self.peer.lines.clear()
        self.peer.say(request(method, params))
        (answer,) = await self.peer.all_answers()
        assert isinstance(answer, dict)
        return answer

    async def error_of(self, method: str, params: object = None) -> dict[str, Any]:
        """Send one request and give the error it is answered with, which has a fix."""
        answer = await self.ask(method, params)
        assert set(answer) == {"jsonrpc", "id", "error"}, answer
        error: dict[str, Any] = answer["error"]
        assert isinstance(error["data"]["fix"], str)
        assert error["data"]["fix"].endswith(".")
        assert error["message"].endswith(".")
        return error
