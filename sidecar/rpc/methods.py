"""Owns the methods: checks the params, calls the agent or the process, returns the result.

Adds no logic of its own. Does not know bytes, nor how the agent works.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from sidecar import __version__
from sidecar.core.config import Settings
from sidecar.core.contract.errors import InvalidParams, InvalidRequest, NotAllowed, ShuttingDown
from sidecar.core.contract.messages import (
    AgentSession,
    ClientCapabilities,
    ClosedSessionList,
    ClosedSessionsParams,
    ConnectionDetails,
    ConnectionParams,
    ConversationPage,
    ConversationParams,
    Diagnosis,
    InitializeParams,
    InitializeResult,
    ListParams,
    SendTextParams,
    Server,
    SessionList,
    Status,
)
from sidecar.core.contract.protocol import METHODS, PROTOCOL_VERSION, Method, PluginMethod
from sidecar.core.contract.wire import parse
from sidecar.rpc.jsonrpc import Handler
from sidecar.rpc.openrpc import encoded_document

if TYPE_CHECKING:
    from sidecar.core.registry.resumption import Inheritance

SERVER_NAME = "clara-voice-sidecar"

MAX_PID = 2**32 - 1
"""The largest process id: that of Windows (a DWORD). Linux and macOS stay far below it."""

_Call = Callable[[Any], object]
"""Takes the params of one row of METHODS. Any, because each row has its own shape."""


class Agent(Protocol):
    """The calls of the agent that the methods make."""

    async def connect(self, settings: Settings) -> Status:
        """Join the room; see `ClaraVoiceAgent.connect`."""

    async def disconnect(self) -> Status:
        """Leave the room and close every session."""

    async def close_session(self, session_id: str) -> AgentSession:
        """Remove the session's participant from the room; return the closed session."""

    async def create_connection(
        self, params: ConnectionParams, generated_identity: str
    ) -> ConnectionDetails:
        """Make an access token with which a page can join the room."""

    async def diagnose(self) -> Diagnosis:
        """Check everything that can keep the agent out of its room."""

    def wake(self) -> None:
        """Compare the sessions with the server's list now, or retry a join now."""

    def resume(self, inherited: Inheritance) -> None:
        """Take over the sessions of an earlier process, before the first one is created."""

    def session_list(self, params: ListParams) -> SessionList:
        """Return a page of the open sessions; see `ClaraVoiceAgent.session_list`."""

    def closed_sessions(self, params: ClosedSessionsParams) -> ClosedSessionList:
        """Return a page of the last closed sessions."""

    def session(self, session_id: str) -> AgentSession:
        """Return one open session.

        Raises:
            UnknownSession: no open session has this id.
        """

    def status(self) -> Status:
        """Return the agent's state and counters."""


class Process(Protocol):
    """The calls of the process that the methods make."""

    @property
    def epoch(self) -> str:
        """A random id of this process."""

    @property
    def is_stopping(self) -> bool:
        """Whether the drain has begun."""

    def stop(self) -> None:
        """Begin the drain once the loop has run the callbacks that are queued now."""

    def resumed(self, sessions: Iterable[AgentSession]) -> None:
        """Note that the client has these sessions from an earlier process."""

    def watch_parent(self, pid: int) -> None:
        """Begin the drain when the process *pid* has ended."""


class Client(Protocol):
    """The call by which the methods set up requests to the client."""

    def offers(self, capabilities: ClientCapabilities | None) -> None:
        """Store which requests the client can answer."""


class Voices(Protocol):
    """The calls of the voice plug-ins that the methods make."""

    @property
    def methods(self) -> Mapping[str, PluginMethod]:
        """The plug-in's own methods, by their full names."""

    def configure(self, settings: object) -> None:
        """Take the settings of `initialize`."""

    def conversation(self, params: ConversationParams) -> ConversationPage:
        """Return a page of a session's conversation."""

    async def call(self, name: str, params: Mapping[str, object]) -> object:
        """Call a method of a session's plug-in."""

    async def send_text(self, params: SendTextParams) -> None:
        """Send a text to the session's participant."""


