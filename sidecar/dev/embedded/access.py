"""Checks access tokens like livekit-server, and refuses them with the same texts.

Pure, except for the clock that token checks need. Sources: livekit-server 1.13.5
pkg/service/auth.go and utils.go; livekit/protocol auth/verifier.go. The texts repeat the whole
token, like the texts of the server: the sidecar must never pass them on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

LEEWAY_S = 60
"""protocol auth/verifier.go, tokenLeeway."""
REFRESHED_TTL_S = 600
"""livekit-server pkg/service/roommanager.go, tokenDefaultTTL."""
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
    """The claims of a token; an absent `can_...` claim allows the act."""

    identity: str = ""
    name: str = ""
    kind: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    room: str = ""
    room_join: bool = False
    room_admin: bool = False
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)
    """As signed, for a refreshed token."""


def read_token(token: str, api_key: str, api_secret: str) -> Grants | None:
    """Return the grants of *token*; None if it is empty or not LiveKit's. Raises Refused (401)."""
    if not token:
        return None
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
    except jwt.InvalidTokenError:
        raise Refused(401, "invalid authorization token") from None
    if issuer != api_key:
        raise Refused(401, f"invalid API key: {issuer}")
    try:
        claims = jwt.decode(
            token,
            api_secret,
            algorithms=["HS256"],
            leeway=LEEWAY_S,
            options={"verify_aud": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError as error:
        raise Refused(401, f"invalid token: {token}, error: {_why(error)}") from None
    return _grants(claims)


def check_join(grants: Grants) -> None:
    """Return when *grants* let their bearer join a room. Raises Refused (401, 400)."""
    if not grants.room_join:
        raise Refused(401, DENIED)
    if not grants.identity:
        raise Refused(400, "identity cannot be empty")
    limit = f"length exceeds limits: max length {MAX_NAME_CHARACTERS}"
    if len(grants.identity) > MAX_NAME_CHARACTERS:
        raise Refused(400, f"participant identity {limit}")
    if not grants.room:
        raise Refused(400, "no room name")
    if len(grants.room) > MAX_NAME_CHARACTERS:
        raise Refused(400, f"room name {limit}")


def check_admin(grants: Grants | None, room: str) -> None:
    """Return when *grants* allow administration of *room*. Raises Refused (401)."""
    if grants is None or not grants.room_admin or grants.room != room:
        raise Refused(401, DENIED)


def refreshed_token(grants: Grants, api_key: str, api_secret: str) -> str:
    """Sign a token with the same grants. It lasts ten minutes, or as long as the first token."""
    now_s = int(time.time())
    earlier = grants.claims.get("exp")
    expires_s = max(now_s + REFRESHED_TTL_S, earlier if isinstance(earlier, int) else 0)
    claims = {**grants.claims, "iss": api_key, "nbf": now_s, "exp": expires_s}
    return jwt.encode(claims, api_secret, algorithm="HS256")


def _why(error: jwt.InvalidTokenError) -> str:
    """Describe the fault of the token in the words of golang-jwt 5."""
    if isinstance(error, jwt.ExpiredSignatureError):
        return "token has invalid claims: token is expired"
    if isinstance(error, jwt.ImmatureSignatureError):
        return "token has invalid claims: token is not valid yet"
    return "token signature is invalid: signature is invalid"


def _grants(claims: Mapping[str, Any]) -> Grants | None:
    video = claims.get("video")
    if not isinstance(video, dict):
        return None
    return Grants(
        identity=str(claims.get("sub") or claims.get("jti") or ""),
        name=str(claims.get("name", "")),
        kind=str(claims.get("kind", "")),
        metadata=str(claims.get("metadata", "")),
        attributes=dict(claims.get("attributes") or {}),
        room=str(video.get("room", "")),
        room_join=video.get("roomJoin") is True,
        room_admin=video.get("roomAdmin") is True,
        can_publish=video.get("canPublish") is not False,
        can_subscribe=video.get("canSubscribe") is not False,
        can_publish_data=video.get("canPublishData") is not False,
        claims=dict(claims),
    )
