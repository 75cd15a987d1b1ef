"""Owns the configuration: its layers, their order, and the one target that comes of them.

Does not know where a layer was read: `cli` hands in the environment and the text of the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from urllib.parse import urlsplit

from sidecar.core.access_token import TokenClaims, has_expired, is_worth_a_join, token_claims
from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import Capabilities, ConnectParams
from sidecar.core.contract.wire import wire_name

DEFAULT_IDENTITY = "clara-voice-agent"
DEFAULT_NAME = "Clara"
MAX_NAME_BYTES = 256
"""Of UTF-8. The server answers 400 to a longer room or identity, and refuses to change a name to a
longer one (livekit-server pkg/config/config.go, LimitConfig)."""

ENVIRONMENT = {
    "LIVEKIT_URL": "url",
    "LIVEKIT_API_KEY": "api_key",
    "LIVEKIT_API_SECRET": "api_secret",
    "LIVEKIT_TOKEN": "token",
    "LIVEKIT_ROOM": "room",
}
"""The variables, and the setting each gives."""

_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
"""The schemes of a server's url, and the websocket's that each of them comes to."""
_PORTS = {"ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class Settings(ConnectParams):
    """One layer of the configuration, or several merged; None is not given."""

    @classmethod
    def given(cls, params: ConnectParams) -> Settings:
        """The layer of a `connect`."""
        return cls(**{each.name: getattr(params, each.name) for each in fields(ConnectParams)})

    def over(self, weaker: Settings) -> Settings:
        """These settings, and *weaker*'s where these have none.

        A token displaces a weaker key and secret, and they a weaker token.
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
        """Whether there are a key and its secret."""
        return self.api_key is not None and self.api_secret is not None

    def without_token(self) -> Settings:
        """These settings for later joins, for which the client gives newer tokens.

        The token's room and identity stay, unless these settings have their own.
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
        """What must not be seen anywhere."""
        return tuple(each for each in (self.api_secret, self.token) if each)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the agent is to be, and as whom; complete."""

    url: str
    room: str
    """Empty only where the token is malformed."""
    identity: str
    name: str
    auto_subscribe: bool
    api_key: str | None
    api_secret: str | None = field(repr=False)
    token: str | None = field(repr=False)
    """None where there is a secret, and until the client gave a token."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Two targets of the same server, room and identity are the same one."""
        return (_server(self.url), self.room, self.identity)

    @property
    def claims(self) -> TokenClaims | None:
        """What the token says of itself; None without a token, or with a malformed one."""
        return None if self.token is None else token_claims(self.token)

    def needs_token(self, now_s: float) -> bool:
        """Whether a join at *now_s*, seconds since 1970, needs another token than is known."""
        return self.api_secret is None and not is_worth_a_join(self.token, now_s)

    def capabilities(self, now_s: float, *, client_gives_tokens: bool = False) -> Capabilities:
        """What the credentials allow at *now_s*, seconds since 1970."""
        if self.api_secret is not None:
            return Capabilities(create_connection=True, close_session=True, reconcile=True)
        claims = self.claims
        reconcile = claims is not None and claims.is_room_admin and not has_expired(claims, now_s)
        return Capabilities(
            create_connection=client_gives_tokens, close_session=False, reconcile=reconcile
        )


NO_CAPABILITIES = Capabilities(create_connection=False, close_session=False, reconcile=False)
"""Before anything is configured."""


def from_environment(environ: Mapping[str, str]) -> Settings:
    """The layer of the LIVEKIT_* variables in *environ*; an empty one counts as not set."""
    given = {
        name: environ[variable] for variable, name in ENVIRONMENT.items() if environ.get(variable)
    }
    return Settings(**given)  # type: ignore[arg-type]  # the table names text settings alone


def missing(settings: Settings, *, client_gives_tokens: bool = False) -> tuple[str, ...]:
    """What is lacking for a target, by the names of the variables."""
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


def target(settings: Settings, *, client_gives_tokens: bool = False) -> Target:
    """The target that *settings* come to.

    Raises:
        InvalidParams: names what is missing, empty or too long, and where to set it.
    """
    for name in ("url", "api_key", "api_secret", "token", "room", "identity", "name"):
        text = getattr(settings, name)
        if text == "":
            raise _refusal(name, "is empty")
        if text is not None and text.encode("utf-8", "ignore").decode() != text:
            raise _refusal(name, "is not valid UTF-8")
    lacking = missing(settings, client_gives_tokens=client_gives_tokens)
    if lacking:
        raise InvalidParams(
            f"Not configured: {', '.join(lacking)} not given.",
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
            raise _refusal("room", "is not the one that the token is for")
        room = claims.room or room
        identity = claims.identity or identity
        if not room:
            raise _refusal("token", "names no room")
    for name, given in (("room", room), ("identity", identity), ("name", settings.name or "")):
        if len(given.encode()) > MAX_NAME_BYTES:
            raise _refusal(name, f"is longer than {MAX_NAME_BYTES} bytes of UTF-8")
    return Target(
        url=settings.url,
        room=room,
        identity=identity,
        name=settings.name or DEFAULT_NAME,
        auto_subscribe=bool(settings.auto_subscribe),
        api_key=settings.api_key if settings.has_pair else None,
        api_secret=settings.api_secret if settings.has_pair else None,
        token=token,
    )


def url_problem(url: str) -> str | None:
    """What is wrong with *url*, as the end of a sentence; None when nothing is."""
    try:
        parts = urlsplit(url)
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


def _server(url: str) -> str:
    """One spelling for all urls of a server: `https://Host/` is `wss://host:443`."""
    if url_problem(url) is not None:
        return url
    parts = urlsplit(url)
    scheme = _SCHEMES[parts.scheme]
    return f"{scheme}://{parts.hostname}:{parts.port or _PORTS[scheme]}{parts.path.rstrip('/')}"


def shown_url(url: str) -> str:
    """*url* as it may be shown: a malformed one may hold a secret anywhere."""
    return url if url_problem(url) is None else "(malformed url)"


def _refusal(name: str, problem: str) -> InvalidParams:
    variable = next((each for each, setting in ENVIRONMENT.items() if setting == name), None)
    shown = wire_name(name) if variable is None else f"{wire_name(name)} ({variable})"
    return InvalidParams(f"The {shown} {problem}.", f"Correct the {shown}.")
