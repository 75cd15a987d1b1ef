"""A small test double of livekit-server, which runs in the process of its user.

It is not a LiveKit server. The real SDK connects to it, joins, leaves, resumes and chats. So the
demo and the tests can run on machines without livekit-server. It behaves like livekit-server
1.13.5; the same contract tests run on both. The differences:

- A client has one peer connection for both ways, the default of LiveKit's SDKs. A client with two
  gets 404.
- It announces each change at once. The server collects those of people without tracks for 3 s.
- No media: it announces a track on request (the server waits until media flows) and carries no
  sound. So the connection quality stays unknown.
- Rooms never close by themselves, and empty ones stay; a token's room configuration is ignored.
- A participant that loses signalling leaves after 20 s without a resume. The double does not watch
  ICE: a frozen client stays in the room.
- A participant may change its own metadata and is never hidden. A data packet goes to all others.
- The room service has three calls: ListParticipants, RemoveParticipant and UpdateSubscriptions. No
  webhooks, no agent dispatch, no IPv6, TCP or TURN. Its simulated scenarios are the SDK's; its
  limits are the lengths of names.
- A refreshed token comes only at the join. The answer to an ICE restart has the same
  credentials.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler
from livekit.protocol.models import DisconnectReason

from sidecar.dev.embedded.access import Refused
from sidecar.dev.embedded.participant import Participant
from sidecar.dev.embedded.room import Room, Rooms
from sidecar.dev.embedded.room_service import RoomService
from sidecar.dev.embedded.script import Script
from sidecar.dev.embedded.signalling import GRANTS, MAX_REQUEST_BYTES, Signalling, bearer_token

SHUTDOWN_TIMEOUT_S = 1.0


@dataclass(eq=False)
class EmbeddedRoom:
    """The double; `async with EmbeddedRoom() as server`, or start() and stop() by hand.

    Has `url`, `api_key` and `api_secret` like `DevServer`. Can be stopped and started again at the
    same address, then without its rooms. Runs on the loop that started it: do not block that
    loop.
    """

    api_key: str = field(default_factory=lambda: f"dev{secrets.token_hex(6)}")
    api_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    script: Script = field(default_factory=Script, repr=False)
    port: int = 0
    """0: a free port, chosen at the first start and then kept."""
    _runner: web.AppRunner | None = field(init=False, default=None, repr=False)
    _rooms: Rooms | None = field(init=False, default=None, repr=False)

    @property
    def url(self) -> str:
        """The address for clients, `ws://127.0.0.1:port`; only after start()."""
        return f"ws://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on loopback, unless it runs already. Raises OSError when `port` is taken."""
        if self._runner is not None:
            return
        rooms = Rooms(self.api_key, self.api_secret)
        app = web.Application(middlewares=[self._guard])
        app.add_routes([web.route("*", "/", _healthy)])
        app.add_routes(Signalling(rooms, self.script).routes())
        app.add_routes(RoomService(rooms, self.script).routes())
        runner = web.AppRunner(
            app,
            access_log=None,  # an access log would show tokens
            max_line_size=MAX_REQUEST_BYTES,
            max_field_size=MAX_REQUEST_BYTES,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        try:
            await site.start()
        except BaseException:
            await runner.cleanup()
            raise
        self.port = runner.addresses[0][1]
        self._runner, self._rooms = runner, rooms

    async def stop(self) -> None:
        """Remove all participants with SERVER_SHUTDOWN, and stop listening. Safe to call twice."""
        if self._runner is None or self._rooms is None:
            return
        runner, self._runner = self._runner, None
        await self._rooms.close(DisconnectReason.SERVER_SHUTDOWN)
        await runner.cleanup()

    def open(self, room: str) -> Room:
        """Return the room of this name, which begins now if it is not there; only after start()."""
        if self._rooms is None:
            raise RuntimeError("the double does not run")
        return self._rooms.open(room)

    def participant(self, room: str, identity: str) -> Participant | None:
        """Return the participant with this identity in this room now."""
        found = None if self._rooms is None else self._rooms.find(room)
        return None if found is None else found.participants.get(identity)

    async def __aenter__(self) -> EmbeddedRoom:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask the script first; then check the token, on every path like the server."""
        scripted = await self.script.answers(request)
        if scripted is not None:
            return scripted
        try:
            if self._rooms is not None:
                grants = self._rooms.grants(bearer_token(request))
                if grants is not None:
                    request[GRANTS] = grants
            return await handler(request)
        except Refused as error:
            return web.Response(status=error.status, text=error.text)
        except web.HTTPNotFound:
            return web.Response(status=404, text="404 page not found\n")


async def _healthy(request: web.Request) -> web.Response:
    return web.Response(text="OK")
