"""Owns the shapes on the wire: sessions, params, results and notifications, as dataclasses.

Does not know which method uses which shape (protocol.py does), nor how bytes travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.failures import Failure
from sidecar.core.contract.wire import EncodedJson, IsoTime, Json, KeepsJson, member
from sidecar.core.facts import ConnectionQuality, ParticipantKind
from sidecar.core.values import dataclass

MAX_RESUMED = 20_000
"""Sessions in `resume`: 100,000 held the event loop for 9 s on a busy machine."""
MAX_MESSAGES = 1_000
"""Messages of one session that are kept, and that `resume` takes."""
MAX_SAFE_INTEGER = 2**53 - 1
"""The largest whole number that JavaScript has exactly."""


class ConnectionState(StrEnum):
    """The connection state of a session, derived from the room's events."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    ERROR = "error"
    CLOSED = "closed"


class AgentState(StrEnum):
    """The state of the agent and its Room."""

    IDLE = "idle"
    """Not configured, or disconnected on request. With the reason `nobody-there`: out of the room
    until a person comes (`join: 'needed'`)."""
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    """The SDK's own resume or full reconnect."""
    BACKOFF = "backoff"
    """Waiting to rejoin."""
    WAITING_FOR_TOKEN = "waiting-for-token"  # noqa: S105 - a state, not a password
    FAILED = "failed"
    """The agent does not try again until the next `connect`."""
    STOPPING = "stopping"


class Microphone(StrEnum):
    """The microphone of a participant, whether the agent hears it or not."""

    NONE = "none"
    """No microphone is published."""
    MUTED = "muted"
    ON = "on"


@dataclass(frozen=True, slots=True)
class AudioQuality:
    """The quality of a participant's sound over the last seconds."""

    packet_loss: float = member("The share of lost packets, 0 to 1.")
    jitter_ms: float = member("Milliseconds.")
    bitrate: int = member("Bits per second.")
    sample_rate: int = member("Samples per second of the codec.")
    channels: int = member("Channels of the codec.")


@dataclass(frozen=True, slots=True)
class AgentSession(KeepsJson):
    """One stay of one human in the room. Not the class `AgentSession` of LiveKit Agents."""

    session_id: str = member("`session_{milliseconds}_{identity}`. Do not parse it.")
    participant_id: str = member("The participant's identity.")
    participant_sid: str = member(
        "LiveKit's id of this stay. A participant who rejoins has a new one."
    )
    room_name: str = member("The room's name.")
    start_time: IsoTime = member("When the stay began, by the server's clock.")
    message_count: int = member("Chat messages from the participant during this stay.")
    connection_state: ConnectionState = member("Derived from the room's events.")
    name: str = member("The participant's display name.")
    kind: ParticipantKind = member("standard, sip or connector.")
    metadata: str = member("The participant's metadata, cut at 16 KiB.")
    attributes: Mapping[str, str] = member("The participant's attributes, cut at 16 KiB in all.")
    connection_quality: ConnectionQuality = member(
        "`unknown` until the agent subscribes to a track of the participant (`autoSubscribe`)."
    )
    end_time: IsoTime | None = member(
        "When the sidecar saw the end, by the server's clock. Only on closed sessions.",
        optional=True,
    )
    truncated: bool | None = member(
        "true if metadata, attributes or name were cut, else absent.", optional=True
    )
    context: EncodedJson | None = member(
        "The value of the plug-in's last `set_context`, at most 8 KiB of JSON.", optional=True
    )
    microphone: Microphone | None = member(
        "The participant's microphone. Absent without a voice plug-in.", optional=True
    )
    speaking: bool | None = member(
        "Whether the participant speaks. Absent unless a voice plug-in hears them.", optional=True
    )
    reconnection_attempts: int | None = member(
        "Outages of the agent's connection that the session lived through. Absent without a voice"
        " plug-in.",
        optional=True,
    )
    audio_quality: AudioQuality | None = member(
        "Every 5 s while a voice plug-in hears the participant, else absent.", optional=True
    )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The rights from the current credentials. Later versions may add members."""

    create_connection: bool = member(
        "`createConnection` works: the sidecar has an API secret, or the client gives tokens."
    )
    close_session: bool = member("`closeSession` works: the sidecar has an API secret.")
    reconcile: bool = member("The agent can compare its sessions with the server's list.")


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the process started."""

    created: int = member("Sessions created.")
    closed: int = member("Sessions closed.")
    errors: int = member("Failed joins, and sessions that could not be created.")
    reconnects: int = member("How often the SDK's own reconnect succeeded.")
    dropped: int = member(
        "Messages that were dropped, not counted, because one participant sent more than 100 a"
        " second."
    )


