"""Owns the shapes on the wire: sessions, params, results and notifications, as dataclasses.

Does not know which method takes or gives them (protocol.py does), nor how bytes travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.failures import Failure
from sidecar.core.contract.wire import IsoTime, member
from sidecar.core.facts import ConnectionQuality, ParticipantKind


class ConnectionState(StrEnum):
    """Of one session; derived, never set."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    ERROR = "error"
    CLOSED = "closed"


class AgentState(StrEnum):
    """Of the agent and its Room."""

    IDLE = "idle"
    """Not configured, or disconnected on request."""
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    """The SDK's own resume or full reconnect."""
    BACKOFF = "backoff"
    """Waiting to rejoin."""
    WAITING_FOR_TOKEN = "waiting-for-token"  # noqa: S105 - a state, not a password
    FAILED = "failed"
    """A cause that waiting does not cure."""
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class AgentSession:
    """One stay of one person in the room; not LiveKit Agents' class of that name."""

    session_id: str = member("`session_{milliseconds}_{identity}`; treat it as opaque.")
    participant_id: str = member("The participant's identity.")
    participant_sid: str = member("LiveKit's name of this one stay.")
    room_name: str = member("The room's name.")
    start_time: IsoTime = member("When the stay began, by the server's clock.")
    message_count: int = member("Chat messages of this person in this stay.")
    connection_state: ConnectionState = member("Derived from the room's events.")
    name: str = member("The participant's display name.")
    kind: ParticipantKind = member("standard, sip or connector.")
    metadata: str = member("The participant's metadata, cut at 16 KiB.")
    attributes: Mapping[str, str] = member("The participant's attributes, cut at 16 KiB in all.")
    connection_quality: ConnectionQuality = member(
        "unknown until a track of that person is subscribed."
    )
    end_time: IsoTime | None = member(
        "When the end was seen, by the server's clock; on closed sessions.", optional=True
    )
    truncated: bool | None = member("true where metadata or attributes were cut.", optional=True)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the given credentials allow; open for more."""

    create_connection: bool = member(
        "`createConnection` works: there is an API secret, or the client gives tokens."
    )
    close_session: bool = member("`closeSession` works: there is an API secret.")
    reconcile: bool = member("The agent can compare its sessions with the server's list.")


@dataclass(frozen=True, slots=True)
class Counters:
    """Since the process started."""

    created: int = member("Sessions created.")
    closed: int = member("Sessions closed.")
    errors: int = member("Failed joins, and sessions that could not be created.")
    reconnects: int = member("Times the link to the room came back.")


@dataclass(frozen=True, slots=True)
class Status:
    """What `getStatus` and `connect` answer."""

    state: AgentState = member("The agent's state.")
    room: str | None = member("The room it is in or wants to join; null when not configured.")
    url: str | None = member("The server's url; null when not configured.")
    identity: str | None = member("The agent's identity; null when not configured.")
    sessions: int = member("Open sessions.")
    seq: int = member("The seq of the last notification; 0 before the first.")
    epoch: str = member("A random id of this sidecar process.")
    uptime_seconds: float = member("Seconds since the process started.")
    attempt: int = member("Failed attempts to join since the last success.")
    warnings: tuple[str, ...] = member("What is allowed but probably not meant.")
    rss_bytes: int = member("Resident memory of the process; 0 where the system does not say.")
    capabilities: Capabilities = member("What the given credentials allow.")
    counters: Counters = member("Since the process started.")
    versions: Mapping[str, str] = member("Of the sidecar and of what it is made of.")
    last_error: Failure | None = member(
        "Why the last attempt to join failed, or why the agent was put out of the room.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """What the client answers when the sidecar asks it; the sidecar asks for nothing else."""

    get_token: bool | None = member("It answers `getToken`.", optional=True)
    resolve_proxy: bool | None = member("It answers `resolveProxy`.", optional=True)


@dataclass(frozen=True, slots=True)
class Client:
    """Who talks to the sidecar."""

    name: str = member("Its name.")
    version: str = member("Its version.")
    capabilities: ClientCapabilities | None = member(
        "What the sidecar may ask it; nothing when absent.", optional=True
    )


@dataclass(frozen=True, slots=True)
class Server:
    """Who answers."""

    name: str = member("Always `clara-voice-sidecar`.")
    version: str = member("The sidecar's version.")


@dataclass(frozen=True, slots=True)
class ResumedSession:
    """An open session of an earlier process, which goes on under its id.

    A whole AgentSession as it was announced last; six members are enough.
    """

    session_id: str = member("As it was announced.")
    participant_id: str = member("The participant's identity.")
    participant_sid: str = member("LiveKit's name of the stay.")
    room_name: str = member("The room's name; only a stay in the room joined next goes on.")
    start_time: IsoTime = member("As it was announced.")
    message_count: int = member("As it was last announced.")
    connection_state: ConnectionState | None = member(
        "Not `closed`; it is `reconnecting` until the room is joined.", optional=True
    )
    name: str | None = member("As it was last announced.", optional=True)
    kind: ParticipantKind | None = member("As it was last announced.", optional=True)
    metadata: str | None = member("As it was last announced.", optional=True)
    attributes: Mapping[str, str] | None = member("As they were last announced.", optional=True)
    connection_quality: ConnectionQuality | None = member(
        "As it was last announced.", optional=True
    )
    end_time: IsoTime | None = member("Absent: the session is open.", optional=True)
    truncated: bool | None = member(
        "true where metadata or attributes were announced cut.", optional=True
    )


@dataclass(frozen=True, slots=True)
class InitializeParams:
    """Of `initialize`; unknown members are ignored."""

    protocol_version: int = member("1. Any other is refused with a message that names both.")
    parent_pid: int | None = member(
        "The sidecar also ends when this process is gone.", optional=True
    )
    client: Client | None = member("Who talks to the sidecar.", optional=True)
    resume: tuple[ResumedSession, ...] | None = member(
        "Open sessions of an earlier process; no session-created comes for them.", optional=True
    )
    used_ids: tuple[str, ...] | None = member(
        "Ids of sessions that earlier processes closed; none of them is used again.", optional=True
    )
    outage_ms: int | None = member(
        "For how long those of resume have been without an agent in the room.", optional=True
    )


@dataclass(frozen=True, slots=True)
class InitializeResult:
    """The handshake's answer."""

    protocol_version: int = member("The version this sidecar speaks.")
    server: Server = member("Who answers.")
    pid: int = member("The sidecar's process id.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class ConnectParams:
    """Of `connect`; what is not given is taken from the configuration."""

    url: str | None = member("ws://, wss://, http:// or https://.", optional=True)
    api_key: str | None = member("With apiSecret; instead of a token.", optional=True)
    api_secret: str | None = member("With apiKey.", optional=True, secret=True)
    token: str | None = member(
        "An access token; instead of key and secret.", optional=True, secret=True
    )
    room: str | None = member("The room to join.", optional=True)
    identity: str | None = member("The agent's identity.", optional=True)
    name: str | None = member("The agent's display name.", optional=True)
    auto_subscribe: bool | None = member(
        "Subscribe to all tracks; connectionQuality needs it.", optional=True
    )


@dataclass(frozen=True, slots=True)
class ConnectionParams:
    """Of `createConnection`; grants are true unless given as false."""

    identity: str | None = member(
        "When absent: generated, or the one of the token that the client gives. Never the"
        " agent's own.",
        optional=True,
    )
    name: str | None = member("The display name.", optional=True)
    metadata: str | None = member("At most 16 KiB.", optional=True)
    attributes: Mapping[str, str] | None = member("At most 16 KiB in all.", optional=True)
    ttl_seconds: int | None = member("60 to 86400; 600 when absent.", optional=True)
    can_publish: bool | None = member("May publish tracks.", optional=True)
    can_subscribe: bool | None = member("May subscribe to tracks.", optional=True)
    can_publish_data: bool | None = member("May send data and chat.", optional=True)


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """What a page's livekit-client needs to join the agent's room."""

    url: str = member("The server's url.")
    room: str = member("The room's name.")
    identity: str = member("The identity that the token is for.")
    token: str = member("The access token.", secret=True)
    expires_at: IsoTime = member("Until when it can be used to join.")
    name: str | None = member("The display name in the token.", optional=True)


@dataclass(frozen=True, slots=True)
class TokenGrants:
    """What a token is to allow, and no more."""

    can_publish: bool = member("May publish tracks.")
    can_subscribe: bool = member("May subscribe to tracks.")
    can_publish_data: bool = member("May send data and chat.")
    metadata: str | None = member("The participant's metadata.", optional=True)
    attributes: Mapping[str, str] | None = member("The participant's attributes.", optional=True)
    ttl_seconds: int | None = member("For how long the token is to be valid.", optional=True)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Params of `getToken`: for whom a token is needed."""

    purpose: Literal["agent", "connection"] = member(
        "`agent`: the token's kind is to be `agent`. `connection`: for a person in a page."
    )
    room: str = member("The room to join.")
    identity: str | None = member(
        "The token is to be for this identity; when absent, the token decides.", optional=True
    )
    name: str | None = member("The display name.", optional=True)
    grants: TokenGrants | None = member("Grant no more than this.", optional=True)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Answer of `getToken`; `{participant_token, server_url?}` is understood as well."""

    token: str = member("The access token.", secret=True)
    url: str | None = member("Where it is valid, if not at the url of `connect`.", optional=True)


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """Params of `resolveProxy`."""

    url: str = member("The server's address, http:// or https://.")


@dataclass(frozen=True, slots=True)
class WakeParams:
    """Of `wake`."""

    reason: Literal["system-resume", "network-online"] = member("What happened.")


@dataclass(frozen=True, slots=True)
class NoParams:
    """Of the methods that take none."""


@dataclass(frozen=True, slots=True)
class SessionParams:
    """Of the methods about one session."""

    session_id: str = member("The session's id.")


@dataclass(frozen=True, slots=True)
class SessionList:
    """What `listSessions` answers."""

    sessions: tuple[AgentSession, ...] = member("The open sessions, oldest announcement first.")
    seq: int = member("The seq of the last notification this list includes.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that `diagnose` looked at."""

    name: str = member("installation, configuration, network, server, clock, credentials or room.")
    ok: bool = member("Whether it is as it should be.")
    detail: str = member("What was found, a sentence.")
    fix: str | None = member("What a person can do about it.", optional=True)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What `diagnose` answers."""

    ok: bool = member("Whether all checks are.")
    checks: tuple[Check, ...] = member("What was looked at, in this order.")


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """A stay began; the session's state is `connecting`."""

    session: AgentSession = member("The new session.")
    seq: int = member("+1 per notification, from 1.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """Something of a session changed."""

    session: AgentSession = member("The session as it is now.")
    changed: tuple[str, ...] = member("The names of the members that changed.")
    seq: int = member("+1 per notification.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A stay ended; the session's state is `closed`, `endTime` is set."""

    session: AgentSession = member("The session as it was at its end.")
    reason: CloseReason = member("Why.")
    seq: int = member("+1 per notification.")
    epoch: str = member("A random id of this sidecar process.")
    detail: str | None = member("LiveKit's own reason, where it gave one.", optional=True)


@dataclass(frozen=True, slots=True)
class AgentStateChanged:
    """The agent went from one state to another, or tries again."""

    state: AgentState = member("The state now.")
    previous_state: AgentState = member("The state before.")
    capabilities: Capabilities = member("What the given credentials allow.")
    seq: int = member("+1 per notification.")
    epoch: str = member("A random id of this sidecar process.")
    reason: str | None = member("What led here, in a word or LiveKit's own.", optional=True)
    error: Failure | None = member(
        "The failed attempt that led here, or why the agent was put out.", optional=True
    )
    attempt: int | None = member("Failed attempts since the last success.", optional=True)
    retry_in_ms: int | None = member("Milliseconds until the next attempt.", optional=True)


Notification = SessionCreated | SessionUpdated | SessionClosed | AgentStateChanged
