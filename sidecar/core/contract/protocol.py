"""Owns the contract of the wire, written once: METHODS, CLIENT_REQUESTS, NOTIFICATIONS, ERRORS.

The OpenRPC document, the bridge's types and the docs are generated from these tables and from the
shapes in messages.py: generate them anew after a change. Does not know the handlers of the methods,
nor how bytes travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from sidecar.core.contract.errors import ErrorCode
from sidecar.core.contract.messages import (
    AccessToken,
    AgentSession,
    AgentStateChanged,
    ClosedSessionList,
    ClosedSessionsParams,
    ConnectionDetails,
    ConnectionParams,
    ConnectParams,
    ConversationPage,
    ConversationParams,
    Diagnosis,
    Health,
    InitializeParams,
    InitializeResult,
    ListParams,
    NoParams,
    ProxyRequest,
    SendTextParams,
    SessionClosed,
    SessionCreated,
    SessionEvent,
    SessionList,
    SessionParams,
    SessionUpdated,
    Status,
    TokenRequest,
    WakeParams,
)
from sidecar.core.values import dataclass

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest line in each direction, without its newline."""
AGENT_IDENTITY_PREFIX = "clara-voice-agent"
"""Identities of agents begin so: the default, and the bridge's, with 8 hex digits for each
installation. A page cannot have one."""
MAX_VALUES = 1_000_000
"""JSON values in one line: 16 MiB of empty lists would take 700 MB and 2.5 s."""
MAX_BATCH = 1_000
"""Members of one batch. The specification sets no limit; this one bounds the memory."""
MAX_IN_FLIGHT = 1_024
"""Requests that wait for an answer; further ones are refused."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row of METHODS."""

    name: str
    summary: str
    params: type
    result: object
    """A dataclass, a Literal, None, or `object` for the OpenRPC document."""
    errors: tuple[ErrorCode, ...] = ()
    ignore_unknown: bool = False


@dataclass(frozen=True, slots=True)
class PluginParam:
    """One param of a voice plug-in's method."""

    name: str
    is_required: bool
    json_schema: Mapping[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True)
class PluginMethod:
    """One method of a voice plug-in. Its name has a dot; it takes `sessionId` too."""

    name: str
    summary: str
    params: tuple[PluginParam, ...]


METHODS: dict[str, Method] = {
    row.name: row
    for row in (
        Method(
            "initialize",
            "Handshake: checks the protocol version. Optional, so that a human can type requests.",
            InitializeParams,
            InitializeResult,
            ignore_unknown=True,
        ),
        Method(
            "connect",
            "Joins a room. Answers when the first attempt succeeds or fails. After 15 s it answers"
            " error 1002 with category `timeout`, and the attempt goes on. With `join: 'needed'`"
            " and no person in the room it answers at once.",
            ConnectParams,
            Status,
            (ErrorCode.NOT_CONNECTED, ErrorCode.CONNECT_FAILED, ErrorCode.OTHER_ROOM),
        ),
        Method(
            "disconnect",
            "Leaves the room. Open sessions close with `agent-disconnected`.",
            NoParams,
            Status,
        ),
        Method(
            "listSessions",
            "Returns the open sessions. A list too long for one line has more pages: pass `next`.",
            ListParams,
            SessionList,
        ),
        Method(
            "getSession",
            "Returns one open session.",
            SessionParams,
            AgentSession,
            (ErrorCode.UNKNOWN_SESSION,),
        ),
        Method(
            "getConversation",
            "Returns the messages of a session that the voice plug-in kept, oldest first.",
            ConversationParams,
            ConversationPage,
            (ErrorCode.UNKNOWN_SESSION,),
        ),
        Method(
            "listClosedSessions",
            "Returns the last 256 closed sessions of this process, the oldest close first.",
            ClosedSessionsParams,
            ClosedSessionList,
        ),
        Method(
            "sendText",
            "Sends a text to the session's participant only. Needs a voice plug-in with TEXT.",
            SendTextParams,
            None,
            (ErrorCode.UNKNOWN_SESSION, ErrorCode.API_CALL_FAILED, ErrorCode.NOT_ALLOWED),
        ),
        Method(
            "closeSession",
            "Removes a participant from the room. Answers the closed session after session-closed.",
            SessionParams,
            AgentSession,
            (ErrorCode.UNKNOWN_SESSION, ErrorCode.API_CALL_FAILED, ErrorCode.NOT_ALLOWED),
        ),
        Method(
            "createConnection",
            "Returns url and access token, with which a page joins the agent's room.",
            ConnectionParams,
            ConnectionDetails,
            (ErrorCode.NOT_ALLOWED, ErrorCode.IDENTITY_PRESENT),
        ),
        Method(
            "wake",
            "Send it when the system resumed or the network is back. Ends a backoff at once, and"
            " compares the sessions with the server's list.",
            WakeParams,
            None,
        ),
        Method("getStatus", "Returns the agent's state and counters.", NoParams, Status),
        Method(
            "diagnose",
            "Checks why the agent cannot join its room. Answers within 10 s.",
            NoParams,
            Diagnosis,
        ),
        Method("ping", "Answers `pong`.", NoParams, Literal["pong"]),
        Method(
            "shutdown",
            "Closes all sessions, leaves the room and exits with status 0.",
            NoParams,
            None,
        ),
        Method("rpc.discover", "Returns this contract, as an OpenRPC document.", NoParams, object),
    )
}


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """One row of CLIENT_REQUESTS."""

    name: str
    summary: str
    params: type
    result: object
    """A dataclass, or a union of a plain type and None."""