@dataclass(frozen=True, slots=True)
class Status:
    """The result of `getStatus`, `connect` and `disconnect`."""

    state: AgentState = member("The agent's state.")
    room: str | None = member("The room the agent is in or tries to join; null if not configured.")
    url: str | None = member("The server's url; null if not configured.")
    identity: str | None = member("The agent's identity; null if not configured.")
    sessions: int = member("How many sessions are open.")
    seq: int = member("The seq of the last notification; 0 before the first.")
    epoch: str = member("A random id of this sidecar process.")
    uptime_seconds: float = member("Seconds since the process started.")
    attempt: int = member("Failed attempts to join since the last success.")
    warnings: tuple[str, ...] = member("Settings that work but are probably a mistake.")
    rss_bytes: int = member("Resident memory of the process; 0 if the system does not tell it.")
    capabilities: Capabilities = member("The rights from the current credentials.")
    counters: Counters = member("Totals since the process started.")
    versions: Mapping[str, str] = member("Version of the sidecar and of each component, by name.")
    last_error: Failure | None = member(
        "Why the last attempt to join failed, or why the server removed the agent.",
        optional=True,
    )
    reason: str | None = member(
        "The `reason` of the last agent-state-changed; absent before the first.", optional=True
    )


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """The requests that the client answers. The sidecar sends it no other requests."""

    get_token: bool | None = member("The client answers `getToken`.", optional=True)
    resolve_proxy: bool | None = member("The client answers `resolveProxy`.", optional=True)


@dataclass(frozen=True, slots=True)
class Client:
    """The program that started the sidecar and talks to it."""

    name: str = member("The program's name.")
    version: str = member("The program's version.")
    capabilities: ClientCapabilities | None = member(
        "The requests that the sidecar may send to the client. Absent: none.", optional=True
    )


@dataclass(frozen=True, slots=True)
class Server:
    """The sidecar program."""

    name: str = member("Always `clara-voice-sidecar`.")
    version: str = member("The sidecar's version.")


@dataclass(frozen=True, slots=True)
class ResumedSession:
    """An open session of an earlier process. It continues under the same session id.

    Pass the AgentSession of the last notification. Its six required members are enough.
    """

    session_id: str = member("The id in the notification.")
    participant_id: str = member("The participant's identity.")
    participant_sid: str = member("LiveKit's id of the stay.")
    room_name: str = member("The room's name. The session closes if the agent joins another room.")
    start_time: IsoTime = member("The start in the notification.")
    message_count: int = member("The last announced count.")
    connection_state: ConnectionState | None = member(
        "Not `closed`. The session is `reconnecting` until the agent joins the room.",
        optional=True,
    )
    name: str | None = member("The last announced name.", optional=True)
    kind: ParticipantKind | None = member("The last announced kind.", optional=True)
    metadata: str | None = member("The last announced metadata.", optional=True)
    attributes: Mapping[str, str] | None = member("The last announced attributes.", optional=True)
    connection_quality: ConnectionQuality | None = member(
        "The last announced quality.", optional=True
    )
    end_time: IsoTime | None = member("Must be absent: the session is open.", optional=True)
    truncated: bool | None = member(
        "true if the last announced metadata or attributes were cut.", optional=True
    )
    context: EncodedJson | None = member("The last announced context.", optional=True)
    microphone: Microphone | None = member("The last announced microphone.", optional=True)
    speaking: bool | None = member("Ignored: the sidecar hears for itself.", optional=True)
    reconnection_attempts: int | None = member("The last announced count.", optional=True)
    audio_quality: AudioQuality | None = member("Ignored.", optional=True)
    conversation: tuple[Message, ...] | None = member(
        "The last messages of its conversation, for the voice plug-in.",
        optional=True,
        max_items=MAX_MESSAGES,
    )