def handlers(
    agent: Callable[[], Agent], process: Process, client: Client, voices: Voices | None = None
) -> dict[str, Handler]:
    """Return a handler for each method of METHODS and of the plug-in, by method name.

    *agent* returns the agent; the methods that need the agent call it, so the first answer of the
    process does not wait for it. A handler raises a `SidecarError` when the caller must get an
    error answer.
    """
    initialize = _Handshake(agent, process, client, voices).initialize
    own = {} if voices is None else voices.methods
    # Each method: its call, and whether the process still answers it while it stops.
    table: dict[str, tuple[_Call, bool]] = {
        "initialize": (initialize, False),
        "connect": (lambda params: agent().connect(Settings.given(params)), False),
        "disconnect": (lambda _: agent().disconnect(), False),
        "listSessions": (lambda params: agent().session_list(params), True),
        "getSession": (lambda params: agent().session(params.session_id), True),
        "closeSession": (lambda params: agent().close_session(params.session_id), False),
        "createConnection": (
            lambda asked: agent().create_connection(asked, _new_identity()),
            False,
        ),
        "wake": (lambda _: agent().wake(), False),
        "getStatus": (lambda _: agent().status(), True),
        "diagnose": (lambda _: agent().diagnose(), False),
        "ping": (lambda _: "pong", True),
        "shutdown": (lambda _: process.stop(), True),
        "rpc.discover": (lambda _: encoded_document(tuple(own.values())), True),
        "listClosedSessions": (lambda params: agent().closed_sessions(params), True),
        "sendText": (lambda params: _send_text(agent(), voices, params), False),
        "getConversation": (lambda params: _conversation(agent(), voices, params), True),
    }
    found = {
        name: _handler(METHODS[name], call, process, while_stopping=while_stopping)
        for name, (call, while_stopping) in table.items()
    }
    if voices is not None:
        found |= {name: _plugin_handler(name, voices, process) for name in own}
    return found


class _Handshake:
    """Answers `initialize`, once per process."""

    def __init__(
        self, agent: Callable[[], Agent], process: Process, client: Client, voices: Voices | None
    ) -> None:
        self._voices = voices
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
        if params.parent_pid is not None and not 0 < params.parent_pid <= MAX_PID:
            raise InvalidParams(
                "Invalid params: params.parentPid must be a process id.", "Pass process.pid."
            )
        inherited = _inherited(params)
        if self._voices is not None and params.voice is not None:
            self._voices.configure(params.voice)
        if inherited is not None and not inherited.is_empty:
            self._agent().resume(inherited)
            self._process.resumed(inherited.sessions)
        self._is_done = True
        if params.client is not None:
            self._client.offers(params.client.capabilities)
        if params.parent_pid is not None:
            self._process.watch_parent(params.parent_pid)
        return InitializeResult(
            protocol_version=PROTOCOL_VERSION,
            server=Server(name=SERVER_NAME, version=__version__),
            pid=os.getpid(),
            epoch=self._process.epoch,
        )


def _inherited(params: InitializeParams) -> Inheritance | None:
    """Read what an earlier process left; None at a first start, which needs no module for it.

    Raises:
        InvalidParams: see `inheritance`.
    """
    if not (params.resume or params.used_ids or params.outage_ms or params.server_ahead_ms):
        return None
    from sidecar.core.registry.resumption import inheritance

    return inheritance(params)


def _conversation(
    agent: Agent, voices: Voices | None, params: ConversationParams
) -> ConversationPage:
    agent.session(params.session_id)
    return ConversationPage(messages=()) if voices is None else voices.conversation(params)


async def _send_text(agent: Agent, voices: Voices | None, params: SendTextParams) -> None:
    agent.session(params.session_id)
    if voices is None:
        raise NotAllowed(
            "The agent's token does not allow sending text.",
            "Start the sidecar with a voice plug-in whose `needs` have TEXT.",
        )
    await voices.send_text(params)


def _plugin_handler(name: str, voices: Voices, process: Process) -> Handler:
    def answer(*args: object, **params: object) -> object:
        if process.is_stopping:
            raise ShuttingDown
        if args:
            raise _unnamed()
        return voices.call(name, params)

    return answer


def _handler(method: Method, call: _Call, process: Process, *, while_stopping: bool) -> Handler:
    def answer(*args: object, **params: object) -> object:
        if process.is_stopping and not while_stopping:
            raise ShuttingDown
        if args:
            raise _unnamed()
        return call(parse(method.params, params, ignore_unknown=method.ignore_unknown))

    return answer


def _unnamed() -> InvalidParams:
    return InvalidParams(
        "Invalid params: params must be an object with named members.",
        "Name the params; rpc.discover describes every method.",
    )


def _new_identity() -> str:
    """Make the identity for a page that asked for no particular one."""
    return f"person-{os.urandom(4).hex()}"
