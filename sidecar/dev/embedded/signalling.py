"""The double's HTTP side of signalling: the check of each join, and the messages.

Paths, checks and texts come from livekit-server (pkg/service/rtcservice.go). Knows the
requests of a client. Does not know how a room works.
"""

from __future__ import annotations

import base64
import binascii
import zlib

from aiohttp import WSMsgType, web
from google.protobuf.message import DecodeError
from livekit.protocol.rtc import JoinRequest, SignalRequest, WrappedJoinRequest

from sidecar.dev.embedded.access import NO_ACCESS, Grants, Refused, check_join
from sidecar.dev.embedded.link import Link
from sidecar.dev.embedded.participant import Participant
from sidecar.dev.embedded.room import Rooms, reconnect_in_full
from sidecar.dev.embedded.script import Script

MAX_REQUEST_BYTES = 1 << 20
"""Go's http.DefaultMaxHeaderBytes, by which the server bounds a join request."""
CLOSE_TIMEOUT_S = 1.0
BEARER = "Bearer "
NO_BASE64 = "cannot base64 decode wrapped join request"
GRANTS = web.RequestKey("grants", Grants)
"""What the token of a request grants, where it has one."""


class Signalling:
    """The routes below /rtc."""

    def __init__(self, rooms: Rooms, script: Script) -> None:
        """Serve *rooms*, except for the faults of *script*."""
        self._rooms = rooms
        self._script = script

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        return [
            web.get("/rtc/v1", self._connect),
            web.route("*", "/rtc/validate", self._validate),
            web.route("*", "/rtc/v1/validate", self._validate),
        ]

    async def _validate(self, request: web.Request) -> web.Response:
        _check(request)
        return web.Response(text="success")

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(timeout=CLOSE_TIMEOUT_S, max_msg_size=MAX_REQUEST_BYTES)
        if not socket.can_prepare(request):
            return web.Response(status=404)
        grants, joining = _check(request)
        await socket.prepare(request)
        link = Link(
            socket,
            request.transport,
            lambda message: self._script.sends(grants.claims.identity, message),
        )
        participant = self._enter(grants, joining, link)
        if participant is None:
            reconnect_in_full(link)
        else:
            try:
                await _follow(participant, joining, socket)
            finally:
                participant.signal_lost(link)
        link.close()
        await link.ended()
        return socket

    def _enter(self, grants: Grants, joining: JoinRequest, link: Link) -> Participant | None:
        if not joining.reconnect:
            protocol, refreshed = joining.client_info.client_protocol, self._rooms.refreshed(grants)
            return self._rooms.open(grants.video.room).join(grants, protocol, link, refreshed)
        earlier, identity = self._rooms.find(grants.video.room), grants.claims.identity
        if earlier is None or self._script.refuses_resume(identity):
            return None
        return earlier.resume(identity, link)


def bearer_token(request: web.Request) -> str:
    """Give the token that *request* brings, or nothing. Raises Refused (401)."""
    header = request.headers.get("Authorization", "")
    if header and not header.startswith(BEARER):
        raise Refused(401, f"invalid authorization header. Must start with {BEARER}")
    return header.removeprefix(BEARER) or request.query.get("access_token", "")


async def _follow(
    participant: Participant, joining: JoinRequest, socket: web.WebSocketResponse
) -> None:
    """Carry out the requests that *participant* sends on *socket*, until *socket* is closed."""
    if joining.HasField("publisher_offer"):
        await participant.take(SignalRequest(offer=joining.publisher_offer))
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await participant.take(SignalRequest.FromString(message.data))


def _check(request: web.Request) -> tuple[Grants, JoinRequest]:
    """Return the grants and the parameters of a join. Raises Refused."""
    grants = request.get(GRANTS)
    if grants is None:
        raise Refused(401, NO_ACCESS)
    wrapped = request.query.get("join_request", "")
    if not wrapped and request.path.startswith("/rtc/v1"):
        raise Refused(400, "join_request is required")
    joining = _join_request(wrapped)
    check_join(grants)
    return grants, joining


def _join_request(text: str) -> JoinRequest:
    if "+" in text or "/" in text:  # of the other alphabet
        raise Refused(400, NO_BASE64)
    try:
        binary = base64.b64decode(text, altchars=b"-_", validate=True)
        wrapped = WrappedJoinRequest.FromString(binary)
    except (binascii.Error, ValueError):
        raise Refused(400, NO_BASE64) from None
    except DecodeError:
        raise Refused(400, "cannot unmarshal wrapped join request") from None
    data = wrapped.join_request
    if wrapped.compression == WrappedJoinRequest.Compression.GZIP:
        try:
            unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
            data = unzip.decompress(data, MAX_REQUEST_BYTES)
        except zlib.error:
            raise Refused(400, "cannot read decompressed join request") from None
        if unzip.unconsumed_tail:
            raise Refused(400, "join request too large")
    try:
        return JoinRequest.FromString(data)
    except DecodeError:
        raise Refused(400, "cannot unmarshal join request") from None
