"""Checks access tokens like livekit-server, and refuses them with the same texts.

Pure, except for the clock that token checks need. Sources: livekit-server 1.13.5
pkg/service/auth.go and utils.go; livekit/protocol auth/verifier.go. The texts repeat the whole
token, like the texts of the server: the sidecar must never pass them on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import jwt
from livekit.api import AccessToken, TokenVerifier, VideoGrants
from livekit.api.access_token import Claims

LEEWAY = timedelta(seconds=60)
"""protocol auth/verifier.go, tokenLeeway."""
REFRESHED_TTL = timedelta(days=1)
"""So that a client of a long demo can always reconnect; the server gives ten minutes."""
MAX_NAME_CHARACTERS = 256
"""Of rooms and identities; livekit-server's default limits."""

NO_ACCESS = "no permissions to access the room"
DENIED = "permissions denied"


class Refused(Exception):
    """The request is refused with an HTTP `status` and a `text`."""

    def __init__(self, status: int, text: str) -> None:
        """Set the HTTP status and the text."""
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Grants:
    """The claims of a token: whose it is, and what its bearer may do in which room."""

    claims: Claims
    video: VideoGrants


def read_token(token: str, api_key: str, api_secret: str) -> Grants | None:
    """Return the grants of *token*; None if it is empty or not LiveKit's. Raises Refused (401)."""
    if not token:
        return None
    try:
        unchecked = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise Refused(401, "invalid authorization token") from None
    if (issuer := unchecked.get("iss", "")) != api_key:
        raise Refused(401, f"invalid API key: {issuer}")
    try:
        claims = TokenVerifier(api_key, api_secret, leeway=LEEWAY).verify(token)
    except jwt.InvalidTokenError as error:
        raise Refused(401, f"invalid token: {token}, error: {_why(error)}") from None
    if claims.video is None or "video" not in unchecked:
        return None
    return Grants(claims, claims.video)


def check_join(grants: Grants) -> None:
    """Return when *grants* let their bearer join a room. Raises Refused (401, 400)."""
    if not grants.video.room_join:
        raise Refused(401, DENIED)
    for what, name, lacking in (
        ("participant identity", grants.claims.identity, "identity cannot be empty"),
        ("room name", grants.video.room, "no room name"),
    ):
        if not name:
            raise Refused(400, lacking)
        if len(name) > MAX_NAME_CHARACTERS:
            limit = f"length exceeds limits: max length {MAX_NAME_CHARACTERS}"
            raise Refused(400, f"{what} {limit}")


def check_admin(grants: Grants | None, room: str) -> None:
    """Return when *grants* allow administration of *room*. Raises Refused (401)."""
    if grants is None or not grants.video.room_admin or grants.video.room != room:
        raise Refused(401, DENIED)


def refreshed_token(grants: Grants, api_key: str, api_secret: str) -> str:
    """Sign a token with the same grants."""
    token = AccessToken(api_key, api_secret).with_ttl(REFRESHED_TTL)
    token.claims, token.identity = grants.claims, grants.claims.identity
    return token.to_jwt()


def _why(error: jwt.InvalidTokenError) -> str:
    """Describe the fault of the token in the words of golang-jwt 5."""
    if isinstance(error, jwt.ExpiredSignatureError):
        return "token has invalid claims: token is expired"
    if isinstance(error, jwt.ImmatureSignatureError):
        return "token has invalid claims: token is not valid yet"
    return "token signature is invalid: signature is invalid"
