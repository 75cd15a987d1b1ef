"""Owns the claims of access tokens: reads them, and refuses a token for another room or identity.

Does not check the signature or the times: the server does, and this machine's clock may be wrong.
Does not know how tokens are made, nor their source.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Collection, Mapping

from sidecar.core.contract.errors import ClientFailed
from sidecar.core.contract.messages import AccessToken, TokenGrants
from sidecar.core.contract.protocol import AGENT_IDENTITY_PREFIX
from sidecar.core.values import dataclass

SHORT_LIVED_S = 30.0
"""A token with fewer seconds left is not used for a join if the client can give another."""

MAX_TOKEN_CHARS = 256 * 1024
"""A token with all texts that a LiveKit server allows has 180 KiB."""
LONGEST_S = 86_400.0
"""A token that is valid for longer gets a warning."""
TOKEN_LEEWAY_S = 60.0
"""Seconds by which livekit-server takes a token before and after its times (livekit/protocol
auth/verifier.go)."""

_YEAR_10000_S = 253_402_300_800
_ADMIN_GRANTS = ("roomCreate", "roomList", "roomRecord", "roomAdmin", "ingressAdmin", "hidden")
"""Grants that a participant in a page does not need (docs.livekit.io, Tokens & grants)."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of a LiveKit access token that we use (docs.livekit.io, Tokens & grants)."""

    identity: str
    room: str
    kind: str
    expires_at_s: float | None
    """Seconds since 1970."""
    is_room_admin: bool
    name: str = ""
    not_before_s: float | None = None
    """Seconds since 1970."""
    can_join: bool = False
    grants: frozenset[str] = frozenset()
    """The names of the grants that are true. Empty if the token does not allow joining. Otherwise
    publishing, subscribing and data are granted unless they are false."""


def token_claims(token: str) -> TokenClaims | None:
    """Read the claims of *token*; None if it is not a JSON web token."""
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
        name=_text(claims.get("name")),
        not_before_s=_seconds(claims.get("nbf")),
        can_join=grants.get("roomJoin") is True,
        grants=frozenset(_granted(grants) if grants.get("roomJoin") is True else ()),
    )


def has_expired(claims: TokenClaims, now_s: float) -> bool:
    """Return whether the token's `exp` has passed at *now_s*, seconds since 1970."""
    return claims.expires_at_s is not None and claims.expires_at_s <= now_s


def is_early(claims: TokenClaims, now_s: float) -> bool:
    """Return whether the token's `nbf` is still to come at *now_s*, seconds since 1970."""
    return claims.not_before_s is not None and claims.not_before_s > now_s


def is_worth_a_join(token: str | None, now_s: float) -> bool:
    """Return whether *token* is valid until SHORT_LIVED_S after *now_s*, seconds since 1970.

    True also for a malformed token, so that the server refuses it.
    """
    if token is None:
        return False
    claims = token_claims(token)
    return claims is None or not has_expired(claims, now_s + SHORT_LIVED_S)


def given_token(answer: object) -> AccessToken:
    """Read the access token from a client's *answer* to `getToken`.

    Accepts two forms: `{token, url?}`, and LiveKit's `{participant_token, server_url?}`.

    Raises:
        ClientFailed: the answer has no access token, or its url is not a string.
    """
    members = answer if isinstance(answer, Mapping) else {}
    token = members.get("token", members.get("participant_token"))
    url = members.get("url", members.get("server_url"))
    if not isinstance(token, str) or not token:
        what = "an empty token" if token == "" else f"{_kind_of(answer, token)}"
        raise ClientFailed(
            f"getToken must give {{ token }} with an access token, but it gave {what}"
        )
    if len(token) > MAX_TOKEN_CHARS:
        raise ClientFailed(f"getToken gave a token of over {MAX_TOKEN_CHARS} characters")
    if url is not None and not isinstance(url, str):
        raise ClientFailed("getToken gave a url that is not a string")
    return AccessToken(token, url)


def claims_for_agent(token: str, room: str) -> TokenClaims:
    """Read the claims of *token*, and check that the agent can join *room* with it.

    Raises:
        ClientFailed: a claim does not allow that; the text names it.
    """
    claims = _claims_for(token)
    if claims.room not in ("", room):
        raise ClientFailed("getToken gave a token for another room")
    return claims


