"""Owns LiveKit's server API: access tokens. The only importer of `livekit.api`.

Imported late and off the loop: `livekit.api` takes 200 to 300 ms. Does not know the agent's state.
"""

from __future__ import annotations

import asyncio
import datetime

from sidecar.core.config import Target

AGENT_TOKEN_TTL = datetime.timedelta(minutes=10)
"""A fresh one is made for every attempt; the server refreshes it while we are connected
(livekit-server pkg/service/roommanager.go)."""
EMPTY_TIMEOUT_S = 3600
DEPARTURE_TIMEOUT_S = 3600
"""Seconds after which a room of agents alone is closed; the agent then rejoins at once.

They count only where the agent's join
creates the room (livekit-server pkg/service/roomallocator.go)."""


class LiveKitServerApi:
    """A `ports.LiveKitApi`."""

    async def agent_token(self, target: Target) -> str:
        """A fresh access token for the agent, or the one that the target has."""
        if target.api_key is None or target.api_secret is None:
            return target.token or ""
        return await asyncio.to_thread(_agent_token, target, target.api_key, target.api_secret)


def load() -> None:
    """Import `livekit.api`; may be called from any thread.

    Raises:
        ImportError: it is not there.
    """
    from livekit import api

    _ = api.AccessToken


def _agent_token(target: Target, api_key: str, api_secret: str) -> str:
    from livekit import api

    grants = api.VideoGrants(
        room_join=True,
        room=target.room,
        can_publish=False,
        can_publish_data=False,
        can_subscribe=target.auto_subscribe,
    )
    token = api.AccessToken(api_key, api_secret).with_identity(target.identity)
    config = api.RoomConfiguration(
        empty_timeout=EMPTY_TIMEOUT_S, departure_timeout=DEPARTURE_TIMEOUT_S
    )
    return (
        token.with_name(target.name)
        .with_kind("agent")
        .with_ttl(AGENT_TOKEN_TTL)
        .with_grants(grants)
        .with_room_config(config)
        .to_jwt()
    )
