"""Three calls of LiveKit's room service that the sidecar makes, as livekit-server answers them.

The double does not answer the fourth call, UpdateParticipant. The calls are Twirp with protobuf
(pkg/service/roomservice.go). An error is JSON, as in the Twirp specification.
"""

from __future__ import annotations

import asyncio
import functools

from aiohttp import web
from aiohttp.typedefs import Handler
from google.protobuf.message import DecodeError, Message
from livekit.protocol.models import DisconnectReason
from livekit.protocol.room import (
    ListParticipantsRequest,
    ListParticipantsResponse,
    RemoveParticipantResponse,
    RoomParticipantIdentity,
    UpdateSubscriptionsRequest,
    UpdateSubscriptionsResponse,
)

from sidecar.dev.embedded.access import Refused, check_admin
from sidecar.dev.embedded.participant import Participant
from sidecar.dev.embedded.room import Rooms
from sidecar.dev.embedded.script import Script
from sidecar.dev.embedded.signalling import GRANTS

NO_RESPONSE_S = 3.0
"""For so long livekit-server waits for a participant who is not there (measured)."""
PROTOBUF = "application/protobuf"


class RoomService:
    """The routes of the room service."""

    def __init__(self, rooms: Rooms, script: Script) -> None:
        """Serve *rooms*, except for the faults of *script*."""
        self._rooms = rooms
        self._script = script

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        prefix = "/twirp/livekit.RoomService"
        return [
            web.post(f"{prefix}/ListParticipants", _twirp(self._list)),
            web.post(f"{prefix}/GetParticipant", _twirp(self._get)),
            web.post(f"{prefix}/RemoveParticipant", _twirp(self._remove)),
            web.post(f"{prefix}/UpdateSubscriptions", _twirp(self._subscribe)),
            web.post(f"{prefix}/{{call}}", _no_such_call),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        name = ListParticipantsRequest.FromString(await request.read()).room
        check_admin(request.get(GRANTS), name)
        room = self._rooms.find(name)
        people = self._script.lists(name, [] if room is None else room.people())
        return _answer(ListParticipantsResponse(participants=people))

    async def _get(self, request: web.Request) -> web.Response:
        wanted = RoomParticipantIdentity.FromString(await request.read())
        participant = self._find(request, wanted.room, wanted.identity)
        return _not_there() if participant is None else _answer(participant.info)

    async def _remove(self, request: web.Request) -> web.Response:
        wanted = RoomParticipantIdentity.FromString(await request.read())
        participant = self._find(request, wanted.room, wanted.identity)
        if participant is None:
            return _not_there()
        self._rooms.open(wanted.room).left(participant, DisconnectReason.PARTICIPANT_REMOVED)
        return _answer(RemoveParticipantResponse())

    async def _subscribe(self, request: web.Request) -> web.Response:
        wanted = UpdateSubscriptionsRequest.FromString(await request.read())
        if self._find(request, wanted.room, wanted.identity) is None:
            await asyncio.sleep(NO_RESPONSE_S)
            return _error(503, "unavailable", "twirp error unknown: no response from servers")
        return _answer(UpdateSubscriptionsResponse())

    def _find(self, request: web.Request, name: str, identity: str) -> Participant | None:
        """Return the participant in the room *name*, or None. Raises Refused (401)."""
        check_admin(request.get(GRANTS), name)
        room = self._rooms.find(name)
        return None if room is None else room.participants.get(identity)


def _twirp(handler: Handler) -> Handler:
    """Turn an exception of a call into a Twirp error."""

    @functools.wraps(handler)
    async def call(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except DecodeError:
            return _error(400, "malformed", "the protobuf request could not be decoded")
        except Refused as error:
            return _error(error.status, "unauthenticated", error.text)

    return call


def _answer(message: Message) -> web.Response:
    return web.Response(body=message.SerializeToString(), content_type=PROTOBUF)


def _error(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"code": code, "msg": text}, status=status)


def _not_there() -> web.Response:
    return _error(404, "not_found", "twirp error unknown: participant does not exist")


async def _no_such_call(request: web.Request) -> web.Response:
    return _error(404, "bad_route", f'no handler for path "{request.path}"')
