"""Access tokens for people and agents: made, and explained in plain words.

Owns the signing of a token with any content that a test needs. Knows no server.
"""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Mapping
from typing import Any, Literal

import jwt
from livekit import api

from sidecar.core.config import Settings

PERSON_TTL_S = 6 * 3600.0
Kind = Literal["standard", "egress", "ingress", "sip", "agent"]


def mint_token(
    api_key: str,
    api_secret: str,
    room: str,
    identity: str,
    *,
    kind: Kind = "standard",
    name: str = "",
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    ttl_s: float = 3600.0,
    hidden: bool = False,
    room_admin: bool = False,
) -> str:
    """Sign a token that lets `identity` join `room`, publish, subscribe and send data.

    A negative `ttl_s` makes an expired token; the server allows a minute of leeway.
    """
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        room_admin=room_admin or None,
        can_update_own_metadata=True,
        hidden=hidden or None,
    )
    token = (
        api.AccessToken(api_key, api_secret)
        .with_identity(identity)
        .with_kind(kind)
        .with_ttl(datetime.timedelta(seconds=ttl_s))
        .with_grants(grants)
    )
    if name:
        token = token.with_name(name)
    if metadata:
        token = token.with_metadata(metadata)
    if attributes:
        token = token.with_attributes(dict(attributes))
    return token.to_jwt()


def person_token(settings: Settings, name: str, *, ttl_s: float = PERSON_TTL_S) -> str:
    """Sign a token for a person: *name* is the identity, with a capital the shown name."""
    return mint_token(
        settings.api_key or "",
        settings.api_secret or "",
        settings.room or "",
        name,
        name=name.capitalize(),
        ttl_s=ttl_s,
    )


GRANTS = {
    "roomJoin": "join the room",
    "canPublish": "publish microphone, camera and screen",
    "canSubscribe": "hear and see the others",
    "canPublishData": "send chat and data",
    "canUpdateOwnMetadata": "change its own name, metadata and attributes",
    "hidden": "be there without being shown to the others",
    "roomAdmin": "list and remove the people of the room",
    "roomCreate": "create and delete rooms",
    "roomList": "list all rooms",
    "roomRecord": "record rooms",
    "ingressAdmin": "manage ingress",
    "recorder": "be there as a recorder",
    "agent": "be there as an agent",
}
"""What each grant of LiveKit's (docs.livekit.io, Tokens & grants) lets its bearer do."""
ALLOWED_BY_ABSENCE = ("canPublish", "canSubscribe", "canPublishData")
"""Where the token does not say, and lets its bearer join, the server allows these."""


def explained(token: str, api_secret: str | None) -> str:
    """Describe *token* in plain words: the participant, the room, the grants, the times.

    *api_secret*, where there is one, tells whether it signed the token. The text holds neither of
    them. Raises ValueError for a malformed token.
    """
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise ValueError("This is no access token.") from None
    video = claims.get("video")
    grants: dict[str, Any] = dict(video) if isinstance(video, dict) else {}
    room = grants.pop("room", None)
    if grants.get("roomJoin"):
        grants = dict.fromkeys(ALLOWED_BY_ABSENCE, True) | grants
    named = f", shown as {claims['name']!r}" if claims.get("name") else ""
    kind = claims.get("kind") or "standard"
    told = {
        "who": f"{claims.get('sub')!r}{named}" if claims.get("sub") else "no identity: nobody",
        "kind": "a person" if kind == "standard" else f"{kind}, which is no person to the sidecar",
        "room": repr(room) if room else "no room is named",
        "may": _listed(name for name, value in grants.items() if value is True),
        "may not": _listed(name for name in ALLOWED_BY_ABSENCE if grants.get(name) is False),
        "more": json.dumps({k: v for k, v in grants.items() if not isinstance(v, bool)} | {
            k: claims[k] for k in ("metadata", "attributes", "roomConfig") if claims.get(k)
        }, ensure_ascii=False),
        "valid from": _time(claims.get("nbf")),
        "valid until": _time(claims.get("exp")),
        "API key": str(claims.get("iss") or "none"),
        "signature": _signature(token, api_secret),
    }  # fmt: skip
    shown = {name: text for name, text in told.items() if text not in ("", "{}")}
    return "\n".join(f"{name + ':':<13}{text}" for name, text in shown.items())


def _listed(names: Any) -> str:
    return "; ".join(GRANTS.get(name, name) for name in names)


def _time(seconds: object) -> str:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return "not said"
    try:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return "out of every calendar"
    away_s = seconds - time.time()
    away = f"in {_span(away_s)}" if away_s > 0 else f"{_span(-away_s)} ago"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC ({away})"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _signature(token: str, api_secret: str | None) -> str:
    if api_secret is None:
        return "not checked: LIVEKIT_API_SECRET is not set"
    try:
        jwt.decode(
            token,
            api_secret,
            algorithms=["HS256"],
            options={
                f"verify_{each}": False for each in ("exp", "nbf", "iat", "aud", "sub", "jti")
            },  # type: ignore[arg-type]  # a TypedDict
        )
    except jwt.InvalidTokenError:
        return "not by the LIVEKIT_API_SECRET that is set here"
    return "by the LIVEKIT_API_SECRET that is set here"
