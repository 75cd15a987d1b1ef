"""Owns LiveKit's server API: tokens and the room service. The only importer of `livekit.api`.

Imported late and off the loop: `livekit.api` takes 200 to 300 ms. Does not know the agent's state.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from sidecar.core.config import Target
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.failures import BrokenInstall
from sidecar.core.diagnosis import ServerProbe
from sidecar.core.facts import Listed, ParticipantKind, ParticipantState
from sidecar.core.page_access import WantedConnection
from sidecar.rtc import native
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.server_probe import http_url, look

if TYPE_CHECKING:
    from livekit.api import ParticipantInfo
    from livekit.api.room_service import RoomService

CALL_WITHIN_S = 8.0

AGENT_TOKEN_TTL = datetime.timedelta(minutes=10)
"""A fresh one is made for every attempt; the server refreshes it while we are connected
(livekit-server pkg/service/roommanager.go)."""
EMPTY_TIMEOUT_S = 3600
DEPARTURE_TIMEOUT_S = 3600
"""Seconds after which a room of agents alone is closed; the agent then rejoins at once.

They count only where the agent's join
creates the room (livekit-server pkg/service/roomallocator.go)."""

ABSENT_ATTRIBUTE = "clara.absent"
"""Nobody has it. Taking it away changes nothing, and makes the server tell the room of the person
at once all the same (livekit-server pkg/rtc/participant.go SetAttributes; measured)."""


_log = logging.getLogger("sidecar.rtc")


class LiveKitServerApi:
    """A `ports.LiveKitApi`."""

    def __init__(self, proxies: Proxies) -> None:
        """*proxies* know the way to a server."""
        self._proxies = proxies

    async def check_install(self) -> None:
        """Load all of LiveKit that the sidecar needs.

        Raises:
            BrokenInstall: a part cannot be loaded.
        """
        await asyncio.to_thread(native.load)
        await asyncio.to_thread(load)

    async def agent_token(self, target: Target) -> str:
        """A fresh access token for the agent, or the one that the target has.

        Raises:
            BrokenInstall: `livekit.api` cannot be loaded.
        """
        if target.api_key is None or target.api_secret is None:
            return target.token or ""
        return await asyncio.to_thread(_agent_token, target, target.api_key, target.api_secret)

    async def connection_token(self, target: Target, wanted: WantedConnection) -> str:
        """An access token for a person; the target has a secret."""
        return await asyncio.to_thread(_connection_token, target, wanted)

    async def probe(self, target: Target) -> ServerProbe:
        """A look at the target's server and at this machine's way there; never raises."""
        try:
            token = await self.agent_token(target)
        except BrokenInstall:
            token = ""
        return await look(http_url(target.url), token, await self._proxies.of(target.url))

    async def list_participants(self, target: Target) -> tuple[Listed, ...]:
        """Everybody in the target's room, the agent included.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """
        await asyncio.to_thread(load)
        from livekit import api

        async with self._calling(target) as rooms:
            wanted = api.ListParticipantsRequest(room=target.room)
            answer = await rooms.list_participants(wanted)
        return tuple(_listed(each) for each in answer.participants)

    async def broadcast_participant(self, target: Target, identity: str) -> bool:
        """Have *identity* announced to the target's room now; False when nobody there has it.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """
        await asyncio.to_thread(load)
        from livekit import api

        wanted = api.UpdateParticipantRequest(room=target.room, identity=identity)
        wanted.attributes[ABSENT_ATTRIBUTE] = ""
        return await self._finds(target, lambda rooms: rooms.update_participant(wanted))

    async def is_there(self, target: Target, identity: str) -> bool:
        """Whether the server says that *identity* is in the target's room, whatever it lists.

        Never raises for what the server does: what it does not say is a no. Asked by a change of
        no subscription: the one call that goes to the participant itself and changes nothing. The
        others look at the list first (livekit-server pkg/service/roomservice.go). For one who is
        not there it takes 3 s, and 8 s at most.
        """
        await asyncio.to_thread(load)
        from livekit import api

        wanted = api.UpdateSubscriptionsRequest(room=target.room, identity=identity)
        try:
            return await self._finds(target, lambda rooms: rooms.update_subscriptions(wanted))
        except ApiCallFailed as error:
            _log.debug("Nobody answers for one person: %s", error.message)
            return False

    async def remove_participant(self, target: Target, identity: str) -> bool:
        """Remove *identity* from the target's room; False when nobody there has it.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """
        await asyncio.to_thread(load)
        from livekit import api

        wanted = api.RoomParticipantIdentity(room=target.room, identity=identity)
        return await self._finds(target, lambda rooms: rooms.remove_participant(wanted))

    async def _finds(
        self, target: Target, call: Callable[[RoomService], Awaitable[object]]
    ) -> bool:
        """Make *call*; False when the server knows nobody like that."""
        try:
            async with self._calling(target) as rooms:
                await call(rooms)
        except _NotFound:
            return False
        return True

    @contextlib.asynccontextmanager
    async def _calling(self, target: Target) -> AsyncIterator[RoomService]:
        """The room service at *target*; what fails on the way becomes an error of ours.

        Nothing of the server's text goes on: it may repeat the token.
        """
        import aiohttp
        from google.protobuf.message import DecodeError
        from livekit import api

        try:
            async with (
                # livekit-api 1.2.2 sends each request with no timeout, the session's overridden.
                asyncio.timeout(CALL_WITHIN_S),
                aiohttp.ClientSession(
                    proxy=await self._proxies.of(target.url),
                ) as session,
                api.LiveKitAPI(
                    http_url(target.url),
                    target.api_key,
                    target.api_secret,
                    token=target.token,
                    session=session,
                    failover=False,
                ) as server,
            ):
                yield server.room
        except api.ServerError as error:
            if error.code == api.ServerErrorCode.NOT_FOUND:
                raise _NotFound from None
            raise ApiCallFailed(
                f"The LiveKit server refused the call (status {error.status}, {error.code}).",
                "Check that the API key and secret belong to this server, and look into its log.",
            ) from None
        except (aiohttp.ClientError, DecodeError, TimeoutError, OSError, ValueError):
            raise ApiCallFailed(
                "The LiveKit server did not answer the call.", "Check the server and the network."
            ) from None