@dataclass(frozen=True, slots=True)
class InitializeParams:
    """Params of `initialize`. Unknown members are ignored."""

    protocol_version: int = member("1. The sidecar refuses other versions; the error names both.")
    parent_pid: int | None = member("The sidecar exits when this process is gone.", optional=True)
    client: Client | None = member("The program that talks to the sidecar.", optional=True)
    resume: tuple[ResumedSession, ...] | None = member(
        "Open sessions of an earlier process. The sidecar sends no session-created for them, but"
        " session-updated and session-closed.",
        optional=True,
        max_items=MAX_RESUMED,
    )
    used_ids: tuple[str, ...] | None = member(
        "Ids of closed sessions of earlier processes. The sidecar gives no new session one of these"
        " ids.",
        optional=True,
    )
    voice: Json | None = member(
        "The settings of the voice plug-in, an object of at most 64 KiB.",
        optional=True,
        secret=True,
    )
    outage_ms: int | None = member(
        "How long no agent was in the room before this process, in milliseconds.",
        optional=True,
    )
    server_ahead_ms: int | None = member(
        "The last `serverAheadMs` of an earlier process. The sidecar uses it for the `endTime` of a"
        " session of `resume` that closes before the agent joins.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class InitializeResult:
    """The result of `initialize`."""

    protocol_version: int = member("The protocol version of this sidecar.")
    server: Server = member("The sidecar program.")
    pid: int = member("The sidecar's process id.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class ConnectParams:
    """Params of `connect`. A missing member is taken from the configuration."""

    url: str | None = member("ws://, wss://, http:// or https://.", optional=True)
    api_key: str | None = member("The API key. Pass apiSecret too, and no token.", optional=True)
    api_secret: str | None = member("The secret of apiKey.", optional=True, secret=True)
    token: str | None = member(
        "An access token. Pass it instead of apiKey and apiSecret.", optional=True, secret=True
    )
    room: str | None = member("The room to join.", optional=True)
    identity: str | None = member("The agent's identity.", optional=True)
    name: str | None = member("The agent's display name.", optional=True)
    auto_subscribe: bool | None = member(
        "Subscribe to all tracks; false if absent. connectionQuality needs it.", optional=True
    )
    switch: bool | None = member(
        "If the agent is in another room, leave it first: its sessions close with"
        " `agent-disconnected`. Without it, that is error 1007.",
        optional=True,
    )
    join: Literal["always", "needed"] | None = member(
        "`always`, if absent: the agent is in the room all the time. `needed`: only while a person"
        " is there. It joins when `createConnection` gives a token, and when the server lists a"
        " person (with an API secret: looked up every 30 s). Until then it is `idle`.",
        optional=True,
    )
    leave_after_ms: int | None = member(
        "With `join: 'needed'`: milliseconds from the end of the last session to the agent's leave;"
        " 20000 if absent, 0 to 86400000.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class ConnectionParams:
    """Params of `createConnection`. Each grant is true unless you pass false."""

    identity: str | None = member(
        "The participant's identity. Refused: the agent's own, and any that begins with"
        " clara-voice-agent. If absent, the sidecar generates one, or takes the identity of the"
        " client's token.",
        optional=True,
    )
    name: str | None = member("The display name.", optional=True)
    metadata: str | None = member("At most 16 KiB.", optional=True)
    attributes: Mapping[str, str] | None = member("At most 16 KiB in all.", optional=True)
    ttl_seconds: int | None = member(
        "Seconds for which the token can be used to join: 60 to 86400; 600 if absent.",
        optional=True,
    )
    can_publish: bool | None = member("Allow publishing tracks.", optional=True)
    can_subscribe: bool | None = member("Allow subscribing to tracks.", optional=True)
    can_publish_data: bool | None = member("Allow sending data and chat.", optional=True)
    replace: bool | None = member(
        "Give the identity also if a participant in the room has it; the server removes them at the"
        " join. Without `replace`, an identity that is in the room gives error 1008, unless this"
        " sidecar gave a page a token for it before. Only the app may set it, not a page.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class ConnectionDetails:
    """The result of `createConnection`: a page passes url and token to livekit-client."""

    url: str = member("The server's url.")
    room: str = member("The room's name.")
    identity: str = member("The identity in the token.")
    token: str = member("The access token.", secret=True)
    expires_at: IsoTime = member("When the token expires. Join before that time.")
    name: str | None = member("The display name in the token.", optional=True)


@dataclass(frozen=True, slots=True)
class TokenGrants:
    """The rights that a token must not exceed, and the participant's metadata for it."""

    can_publish: bool = member("Allow publishing tracks.")
    can_subscribe: bool = member("Allow subscribing to tracks.")
    can_publish_data: bool = member("Allow sending data and chat.")
    metadata: str | None = member("The participant's metadata.", optional=True)
    attributes: Mapping[str, str] | None = member("The participant's attributes.", optional=True)
    ttl_seconds: int | None = member("Seconds for which the token is valid.", optional=True)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Params of `getToken`: the room, the participant and the rights of the token."""

    purpose: Literal["agent", "connection"] = member(
        "`agent`: a token of kind `agent`, for the agent. `connection`: a token for a human in a"
        " page."
    )
    room: str = member("The room to join.")
    identity: str | None = member(
        "The participant's identity. If absent, your token endpoint chooses it.", optional=True
    )
    name: str | None = member("The display name.", optional=True)
    grants: TokenGrants | None = member("The rights; do not grant more.", optional=True)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The result of `getToken`. LiveKit's form, `{participant_token, server_url?}`, works too."""

    token: str = member("The access token.", secret=True)
    url: str | None = member("The server's url, if it differs from `connect`'s.", optional=True)


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """Params of `resolveProxy`."""

    url: str = member("The server's address, http:// or https://.")


@dataclass(frozen=True, slots=True)
class WakeParams:
    """Params of `wake`."""

    reason: Literal["system-resume", "network-online"] = member("The event in the system.")


@dataclass(frozen=True, slots=True)
class NoParams:
    """Params of a method without params."""


@dataclass(frozen=True, slots=True)
class SessionParams:
    """Params of a method about one session."""

    session_id: str = member("The session's id.")


@dataclass(frozen=True, slots=True)
class ListParams:
    """Params of `listSessions`. Without them: all open sessions, if they fit into one line."""

    after: str | None = member("`next` of an earlier answer: the sessions after it.", optional=True)
    limit: int | None = member("At most this many sessions, from 1.", optional=True)


@dataclass(frozen=True, slots=True)
class SessionList:
    """The result of `listSessions`."""

    sessions: tuple[AgentSession, ...] = member("The open sessions, oldest announcement first.")
    seq: int = member("The seq of the last notification that the list includes.")
    epoch: str = member("A random id of this sidecar process.")
    next: str | None = member(
        "There are more sessions: pass it as `after`. Absent at the end of the list. Do not parse"
        " it.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class Check:
    """One check of `diagnose`."""

    name: str = member("installation, configuration, network, server, clock, credentials or room.")
    ok: bool = member("Whether the check passed.")
    detail: str = member("The finding, as a sentence.")
    fix: str | None = member("The fix, as a sentence for a human.", optional=True)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of `diagnose`."""

    ok: bool = member("Whether all checks passed.")
    checks: tuple[Check, ...] = member("The checks, in order.")


class Role(StrEnum):
    """Who said a message of a conversation."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a session's conversation."""

    number: int = member("+1 per message of the session, from 1.")
    role: Role = member("user: the person; assistant: the voice plug-in.")
    content: str = member("The words, at most 64 KiB.")
    timestamp: IsoTime = member("When the sidecar kept the message.")
    interrupted: bool | None = member(
        "true if the person spoke over it: the content ends where the sound stopped.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class ConversationParams:
    """Params of `getConversation`."""

    session_id: str = member("The session's id.")
    after: int | None = member("Return messages with higher numbers; 0 if absent.", optional=True)
    limit: int | None = member("At most so many messages; all if absent.", optional=True)


@dataclass(frozen=True, slots=True)
class ConversationPage:
    """The result of `getConversation`."""

    messages: tuple[Message, ...] = member("The messages, oldest first.")
    next: int | None = member("The `after` of the next page; absent on the last.", optional=True)


@dataclass(frozen=True, slots=True)
class SendTextParams:
    """Params of `sendText`."""

    session_id: str = member("The session's id.")
    text: str = member("The text; only this participant gets it.")
    topic: str | None = member("The topic of the text stream; `lk.chat` if absent.", optional=True)


@dataclass(frozen=True, slots=True)
class ClosedSession:
    """A session that closed."""

    number: int = member("+1 per closed session of this process, from 1.")
    session: AgentSession = member("The closed session.")
    reason: CloseReason = member("Why the session closed.")
    duration_ms: int = member("Milliseconds from `startTime` to `endTime`.")
    detail: str | None = member("As in session-closed.", optional=True)


@dataclass(frozen=True, slots=True)
class ClosedSessionsParams:
    """Params of `listClosedSessions`."""

    after: int | None = member("Return entries with higher numbers; 0 if absent.", optional=True)
    limit: int | None = member("At most so many entries; all if absent.", optional=True)


@dataclass(frozen=True, slots=True)
class ClosedSessionList:
    """The result of `listClosedSessions`."""

    sessions: tuple[ClosedSession, ...] = member("At most 256, the oldest close first.")
    next: int | None = member("The `after` of the next page; absent on the last.", optional=True)


@dataclass(frozen=True, slots=True)
class Health:
    """Every 30 s with a voice plug-in. It has no seq and changes no session."""

    active_sessions: int = member("Open sessions.")
    audio_latency: float = member(
        "Milliseconds that sound waited for the plug-in, on average over the last 30 s."
    )
    processing_time: float = member(
        "Milliseconds that the plug-in took for one frame, on average over the last 30 s."
    )
    memory_usage: float = member("Resident memory in MB (1,000,000 bytes).")
    error_count: int = member("The `errors` of getStatus, and failures of the plug-in.")
    reconnection_count: int = member("The `reconnects` of getStatus.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class SessionCreated:
    """A stay began. The session's state is `connecting`."""

    session: AgentSession = member("The new session.")
    seq: int = member("+1 per notification, from 1.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """Members of a session changed."""

    session: AgentSession = member("The session after the change.")
    changed: tuple[str, ...] = member("The names of the members that changed.")
    seq: int = member("+1 per notification.")
    epoch: str = member("A random id of this sidecar process.")


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A stay ended. The session's state is `closed`, and `endTime` is set."""

    session: AgentSession = member("The closed session.")
    reason: CloseReason = member("Why the session closed.")
    seq: int = member("+1 per notification.")
    epoch: str = member("A random id of this sidecar process.")
    detail: str | None = member(
        "LiveKit's own reason, if there is one; `reconcile` if the server's list lacked the"
        " participant.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class AgentStateChanged:
    """The agent's state changed, or the agent waits for the next attempt to join."""

    state: AgentState = member("The new state.")
    previous_state: AgentState = member("The state before.")
    capabilities: Capabilities = member("The rights from the current credentials.")
    seq: int = member("+1 per notification.")
    epoch: str = member("A random id of this sidecar process.")
    reason: str | None = member(
        "The event that led to this state, or LiveKit's own reason. `nobody-there`: idle until a"
        " person comes (`join: 'needed'`).",
        optional=True,
    )
    error: Failure | None = member(
        "Why the attempt to join failed, or why the server removed the agent.", optional=True
    )
    attempt: int | None = member("Failed attempts since the last success.", optional=True)
    retry_in_ms: int | None = member("Milliseconds until the next attempt.", optional=True)
    server_ahead_ms: int | None = member(
        "Milliseconds by which the LiveKit server's clock is ahead of this machine's; absent"
        " before the first join.",
        optional=True,
    )


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """A voice plug-in tells something about a session. It has no seq and changes no session."""

    session_id: str = member("The session's id.")
    name: str = member("The event's name: the plug-in's, `transcript` or `failed`.")
    content: EncodedJson = member("The event's content from the plug-in, at most 64 KiB of JSON.")
    number: int = member("+1 per event of the session, from 1. A gap shows a dropped event.")
    epoch: str = member("A random id of this sidecar process.")


Notification = (
    SessionCreated | SessionUpdated | SessionClosed | AgentStateChanged | SessionEvent | Health
)
