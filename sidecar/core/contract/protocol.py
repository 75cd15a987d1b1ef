"""Owns the contract of the wire, written once: METHODS, CLIENT_REQUESTS, NOTIFICATIONS, ERRORS.

The OpenRPC document, the bridge's types and the docs are generated from these tables and from the
shapes in messages.py. Does not know who answers a method, nor how bytes travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sidecar.core.contract.errors import ErrorCode
from sidecar.core.contract.messages import (
    AccessToken,
    AgentSession,
    AgentStateChanged,
    ConnectionDetails,
    ConnectionParams,
    ConnectParams,
    Diagnosis,
    InitializeParams,
    InitializeResult,
    NoParams,
    ProxyRequest,
    SessionClosed,
    SessionCreated,
    SessionList,
    SessionParams,
    SessionUpdated,
    Status,
    TokenRequest,
    WakeParams,
)

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest line in both directions, newline not counted."""
MAX_SHOWN_BYTES = 16 * 1024
"""Where metadata, and attributes, are cut on the wire."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row of METHODS."""

    name: str
    summary: str
    params: type
    result: object
    """A dataclass, a Literal, None, or `object` for a document described elsewhere."""
    errors: tuple[ErrorCode, ...] = ()
    ignore_unknown: bool = False


METHODS: dict[str, Method] = {
    row.name: row
    for row in (
        Method(
            "initialize",
            "The handshake. Optional: every method works without it, so that a person can type.",
            InitializeParams,
            InitializeResult,
            ignore_unknown=True,
        ),
        Method(
            "connect",
            "Joins a room; answers once the first attempt is decided, within 15 s.",
            ConnectParams,
            Status,
            (ErrorCode.NOT_CONNECTED, ErrorCode.CONNECT_FAILED, ErrorCode.OTHER_ROOM),
        ),
        Method(
            "disconnect",
            "Leaves the room; open sessions close with `agent-disconnected`.",
            NoParams,
            Status,
        ),
        Method("listSessions", "The open sessions.", NoParams, SessionList),
        Method(
            "getSession",
            "One open session.",
            SessionParams,
            AgentSession,
            (ErrorCode.UNKNOWN_SESSION,),
        ),
        Method(
            "closeSession",
            "Removes a person from the room; answers the closed session, after its notification.",
            SessionParams,
            AgentSession,
            (ErrorCode.UNKNOWN_SESSION, ErrorCode.API_CALL_FAILED, ErrorCode.NOT_ALLOWED),
        ),
        Method(
            "createConnection",
            "An access token with which a page joins the agent's room.",
            ConnectionParams,
            ConnectionDetails,
            (ErrorCode.NOT_ALLOWED,),
        ),
        Method(
            "wake",
            "The system resumed, or the network is back: ends a backoff, looks at the room anew.",
            WakeParams,
            None,
        ),
        Method("getStatus", "The agent's state and figures.", NoParams, Status),
        Method(
            "diagnose",
            "Looks for what keeps the agent out of its room; answers within 10 s.",
            NoParams,
            Diagnosis,
        ),
        Method("ping", "Shows that the sidecar answers.", NoParams, Literal["pong"]),
        Method("shutdown", "Closes all sessions, leaves the room, exits 0.", NoParams, None),
        Method("rpc.discover", "This contract, as an OpenRPC document.", NoParams, object),
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
            "An access token for the agent, or for a page, where the sidecar has no API secret.",
            TokenRequest,
            AccessToken,
        ),
        ClientRequest(
            "resolveProxy",
            "The proxy to a server: http://host:port, or null for none.",
            ProxyRequest,
            str | None,
        ),
    )
}
"""What the sidecar asks its client, each only where `client.capabilities` of `initialize` names it.

Requests in the other direction over the same pipe; each id is a string that begins with
CLIENT_REQUEST_ID_PREFIX.
"""
CLIENT_REQUEST_ID_PREFIX = "sidecar-"

NOTIFICATIONS: dict[type, str] = {
    SessionCreated: "session-created",
    SessionUpdated: "session-updated",
    SessionClosed: "session-closed",
    AgentStateChanged: "agent-state-changed",
}

ERRORS: dict[ErrorCode, str] = {
    ErrorCode.PARSE_ERROR: "The line is not JSON.",
    ErrorCode.INVALID_REQUEST: "The message is not a request, or is over 16 MiB, or comes twice.",
    ErrorCode.METHOD_NOT_FOUND: "There is no such method.",
    ErrorCode.INVALID_PARAMS: "The params are not what the method takes; nothing was changed.",
    ErrorCode.INTERNAL_ERROR: "A bug in the sidecar; its log on stderr has the traceback.",
    ErrorCode.NOT_CONNECTED: "A `disconnect` came before the join.",
    ErrorCode.CONNECT_FAILED: "The join failed: data is {category, detail, fix, retryable}.",
    ErrorCode.UNKNOWN_SESSION: "No open session has this id.",
    ErrorCode.API_CALL_FAILED: "The LiveKit server refused a call, or did not answer it.",
    ErrorCode.SHUTTING_DOWN: "The sidecar is ending.",
    ErrorCode.NOT_ALLOWED: "These credentials do not allow it, or the client gave no token.",
    ErrorCode.OTHER_ROOM: "In another room already; disconnect first.",
}
"""Ours, and -32602, have `data.fix`, a sentence a person can act on."""
