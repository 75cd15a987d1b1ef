"""Owns the configuration: its layers, their order, and the target that results.

Does not read anything: `cli` passes the environment and the text of the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING

from sidecar.core.access_token import (
    MAX_TOKEN_CHARS,
    TokenClaims,
    has_expired,
    is_worth_a_join,
    token_claims,
)
from sidecar.core.contract.errors import ClientFailed, InvalidParams
from sidecar.core.contract.messages import Capabilities, ConnectParams
from sidecar.core.contract.protocol import AGENT_IDENTITY_PREFIX
from sidecar.core.contract.wire import wire_name
from sidecar.core.sound import Needs
from sidecar.core.values import dataclass

if TYPE_CHECKING:
    from urllib.parse import SplitResult

DEFAULT_IDENTITY = AGENT_IDENTITY_PREFIX
DEFAULT_NAME = "Clara"
MAX_NAME_BYTES = 256
"""Bytes of UTF-8. The server refuses a longer room, identity or name (livekit-server
pkg/config/config.go, LimitConfig)."""

MAX_URL_CHARS = 2_048
MAX_SETTING_BYTES = MAX_TOKEN_CHARS
"""Bytes of UTF-8 of a key, a secret or a token."""

ENVIRONMENT = {
    "LIVEKIT_URL": "url",
    "LIVEKIT_API_KEY": "api_key",
    "LIVEKIT_API_SECRET": "api_secret",
    "LIVEKIT_TOKEN": "token",
    "LIVEKIT_ROOM": "room",
}
"""The setting of each variable."""

DEFAULT_LEAVE_AFTER_MS = 20_000
MAX_LEAVE_AFTER_MS = 86_400_000
"""A day."""

_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
"""The scheme of the websocket for each scheme of a server's url."""
_PORTS = {"ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Settings(ConnectParams):
    """One layer of the configuration, or several layers merged. None means not set."""

    @classmethod
    def given(cls, params: ConnectParams) -> Settings:
        """Make the layer of a `connect`."""
        return cls(**{each.name: getattr(params, each.name) for each in fields(ConnectParams)})

    def over(self, weaker: Settings) -> Settings:
        """Merge: these settings override *weaker*.

        A token also overrides a weaker key and secret; a key or secret overrides a weaker token.
        """
        merged = {
            each.name: getattr(weaker, each.name)
            if getattr(self, each.name) is None
            else getattr(self, each.name)
            for each in fields(Settings)
        }
        if self.token is not None:
            merged |= {"api_key": self.api_key, "api_secret": self.api_secret}
        elif self.api_key is not None or self.api_secret is not None:
            merged["token"] = None
        return Settings(**merged)

    @property
    def has_pair(self) -> bool:
        """Return whether both key and secret are set."""
        return self.api_key is not None and self.api_secret is not None

    def without_token(self) -> Settings:
        """Return the settings for later joins, for which the client gives newer tokens.

        Keeps the token's room and identity, unless these settings have their own.
        """
        claims = None if self.token is None else token_claims(self.token)
        if claims is None:
            return replace(self, token=None)
        return replace(
            self,
            token=None,
            room=self.room or claims.room or None,
            identity=self.identity or claims.identity or None,
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the texts that must not appear in a log line."""
        return tuple(each for each in (self.api_secret, self.token) if each)


@dataclass(frozen=True, slots=True)
class Target:
    """The complete target of the agent: server, room, identity and credentials."""

    url: str
    room: str
    """Empty only if the token is malformed."""
    identity: str
    name: str
    auto_subscribe: bool
    api_key: str | None
    api_secret: str | None = field(repr=False)
    token: str | None = field(repr=False)
    """None if there is a secret, or until the client gives a token."""
    needs: Needs = Needs.NOTHING
    """What the voice plug-in needs in the room."""
    is_join_on_need: bool = False
    """Whether the agent is in the room only while a person is there."""
    leave_after_s: float = DEFAULT_LEAVE_AFTER_MS / 1000
    """Seconds from the end of the last session to the agent's leave, if `is_join_on_need`."""

    @property
    def grants(self) -> Needs:
        """Return what the agent's token must grant."""
        return self.needs | Needs.HEAR if self.auto_subscribe else self.needs

    @property
    def server_room(self) -> tuple[str, str]:
        """Return the server and the room."""
        return (_server(self.url), self.room)

    @property
    def server_room_identity(self) -> tuple[str, str, str]:
        """Return the server, the room and the identity. If all three stay the same, stay joined."""
        return (*self.server_room, self.identity)

    @property
    def claims(self) -> TokenClaims | None:
        """Return the token's claims; None if there is no token, or it is malformed."""
        return None if self.token is None else token_claims(self.token)

    def needs_token(self, now_s: float) -> bool:
        """Return whether a join at *now_s*, seconds since 1970, needs a new token."""
        return self.api_secret is None and not is_worth_a_join(self.token, now_s)

    def capabilities(self, now_s: float, *, client_gives_tokens: bool = False) -> Capabilities:
        """Return what the credentials allow at *now_s*, seconds since 1970."""
        if self.api_secret is not None:
            return Capabilities(create_connection=True, close_session=True, reconcile=True)
        claims = self.claims
        reconcile = claims is not None and claims.is_room_admin and not has_expired(claims, now_s)
        return Capabilities(
            create_connection=client_gives_tokens, close_session=False, reconcile=reconcile
        )


NO_CAPABILITIES = Capabilities(create_connection=False, close_session=False, reconcile=False)
"""The capabilities without a target."""


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Make the layer of the LIVEKIT_* variables in *environ*. An empty variable is not set."""
    given = {
        name: environ[variable] for variable, name in ENVIRONMENT.items() if environ.get(variable)
    }
    return Settings(**given)  # type: ignore[arg-type]  # the table names only text settings


def missing(settings: Settings, *, client_gives_tokens: bool = False) -> tuple[str, ...]:
    """Return the names of the variables that are still missing for a target."""
    lacking = []
    if settings.url is None:
        lacking.append("LIVEKIT_URL")
    has_half = settings.api_key is not None or settings.api_secret is not None
    may_ask = client_gives_tokens and not has_half
    if not settings.has_pair and settings.token is None and not may_ask:
        if settings.api_key is None:
            lacking.append("LIVEKIT_API_KEY")
        if settings.api_secret is None:
            lacking.append("LIVEKIT_API_SECRET")
    if settings.room is None and (settings.has_pair or settings.token is None):
        lacking.append("LIVEKIT_ROOM")
    return tuple(lacking)


def target(
    settings: Settings, *, client_gives_tokens: bool = False, needs: Needs = Needs.NOTHING
) -> Target:
    """Resolve *settings* into a target. *needs* is the `needs` of the voice plug-in.

    Raises:
        InvalidParams: a setting is missing, empty or too long; the message names it.
    """
    for name in ("url", "api_key", "api_secret", "token", "room", "identity", "name"):
        text = getattr(settings, name)
        if text == "":
            raise _refusal(name, "is empty")
        if text is not None and text.encode("utf-8", "ignore").decode() != text:
            raise _refusal(name, "is not valid UTF-8")
        if text is not None and len(text.encode()) > MAX_SETTING_BYTES:
            raise _refusal(name, f"is longer than {MAX_SETTING_BYTES} bytes of UTF-8")
    lacking = missing(settings, client_gives_tokens=client_gives_tokens)
    if lacking:
        raise InvalidParams(
            f"Not configured: {', '.join(lacking)} not set.",
            "Pass url, room, and apiKey with apiSecret or a token to `connect`, or set "
            + ", ".join(lacking)
            + ".",
        )
    assert settings.url is not None  # noqa: S101 - `missing` has seen to it; for the type checker
    token = None if settings.has_pair else settings.token
    claims = None if token is None else token_claims(token)
    room = settings.room or ""
    identity = settings.identity or DEFAULT_IDENTITY
    if claims is not None:
        if settings.room is not None and claims.room and settings.room != claims.room:
            raise _refusal("room", "differs from the room in the token")
        room = claims.room or room
        identity = claims.identity or identity
        if not room:
            raise _refusal("token", "names no room")
    for name, given in (("room", room), ("identity", identity), ("name", settings.name or "")):
        if len(given.encode()) > MAX_NAME_BYTES:
            raise _refusal(name, f"is longer than {MAX_NAME_BYTES} bytes of UTF-8")
    leave_after_ms = settings.leave_after_ms
    if leave_after_ms is None:
        leave_after_ms = DEFAULT_LEAVE_AFTER_MS
    if not 0 <= leave_after_ms <= MAX_LEAVE_AFTER_MS:
        raise _refusal("leave_after_ms", f"must be from 0 to {MAX_LEAVE_AFTER_MS}")
    return Target(
        url=settings.url,
        room=room,
        identity=identity,
        name=settings.name or DEFAULT_NAME,
        auto_subscribe=bool(settings.auto_subscribe),
        api_key=settings.api_key if settings.has_pair else None,
        api_secret=settings.api_secret if settings.has_pair else None,
        token=token,
        needs=needs,
        is_join_on_need=settings.join == "needed",
        leave_after_s=leave_after_ms / 1000,
    )


def url_problem(url: str) -> str | None:
    """Return the fault of *url*, as the end of a sentence, or None if *url* is valid."""
    if len(url) > MAX_URL_CHARS:
        return f"is longer than {MAX_URL_CHARS} characters"
    try:
        parts = _split(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a url"
    if parts.scheme not in _SCHEMES:
        return "must begin with ws://, wss://, http:// or https://"
    if not host or any(each.isspace() or not each.isprintable() for each in url):
        return "names no host"
    if parts.username is not None or parts.query or parts.fragment:
        return "must hold no user name, password, query or fragment"
    return None


def _split(url: str) -> SplitResult:
    from urllib.parse import urlsplit  # here: a sidecar that waits for `connect` has no url yet

    return urlsplit(url)


def _server(url: str) -> str:
    """Return the same text for all urls of a server: `wss://host:443` for `https://Host/`."""
    if url_problem(url) is not None:
        return url
    parts = _split(url)
    scheme = _SCHEMES[parts.scheme]
    return f"{scheme}://{parts.hostname}:{parts.port or _PORTS[scheme]}{parts.path.rstrip('/')}"


def plain_problem(url: str) -> str | None:
    """Return a sentence if a connection to *url* leaves this machine without TLS, else None."""
    if url_problem(url) is not None:
        return None
    parts = _split(url)
    host = (parts.hostname or "").rstrip(".")
    is_here = host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")
    if _SCHEMES[parts.scheme] == "wss" or is_here:
        return None
    return (
        f"The connection to {parts.hostname} is not encrypted (ws://): others in the network can"
        " read the access tokens and join with them. Use wss://."
    )


def server_doubt(url: str | None, connect_url: str) -> str | None:
    """Return a sentence if getToken's *url* names another server than `connect` did, else None.

    Both urls must be valid. A url without TLS, where `connect` has one with TLS, is a downgrade.

    Raises:
        ClientFailed: *url* is such a downgrade.
    """
    if url is None or _server(url) == _server(connect_url):
        return None
    given, asked = _split(url), _split(connect_url)
    if (_SCHEMES.get(given.scheme), _SCHEMES.get(asked.scheme)) == ("ws", "wss"):
        raise ClientFailed("getToken gave a url with ws://, and `connect` has one with wss://")
    return f"It is for another server, {given.hostname}, than `connect` names."


def shown_url(url: str) -> str:
    """Return *url* if it is valid. A malformed url may contain a secret, so it is not shown."""
    return url if url_problem(url) is None else "(malformed url)"


def _refusal(name: str, problem: str) -> InvalidParams:
    variable = next((each for each, setting in ENVIRONMENT.items() if setting == name), None)
    shown = wire_name(name) if variable is None else f"{wire_name(name)} ({variable})"
    return InvalidParams(f"The {shown} {problem}.", f"Correct the {shown}.")