def claims_for_person(
    token: str, room: str, identity: str, agent_identities: Collection[str]
) -> TokenClaims:
    """Read the claims of *token*, and check that a page can join *room* with it as *identity*.

    If *identity* is empty, the token's identity counts. It must not be in *agent_identities*.

    Raises:
        ClientFailed: a claim does not allow that; the text names it.
    """
    claims = _claims_for(token)
    if claims.room != room:
        raise ClientFailed("getToken gave a token for another room")
    if identity and claims.identity != identity:
        raise ClientFailed("getToken gave a token for another identity")
    if claims.identity in agent_identities:
        raise ClientFailed("getToken gave a token with the agent's own identity")
    if claims.identity.startswith(AGENT_IDENTITY_PREFIX):
        raise ClientFailed("getToken gave a token with an agent's identity")
    if claims.kind == "agent":
        raise ClientFailed("getToken gave a token of kind `agent`, which a page must not use")
    if claims.expires_at_s is None or not 0 < claims.expires_at_s < _YEAR_10000_S:
        raise ClientFailed("getToken gave a token without an expiry (`exp`)")
    return claims


def wider_than(grants: TokenGrants, claims: TokenClaims) -> tuple[str, ...]:
    """Return the names of the grants in *claims* that exceed *grants*."""
    asked = {
        "canPublish": grants.can_publish,
        "canSubscribe": grants.can_subscribe,
        "canPublishData": grants.can_publish_data,
    }
    return tuple(
        each
        for each in (*asked, *_ADMIN_GRANTS)
        if each in claims.grants and not asked.get(each, False)
    )


def doubts_about(claims: TokenClaims, grants: TokenGrants | None, now_s: float) -> tuple[str, ...]:
    """Return a sentence for each claim that works and is probably a mistake.

    *grants* are the requested rights; *now_s* is in seconds since 1970.
    """
    doubts = []
    if grants is not None and (wider := wider_than(grants, claims)):
        doubts.append(f"It grants more than was asked for: {', '.join(wider)}.")
    if (problem := times_problem(claims, now_s)) is not None:
        doubts.append(problem)
    if claims.expires_at_s is not None and claims.expires_at_s - now_s > LONGEST_S + TOKEN_LEEWAY_S:
        days = round((claims.expires_at_s - now_s) / 86_400)
        doubts.append(f"It is valid for {days} more days; a join needs some minutes.")
    return tuple(doubts)


def times_problem(claims: TokenClaims, now_s: float) -> str | None:
    """Return a sentence if the token is expired or not valid yet at *now_s*, else None.

    *now_s* is in seconds since 1970.
    """
    if has_expired(claims, now_s):
        return "By this machine's clock the token has expired."
    if is_early(claims, now_s):
        return "By this machine's clock the token is not valid yet."
    return None


def _claims_for(token: str) -> TokenClaims:
    claims = token_claims(token)
    if claims is None:
        raise ClientFailed("getToken gave a token that is not a JSON web token")
    if not claims.can_join:
        raise ClientFailed("getToken gave a token that does not allow joining (`roomJoin`)")
    if not claims.identity:
        raise ClientFailed("getToken gave a token without an identity (`sub`)")
    return claims


def _granted(grants: Mapping[str, object]) -> list[str]:
    unless_false = ("canPublish", "canSubscribe", "canPublishData")
    by_default = [each for each in unless_false if grants.get(each) is not False]
    return by_default + [each for each in _ADMIN_GRANTS if grants.get(each) is True]


def _kind_of(answer: object, token: object) -> str:
    """Return the JSON type of the answer, for the error message; never its text."""
    if isinstance(answer, Mapping):
        return "no token" if token is None else f"a token of type {_json_type(token)}"
    return _json_type(answer)


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", str: "string", list: "array", int: "number", float: "number"}
    return names.get(type(value), "object")


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    # JSON can contain half a surrogate pair, but UTF-8 cannot.
    return value if value.encode("utf-8", "ignore").decode() == value else ""


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
