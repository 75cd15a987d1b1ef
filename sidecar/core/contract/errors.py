"""Owns the exceptions that reach the wire, one class a code.

    SidecarError
    ├── InvalidRequest     -32600
    ├── InvalidParams      -32602
    ├── NotConnected         1001
    ├── ConnectFailed       1002
    ├── UnknownSession       1003
    ├── ApiCallFailed        1004
    ├── ShuttingDown         1005
    ├── NotAllowed           1006
    └── OtherRoom            1007

Each carries `fix`, a sentence a person can act on. `ClientFailed` alone stays in the process.
Does not know JSON.
"""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """JSON-RPC 2.0 section 5.1, and ours from 1001 on (outside the range the spec reserves)."""

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


class SidecarError(Exception):
    """An error that a caller is told about, with its cause and its fix."""

    code: ErrorCode

    def __init__(self, message: str, fix: str, **data: object) -> None:
        """*message* names the cause, *fix* the cure; *data* goes beside the fix on the wire."""
        super().__init__(message)
        self.message = message
        self.data: dict[str, object] = {**data, "fix": fix}


class InvalidRequest(SidecarError):
    """The request is not one that can be carried out in this state, whatever its params."""

    code = ErrorCode.INVALID_REQUEST


class InvalidParams(SidecarError):
    """The params are not what the method takes; nothing was changed."""

    code = ErrorCode.INVALID_PARAMS


class NotConnected(SidecarError):
    """A `disconnect` came before the join that the caller waits for."""

    code = ErrorCode.NOT_CONNECTED


class ConnectFailed(SidecarError):
    """The first attempt to join the room failed, or was not decided in time."""

    code = ErrorCode.CONNECT_FAILED


class UnknownSession(SidecarError):
    """No open session has this id."""

    code = ErrorCode.UNKNOWN_SESSION

    def __init__(self) -> None:
        """One message for every such answer."""
        super().__init__(
            "No open session has this id.", "Ask `listSessions` for those that are open."
        )


class ApiCallFailed(SidecarError):
    """The LiveKit server refused or did not answer a call of its room service."""

    code = ErrorCode.API_CALL_FAILED


class ShuttingDown(SidecarError):
    """The sidecar is ending and takes no more requests."""

    code = ErrorCode.SHUTTING_DOWN

    def __init__(self) -> None:
        """One message for every such answer."""
        super().__init__(
            "The sidecar is shutting down.", "Start a new sidecar, then send the request again."
        )


class NotAllowed(SidecarError):
    """The credentials given do not allow this."""

    code = ErrorCode.NOT_ALLOWED


class OtherRoom(SidecarError):
    """The agent is in another room already, or on its way there."""

    code = ErrorCode.OTHER_ROOM


class ClientFailed(Exception):
    """The client did not give what the sidecar asked it for; the text says why, without a stop."""
