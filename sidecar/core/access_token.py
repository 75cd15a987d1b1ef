"""Owns what an access token says of itself, unchecked: checking it is the server's part.

Does not know how tokens are made.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of a LiveKit access token that matter here (docs.livekit.io, Tokens & grants)."""

    identity: str
    room: str
    kind: str
    expires_at_s: float | None
    """Seconds since 1970."""
    is_room_admin: bool


def token_claims(token: str) -> TokenClaims | None:
    """The claims of *token*, or None when it is no JSON web token at all."""
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        return None
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(claims, dict):
        return None
    video = claims.get("video")
    grants = video if isinstance(video, dict) else {}
    return TokenClaims(
        identity=_text(claims.get("sub")),
        room=_text(grants.get("room")),
        kind=_text(claims.get("kind")),
        expires_at_s=_seconds(claims.get("exp")),
        is_room_admin=grants.get("roomAdmin") is True,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    # JSON can say half a surrogate pair, which UTF-8 cannot.
    return value if value.encode("utf-8", "ignore").decode() == value else ""


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
