"""Owns LiveKit's server API: gives tokens, calls the room service.

Takes the messages from `livekit.protocol`. `livekit.api`, which has them too, also imports its own
clients and PyJWT: 10 MB that the sidecar does not use. Imports messages and aiohttp after the join,
at the first call, and on another thread. Does not know the agent's state.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sidecar.core.config import Target
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.failures import BrokenInstall, Category, failure
from sidecar.core.diagnosis import ServerProbe
from sidecar.core.facts import Listed
from sidecar.core.page_access import WantedConnection
from sidecar.rtc import access_tokens, native
from sidecar.rtc.participants import listed_in
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.room_service import NotFound, RoomService
from sidecar.rtc.server_probe import http_url, look

if TYPE_CHECKING:
    from google.protobuf.message import Message

ABSENT_ATTRIBUTE = "clara.absent"
"""An attribute that no participant has. Deleting it changes nothing, but makes the server broadcast
the participant at once (livekit-server pkg/rtc/participant.go SetAttributes; measured)."""


_log = logging.getLogger("sidecar.rtc")


class LiveKitServerApi:
    """Implements `ports.LiveKitApi` with the messages of `livekit.protocol`."""

    def __init__(self, proxies: Proxies) -> None:
        """Ask *proxies* which proxy to use for each server."""
        self._proxies = proxies
        self._service = RoomService(proxies)
        self._is_broken = False

    async def check_install(self) -> None:
        """Load every part of LiveKit that the sidecar needs.

        Raises:
            BrokenInstall: a part cannot be loaded; the message names it.
        """
        await asyncio.to_thread(native.load)
        await asyncio.to_thread(load)

    async def agent_token(self, target: Target) -> str:
        """Make an access token for the agent, or return the target's own token.

        A target without an API key and secret has a token.
        """
        return access_tokens.agent_token(target)

    async def connection_token(self, target: Target, wanted: WantedConnection) -> str:
        """Make an access token for a page. *target* must have an API key and secret."""
        return access_tokens.connection_token(target, wanted)

    async def probe(self, target: Target) -> ServerProbe:
        """Check the target's server and the network of this machine; never raises."""
        token = await self.agent_token(target)
        return await look(http_url(target.url), token, await self._proxies.of(target.url))

    async def list_participants(self, target: Target) -> tuple[Listed, ...]:
        """Return every participant of the target's room, the agent included.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """
        await self._load()
        from livekit.protocol import room

        wanted = room.ListParticipantsRequest(room=target.room)
        try:
            return await self._service.call(target, "ListParticipants", wanted, listed_in)
        except NotFound:
            return ()

    async def broadcast_participant(self, target: Target, identity: str) -> bool:
        """Make the server broadcast the participant *identity* to the target's room now.

        Returns False when no participant of the room has this identity.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """
        await self._load()
        from livekit.protocol import room

        wanted = room.UpdateParticipantRequest(room=target.room, identity=identity)
        wanted.attributes[ABSENT_ATTRIBUTE] = ""
        return await self._finds(target, "UpdateParticipant", wanted)

    async def has_participant(self, target: Target, identity: str) -> bool:
        """Whether the server's list of the target's room has *identity*.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """
        await self._load()
        from livekit.protocol import room

        wanted = room.RoomParticipantIdentity(room=target.room, identity=identity)
        return await self._finds(target, "GetParticipant", wanted)

    async def is_there(self, target: Target, identity: str) -> bool:
        """Whether a participant with *identity* is in the target's room.

        Sends an empty UpdateSubscriptions. The server passes this call on to the participant. Any
        other call it answers from its stored list, which may be wrong (livekit-server
        pkg/service/roomservice.go). Returns False when the server refuses or does not answer.
        Takes 3 s when the participant is absent, 8 s at most.
        """
        await self._load()
        from livekit.protocol import room

        wanted = room.UpdateSubscriptionsRequest(room=target.room, identity=identity)
        try:
            return await self._finds(target, "UpdateSubscriptions", wanted)
        except ApiCallFailed as error:
            _log.debug("The server did not confirm that a participant is there: %s", error.message)
            return False

    async def remove_participant(self, target: Target, identity: str) -> bool:
        """Remove the participant *identity* from the target's room.

        Returns False when no participant of the room has this identity.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """
        await self._load()
        from livekit.protocol import room

        wanted = room.RoomParticipantIdentity(room=target.room, identity=identity)
        return await self._finds(target, "RemoveParticipant", wanted)

    async def _load(self) -> None:
        """Call `load`, or raise ApiCallFailed. The log has the cause, once."""
        try:
            await asyncio.to_thread(load)
        except BrokenInstall as error:
            if not self._is_broken:
                _log.error("%s", error)
            self._is_broken = True
            found = failure(error.category, "")
            is_broken = error.category is Category.BROKEN_INSTALL
            raise ApiCallFailed(found.detail if is_broken else f"{error}.", found.fix) from None

    async def _finds(self, target: Target, method: str, request: Message) -> bool:
        """Call *method*. Returns False when the server does not find the participant."""
        try:
            await self._service.call(target, method, request, _empty)
        except NotFound:
            return False
        return True


def _empty(body: bytes) -> None:
    """Check that *body* is a message. Each is an empty message with unknown members.

    Raises:
        DecodeError: it is something else, like a page.
    """
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.message import DecodeError

    try:
        Empty.FromString(body)
    except DecodeError:
        raise DecodeError("something else than a message") from None


def load() -> None:
    """Import all that a call needs. Safe to call from any thread.

    Raises:
        BrokenInstall: a package cannot be loaded; as `Shortage` when the system has no file handle
            or memory for it now.
    """
    try:
        import aiohttp
        from livekit.protocol import room

        _ = aiohttp.ClientSession, room.ListParticipantsRequest
    except (ImportError, OSError) as error:
        raise native.not_loaded("the client of LiveKit's server API", error) from error
