"""Access tokens for the people and agents of tests and of the demo.

Owns the signing of one token with all that a test may want in it. Knows no server.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Literal

from livekit import api

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
    can_update_own_metadata: bool = True,
) -> str:
    """Sign a token that lets `identity` join `room`, publish, subscribe and send data.

    A negative `ttl_s` makes one that has expired; the server allows a minute of leeway.
    """
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        room_admin=room_admin or None,
        can_update_own_metadata=can_update_own_metadata,
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