CLIENT_REQUESTS: dict[str, ClientRequest] = {
    row.name: row
    for row in (
        ClientRequest(
            "getToken",
            "Asks for an access token for the agent or a page. Sent if the sidecar has no API"
            " secret.",
            TokenRequest,
            AccessToken,
        ),
        ClientRequest(
            "resolveProxy",
            "Asks which proxy to use for a server: answer http://host:port, or null for none.",
            ProxyRequest,
            str | None,
        ),
    )
}
"""Requests from the sidecar to its client, over the same pipe.

The sidecar sends a request only if `client.capabilities` of `initialize` names it. Each id is a
string that begins with CLIENT_REQUEST_ID_PREFIX.
"""
CLIENT_REQUEST_ID_PREFIX = "sidecar-"

NOTIFICATIONS: dict[type, str] = {
    SessionCreated: "session-created",
    SessionUpdated: "session-updated",
    SessionClosed: "session-closed",
    AgentStateChanged: "agent-state-changed",
    SessionEvent: "session-event",
    Health: "health",
}
"""The name of each notification. `session-event` and `health` have no seq."""

ERRORS: dict[ErrorCode, str] = {
    ErrorCode.PARSE_ERROR: "The line is not JSON.",
    ErrorCode.INVALID_REQUEST: (
        "The message is not a valid request, is over 16 MiB, or does not fit the sidecar's state."
    ),
    ErrorCode.METHOD_NOT_FOUND: "There is no method with this name.",
    ErrorCode.INVALID_PARAMS: "The params do not fit the method. Nothing was changed.",
    ErrorCode.INTERNAL_ERROR: "A bug in the sidecar; its log on stderr has the traceback.",
    ErrorCode.NOT_CONNECTED: "A `disconnect` cancelled this `connect`.",
    ErrorCode.CONNECT_FAILED: "The join failed. `data` is {category, detail, fix, retryable}.",
    ErrorCode.UNKNOWN_SESSION: "No open session has this id.",
    ErrorCode.API_CALL_FAILED: "The LiveKit server refused a call, or did not answer it.",
    ErrorCode.SHUTTING_DOWN: "The sidecar is shutting down.",
    ErrorCode.NOT_ALLOWED: "The credentials do not allow this, or the client gave no token.",
    ErrorCode.OTHER_ROOM: "The agent is in another room, or is joining another room.",
    ErrorCode.IDENTITY_PRESENT: "A participant with this identity is in the room, and keeps it.",
}
"""The meaning of each error code. Codes from 1001 on, and -32602, carry `data.fix`, a sentence for
a human."""
