"""Owns the exceptions that reach the wire, one class for each code.

    SidecarError
    ├── InvalidRequest     -32600
    ├── InvalidParams      -32602
    ├── NotConnected         1001
    ├── ConnectFailed       1002
    ├── UnknownSession       1003
    ├── ApiCallFailed        1004
    ├── ShuttingDown         1005
    ├── NotAllowed           1006
    ├── OtherRoom            1007
    └── IdentityPresent      1008

Each carries `fix`, a sentence for a human. `ClientFailed` never reaches the wire. Does not know
JSON.
"""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """Codes of JSON-RPC 2.0 section 5.1, and of the sidecar from 1001 on."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    NOT_CONNECTED = 1001
    CONNECT_FAILED = 1002
    UNKNOWN_SESSION = 1003
    API_CALL_FAILED = 1004
    SHUTTING_DOWN = 1005
    NOT_ALLOWED = 1006
    OTHER_ROOM = 1007
    IDENTITY_PRESENT = 1008


class SidecarError(Exception):
    """An error that answers a request, with its cause and its fix."""

    code: ErrorCode

    def __init__(self, message: str, fix: str, **data: object) -> None:
        """Set the cause, *message*, and the *fix*; *data* are more members of `data`."""
        super().__init__(message)
        self.message = message
        self.data: dict[str, object] = {**data, "fix": fix}


class InvalidRequest(SidecarError):
    """The sidecar's state does not allow this request, whatever its params."""

    code = ErrorCode.INVALID_REQUEST


class InvalidParams(SidecarError):
    """The params do not fit the method. Nothing was changed."""

    code = ErrorCode.INVALID_PARAMS


class NotConnected(SidecarError):
    """A `disconnect` came before the agent joined, so `connect` failed."""

    code = ErrorCode.NOT_CONNECTED


class ConnectFailed(SidecarError):
    """The first attempt to join the room failed, or took longer than 15 s."""

    code = ErrorCode.CONNECT_FAILED


class UnknownSession(SidecarError):
    """No open session has this id."""

    code = ErrorCode.UNKNOWN_SESSION

    def __init__(self) -> None:
        """Set the message; it is always the same."""
        super().__init__(
            "No open session has this id.", "Send `listSessions` to get the open sessions."
        )


class ApiCallFailed(SidecarError):
    """The LiveKit server refused or did not answer a call of its room service."""

    code = ErrorCode.API_CALL_FAILED


class ShuttingDown(SidecarError):
    """The sidecar is shutting down and takes no more requests."""

    code = ErrorCode.SHUTTING_DOWN

    def __init__(self) -> None:
        """Set the message; it is always the same."""
        super().__init__(
            "The sidecar is shutting down.", "Start a new sidecar, then send the request again."
        )


class NotAllowed(SidecarError):
    """The credentials do not allow this, or the client gave no token."""

    code = ErrorCode.NOT_ALLOWED


class OtherRoom(SidecarError):
    """The agent is in another room, or is joining it."""

    code = ErrorCode.OTHER_ROOM


class IdentityPresent(SidecarError):
    """A participant with the identity that a page asked for is in the room, and keeps it."""

    code = ErrorCode.IDENTITY_PRESENT


class ClientFailed(Exception):
    """The client did not answer a request usefully. The text says why, without a full stop."""
