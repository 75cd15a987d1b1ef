"""Owns the methods: params in, a call of the agent, a result out. No logic of its own.

Does not know bytes, nor how the agent does what it is asked.
"""

from __future__ import annotations

import inspect
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sidecar import __version__
from sidecar.core.config import Settings
from sidecar.core.contract.errors import InvalidParams, InvalidRequest, ShuttingDown, UnknownSession
from sidecar.core.contract.messages import (
    AgentSession,
    ConnectionDetails,
    ConnectionParams,
    ConnectParams,
    Diagnosis,
    InitializeParams,
    InitializeResult,
    NoParams,
    Server,
    SessionList,
    SessionParams,
    Status,
    WakeParams,
)
from sidecar.core.contract.protocol import METHODS, PROTOCOL_VERSION, Method
from sidecar.core.contract.wire import parse, to_wire
from sidecar.core.registry.resumption import Inheritance, inheritance
from sidecar.rpc.jsonrpc import Handler
from sidecar.rpc.openrpc import document

SERVER_NAME = "clara-voice-sidecar"


class Agent(Protocol):
    """What the methods need of the agent."""

    @property
    def epoch(self) -> str:
        """A random id of this process."""

    async def connect(self, settings: Settings) -> Status:
        """Join; see `ClaraVoiceAgent.connect`."""

    async def disconnect(self) -> Status:
        """Leave."""

    async def close_session(self, session_id: str) -> AgentSession:
        """Remove a person."""

    async def create_connection(
        self, params: ConnectionParams, generated_identity: str
    ) -> ConnectionDetails:
        """A token for a page."""

    async def diagnose(self) -> Diagnosis:
        """Look for what is wrong."""

    def wake(self) -> None:
        """Look anew."""

    def resume(self, inherited: Inheritance) -> None:
        """Take over what an earlier process left."""

    def session_list(self) -> SessionList:
        """The open sessions."""

    def session(self, session_id: str) -> AgentSession | None:
        """One open session."""

    def status(self) -> Status:
        """The agent's state and figures."""


class Process(Protocol):
    """What the methods need of the process."""

    @property
    def is_stopping(self) -> bool:
        """Whether the drain has begun."""

    def stop(self) -> None:
        """Begin the drain, after what is queued now."""

    def watch_parent(self, pid: int) -> None:
        """Begin the drain once the process *pid* is gone."""


@dataclass(slots=True)
class _Handshake:
    is_done: bool = False


def handlers(agent: Agent, process: Process) -> dict[str, Handler]:
    """A handler for each method of METHODS, by name.

    Each raises a `SidecarError` for what its caller is to be told.
    """
    handshake = _Handshake()

    def initialize(params: InitializeParams) -> InitializeResult:
        if params.protocol_version != PROTOCOL_VERSION:
            raise InvalidParams(
                f"This sidecar speaks protocol version {PROTOCOL_VERSION}, not"
                f" {params.protocol_version}.",
                "Use a bridge and a sidecar of the same version.",
            )
        if handshake.is_done:
            raise InvalidRequest("Initialized already.", "Send `initialize` once per process.")
        if params.parent_pid is not None and params.parent_pid <= 0:
            raise InvalidParams(
                "Invalid params: params.parentPid must be a process id.", "Pass process.pid."
            )
        inherited = inheritance(params)
        if not inherited.is_empty:
            agent.resume(inherited)
        handshake.is_done = True
        if params.parent_pid is not None:
            process.watch_parent(params.parent_pid)
        return InitializeResult(
            protocol_version=PROTOCOL_VERSION,
            server=Server(name=SERVER_NAME, version=__version__),
            pid=os.getpid(),
            epoch=agent.epoch,
        )

    async def connect(params: ConnectParams) -> Status:
        return await agent.connect(
            Settings(
                url=params.url,
                api_key=params.api_key,
                api_secret=params.api_secret,
                token=params.token,
                room=params.room,
                identity=params.identity,
                name=params.name,
                auto_subscribe=params.auto_subscribe,
            )
        )

    async def disconnect(_: NoParams) -> Status:
        return await agent.disconnect()

    def list_sessions(_: NoParams) -> SessionList:
        return agent.session_list()

    def get_session(params: SessionParams) -> AgentSession:
        session = agent.session(params.session_id)
        if session is None:
            raise UnknownSession(
                "No open session has this id.", "Ask `listSessions` for those that are open."
            )
        return session

    async def close_session(params: SessionParams) -> AgentSession:
        return await agent.close_session(params.session_id)

    async def create_connection(params: ConnectionParams) -> ConnectionDetails:
        return await agent.create_connection(params, f"person-{secrets.token_hex(4)}")

    async def diagnose(_: NoParams) -> Diagnosis:
        return await agent.diagnose()

    def wake(_: WakeParams) -> None:
        agent.wake()

    def get_status(_: NoParams) -> Status:
        return agent.status()

    def ping(_: NoParams) -> str:
        return "pong"

    def shutdown(_: NoParams) -> None:
        process.stop()

    def discover(_: NoParams) -> object:
        return document()

    answered_while_stopping = {
        "listSessions",
        "getSession",
        "getStatus",
        "ping",
        "shutdown",
        "rpc.discover",
    }
    bound: dict[str, Callable[[Any], object]] = {
        "initialize": initialize,
        "connect": connect,
        "disconnect": disconnect,
        "listSessions": list_sessions,
        "getSession": get_session,
        "closeSession": close_session,
        "createConnection": create_connection,
        "diagnose": diagnose,
        "wake": wake,
        "getStatus": get_status,
        "ping": ping,
        "shutdown": shutdown,
        "rpc.discover": discover,
    }

    def admit(name: str) -> None:
        if process.is_stopping and name not in answered_while_stopping:
            raise ShuttingDown

    return {name: _handler(METHODS[name], call, admit) for name, call in bound.items()}


def _handler(
    method: Method, call: Callable[[Any], object], admit: Callable[[str], None]
) -> Handler:
    def read(args: tuple[object, ...], params: dict[str, object]) -> object:
        admit(method.name)
        if args:
            raise InvalidParams(
                "Invalid params: params must be an object with named members.",
                "Name the params; rpc.discover describes every method.",
            )
        return parse(method.params, params, ignore_unknown=method.ignore_unknown)

    if inspect.iscoroutinefunction(call):

        async def answer_later(*args: object, **params: object) -> object:
            result: Awaitable[object] = call(read(args, params))
            return to_wire(await result)

        return answer_later

    def answer(*args: object, **params: object) -> object:
        return to_wire(call(read(args, params)))

    return answer