def load() -> None:
    """Import `livekit.api`; may be called from any thread.

    Raises:
        BrokenInstall: it, or a package that it needs, is not there.
    """
    try:
        from livekit import api

        _ = api.AccessToken
    except (ImportError, OSError) as error:
        raise BrokenInstall(f"livekit.api cannot be loaded: {error}") from error


def _agent_token(target: Target, api_key: str, api_secret: str) -> str:
    load()
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


def _connection_token(target: Target, wanted: WantedConnection) -> str:
    from livekit import api

    grants = api.VideoGrants(
        room_join=True,
        room=target.room,
        can_publish=wanted.can_publish,
        can_subscribe=wanted.can_subscribe,
        can_publish_data=wanted.can_publish_data,
    )
    token = api.AccessToken(target.api_key, target.api_secret).with_identity(wanted.identity)
    token = token.with_ttl(datetime.timedelta(seconds=wanted.ttl_s)).with_grants(grants)
    if wanted.name:
        token = token.with_name(wanted.name)
    if wanted.metadata:
        token = token.with_metadata(wanted.metadata)
    if wanted.attributes:
        token = token.with_attributes(dict(wanted.attributes))
    return token.to_jwt()


class _NotFound(Exception):
    """The server knows nobody like that."""


def _listed(info: ParticipantInfo) -> Listed:
    """By name: the SDK and the server API number some kinds differently."""
    from livekit import api

    return Listed(
        sid=info.sid,
        identity=info.identity,
        kind=_kind(api.ParticipantInfo.Kind.Name, info.kind),
        state=_state(api.ParticipantInfo.State.Name, info.state),
        is_hidden=info.permission.hidden,
    )


def _kind(name_of: Callable[[int], str], number: int) -> ParticipantKind:
    try:
        return ParticipantKind(name_of(number).lower())
    except ValueError:  # a newer server's number
        return ParticipantKind.UNKNOWN


def _state(name_of: Callable[[int], str], number: int) -> ParticipantState:
    try:
        return ParticipantState(name_of(number).lower())
    except ValueError:  # a newer server's number
        return ParticipantState.JOINED
