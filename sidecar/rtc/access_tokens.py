"""Owns the making of access tokens: for the agent, for a page, and for a call of the room service.

Signs with the standard library only. `livekit.api` can make tokens too, but takes 200 to 300 ms to
import, and the agent's join would wait for it. Does not know servers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from sidecar.core.config import Target
from sidecar.core.page_access import WantedConnection
from sidecar.core.sound import Needs

AGENT_TOKEN_S = 600
"""Seconds for which the agent's token is valid. Each attempt to join uses a new token, and the
server renews it while the agent is connected (livekit-server pkg/service/roommanager.go)."""
EMPTY_TIMEOUT_S = 3600
DEPARTURE_TIMEOUT_S = 3600
"""Seconds until the server closes a room that has only agents; the agent then rejoins at once.

The server uses both values only if the agent's join creates the room (livekit-server
pkg/service/roomallocator.go)."""

_HEADER = {"typ": "JWT", "alg": "HS256"}


def agent_token(target: Target) -> str:
    """Make a token with which the agent joins the room of *target*, or return the target's own.

    A target without an API key and secret has a token.
    """
    grants: dict[str, object] = {
        "roomJoin": True,
        "room": target.room,
        "canPublish": Needs.SPEAK in target.grants,
        "canPublishData": Needs.TEXT in target.grants,
        "canSubscribe": Needs.HEAR in target.grants,
    }
    if target.needs:
        grants["canUpdateOwnMetadata"] = True  # for `lk.agent.state`
    claims = {
        "sub": target.identity,
        "name": target.name,
        "kind": "agent",
        "video": grants,
        "roomConfig": {
            "emptyTimeout": EMPTY_TIMEOUT_S,
            "departureTimeout": DEPARTURE_TIMEOUT_S,
        },
    }
    return _signed(target, claims, AGENT_TOKEN_S)


def connection_token(target: Target, wanted: WantedConnection) -> str:
    """Make a token for a page. *target* must have an API key and secret."""
    grants = {
        "roomJoin": True,
        "room": target.room,
        "canPublish": wanted.can_publish,
        "canPublishData": wanted.can_publish_data,
        "canSubscribe": wanted.can_subscribe,
    }
    claims: dict[str, object] = {"sub": wanted.identity, "video": grants}
    given = {"name": wanted.name, "metadata": wanted.metadata, "attributes": wanted.attributes}
    claims |= {name: value for name, value in given.items() if value}
    return _signed(target, claims, wanted.ttl_s)


def service_token(target: Target, ttl_s: float, ahead_s: float) -> str:
    """Make a token for one call of the room service, or return the target's own token.

    *ahead_s*: how far the server's clock is ahead of this machine's.
    """
    grants = {
        "roomAdmin": True,
        "room": target.room,
        "canPublish": False,
        "canPublishData": False,
        "canSubscribe": False,
    }
    return _signed(target, {"video": grants}, ttl_s, ahead_s)


def _signed(
    target: Target, claims: Mapping[str, object], ttl_s: float, ahead_s: float = 0.0
) -> str:
    """Sign *claims* with the secret of *target* (RFC 7515, HS256); without it, return its token."""
    if target.api_key is None or target.api_secret is None:
        return target.token or ""
    now_s = time.time() + ahead_s
    times = {"iss": target.api_key, "nbf": int(now_s), "exp": int(now_s + ttl_s)}
    body = f"{_encoded(_HEADER)}.{_encoded({**claims, **times})}"
    signature = hmac.digest(target.api_secret.encode(), body.encode(), hashlib.sha256)
    return f"{body}.{_base64(signature)}"


def _encoded(part: Mapping[str, object]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
