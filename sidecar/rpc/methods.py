"""Owns the methods: params in, a call of the agent, a result out. No logic of its own.

Does not know bytes, nor how the agent does what it is asked.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from sidecar import __version__
from sidecar.core.config import Settings
from sidecar.core.contract.errors import InvalidParams, InvalidRequest, ShuttingDown
from sidecar.core.contract.messages import (
    AgentSession,
    ClientCapabilities,
    ConnectionDetails,
    ConnectionParams,
    Diagnosis,
    InitializeParams,
    InitializeResult,
    Server,
    SessionList,
    Status,
)
from sidecar.core.contract.protocol import METHODS, PROTOCOL_VERSION, Method
from sidecar.core.contract.wire import parse
from sidecar.core.registry.resumption import Inheritance, inheritance
from sidecar.rpc.jsonrpc import Handler
from sidecar.rpc.openrpc import document

SERVER_NAME = "clara-voice-sidecar"

_Call = Callable[[Any], object]
"""Takes the params of its own row of METHODS; Any: each row has a shape of its own."""


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

    def session(self, session_id: str) -> AgentSession:
        """One open session; `UnknownSession` where there is none of this id."""

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


class Client(Protocol):
    """What the methods need of the requests to the client."""

    def offers(self, capabilities: ClientCapabilities | None) -> None:
        """Take what the client says that it answers."""


def handlers(agent: Agent, process: Process, client: Client) -> dict[str, Handler]:
    """A handler for each method of METHODS, by name.

    Each raises a `SidecarError` for what its caller is to be told.
    """
    initialize = _Handshake(agent, process, client).initialize
    # Method: what it calls, and whether that is answered while the process is stopping.
    table: dict[str, tuple[_Call, bool]] = {
        "initialize": (initialize, False),
        "connect": (lambda params: agent.connect(Settings.given(params)), False),
        "disconnect": (lambda _: agent.disconnect(), False),
        "listSessions": (lambda _: agent.session_list(), True),
        "getSession": (lambda params: agent.session(params.session_id), True),
        "closeSession": (lambda params: agent.close_session(params.session_id), False),
        "createConnection": (lambda asked: agent.create_connection(asked, _new_identity()), False),
        "wake": (lambda _: agent.wake(), False),
        "getStatus": (lambda _: agent.status(), True),
        "diagnose": (lambda _: agent.diagnose(), False),
        "ping": (lambda _: "pong", True),
        "shutdown": (lambda _: process.stop(), True),
        "rpc.discover": (lambda _: document(), True),
    }
    return {
        name: _handler(METHODS[name], call, process, while_stopping=while_stopping)
        for name, (call, while_stopping) in table.items()
    }


class _Handshake:
    """`initialize`, once per process."""

    def __init__(self, agent: Agent, process: Process, client: Client) -> None:
        self._agent = agent
        self._process = process
        self._client = client
        self._is_done = False

    def initialize(self, params: InitializeParams) -> InitializeResult:
        if params.protocol_version != PROTOCOL_VERSION:
            raise InvalidParams(
                f"This sidecar speaks protocol version {PROTOCOL_VERSION}, not"
                f" {params.protocol_version}.",
                "Use a bridge and a sidecar of the same version.",
            )
        if self._is_done:
            raise InvalidRequest("Initialized already.", "Send `initialize` once per process.")
        if params.parent_pid is not None and params.parent_pid <= 0:
            raise InvalidParams(
                "Invalid params: params.parentPid must be a process id.", "Pass process.pid."
            )
        inherited = inheritance(params)
        if not inherited.is_empty:
            self._agent.resume(inherited)
        self._is_done = True
        if params.client is not None:
            self._client.offers(params.client.capabilities)
        if params.parent_pid is not None:
            self._process.watch_parent(params.parent_pid)
        return InitializeResult(
            protocol_version=PROTOCOL_VERSION,
            server=Server(name=SERVER_NAME, version=__version__),
            pid=os.getpid(),
            epoch=self._agent.epoch,
        )


def _handler(method: Method, call: _Call, process: Process, *, while_stopping: bool) -> Handler:
    def answer(*args: object, **params: object) -> object:
        if process.is_stopping and not while_stopping:
            raise ShuttingDown
        if args:
            raise InvalidParams(
                "Invalid params: params must be an object with named members.",
                "Name the params; rpc.discover describes every method.",
            )
        return call(parse(method.params, params, ignore_unknown=method.ignore_unknown))

    return answer


def _new_identity() -> str:
    """The identity of a page that names none."""
    return f"person-{secrets.token_hex(4)}"
