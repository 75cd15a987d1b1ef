"""The rooms of the double: their participants, and the announcements to them.

Owns the order of joins, leaves and announcements, as livekit-server has it (pkg/rtc/room.go,
pkg/service/roommanager.go). Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence

from livekit.protocol.models import Codec, DataPacket, DisconnectReason, ParticipantInfo, ServerInfo
from livekit.protocol.models import Room as RoomInfo
from livekit.protocol.rtc import (
    JoinResponse,
    LeaveRequest,
    ParticipantUpdate,
    ReconnectResponse,
    RoomUpdate,
    SignalResponse,
)

from sidecar.dev.embedded.access import Grants, read_token, refreshed_token
from sidecar.dev.embedded.link import Link
from sidecar.dev.embedded.participant import Participant

VERSION = "1.13.5"
"""The version of livekit-server that the double imitates."""
PROTOCOL = 17
UNTOLD = DisconnectReason.DUPLICATE_IDENTITY
"""Clients of protocol 12 and newer see for themselves that an identity came back."""
PING_INTERVAL_S = 5
PING_TIMEOUT_S = 15
"""livekit-server pkg/rtc/participant.go."""
CODECS = tuple(
    Codec(mime=name) for name in ("audio/opus", "video/VP8", "video/H264", "video/VP9", "video/AV1")
)
"""The codecs that let a client publish. No media arrives."""

CLOSE_TIMEOUT_S = 5.0

Background = Callable[[Coroutine[None, None, None]], None]
"""Runs a coroutine in the background."""


class Room:
    """A room, from its first join on. Its participants tell it of each change."""

    def __init__(self, name: str, background: Background) -> None:
        """Start without participants."""
        self.name = name
        self.participants: dict[str, Participant] = {}
        """By identity, in the order of their joins."""
        self._background = background
        self._sid = f"RM_{secrets.token_urlsafe(9)}"
        self._created_ms = time.time_ns() // 1_000_000

    def people(self) -> list[ParticipantInfo]:
        """Describe every participant."""
        return [each.info for each in self.participants.values()]

    def join(self, grants: Grants, client_protocol: int, link: Link, refreshed: str) -> Participant:
        """Add a participant. First removes one with the same identity, with DUPLICATE_IDENTITY."""
        earlier = self.participants.get(grants.claims.identity)
        if earlier is not None:
            self.left(earlier, DisconnectReason.DUPLICATE_IDENTITY)
        participant = Participant(grants, client_protocol, self)
        self.participants[participant.identity] = participant
        participant.link = link
        participant.send(SignalResponse(join=self._join_response(participant)))
        participant.send(SignalResponse(refresh_token=refreshed))
        participant.joined()
        return participant

    def resume(self, identity: str, link: Link) -> Participant | None:
        """Continue the stay of a participant that lost its signalling; None for an unknown one."""
        participant = self.participants.get(identity)
        if participant is None:
            return None
        participant.resume(link)
        participant.send(SignalResponse(reconnect=ReconnectResponse(server_info=_server())))
        participant.send(_update(self.people()))
        participant.send(SignalResponse(room_update=RoomUpdate(room=self._info())))
        return participant

    def changed(self, participant: Participant) -> None:
        """Tell all of a participant."""
        if participant.info.disconnect_reason != UNTOLD:
            for each in self.participants.values():
                each.send(_update([participant.info]))

    def spoke(self, participant: Participant, packet: DataPacket) -> None:
        """Pass a data packet on to all other participants."""
        for other in self.participants.values():
            if other is not participant:
                other.hear(packet)

    def left(self, participant: Participant, reason: DisconnectReason) -> None:
        """Remove a participant and tell the others. A second call does nothing."""
        if participant.is_gone:
            return
        if self.participants.get(participant.identity) is participant:
            del self.participants[participant.identity]
        self._background(participant.end(reason))
        self.changed(participant)

    def close(self, reason: DisconnectReason) -> None:
        """Remove all participants, without announcements."""
        everybody, self.participants = list(self.participants.values()), {}
        for each in everybody:
            self._background(each.end(reason))

    def _join_response(self, participant: Participant) -> JoinResponse:
        return JoinResponse(
            room=self._info(),
            participant=participant.info,
            other_participants=[each for each in self.people() if each.sid != participant.info.sid],
            fast_publish=participant.grants.video.can_publish,
            enabled_publish_codecs=CODECS,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            server_info=_server(),
            server_version=VERSION,
        )

    def _info(self) -> RoomInfo:
        return RoomInfo(
            sid=self._sid,
            name=self.name,
            creation_time=self._created_ms // 1000,
            creation_time_ms=self._created_ms,
            enabled_codecs=CODECS,
            num_participants=len(self.participants),
        )


def reconnect_in_full(link: Link) -> None:
    """Answer the resume of an unknown participant."""
    leave = LeaveRequest(
        reason=DisconnectReason.STATE_MISMATCH, action=LeaveRequest.Action.RECONNECT
    )
    link.send(SignalResponse(leave=leave))
    link.close()


def _server() -> ServerInfo:
    return ServerInfo(version=VERSION, protocol=PROTOCOL, edition=ServerInfo.Edition.Standard)


def _update(infos: Sequence[ParticipantInfo]) -> SignalResponse:
    return SignalResponse(update=ParticipantUpdate(participants=infos))


class Rooms:
    """All rooms of one double, by name, and the key that opens them.

    A room begins with its first join. Unlike a room of the server, it stays without participants.
    """

    def __init__(self, api_key: str, api_secret: str) -> None:
        """Start without rooms."""
        self._api_key = api_key
        self._api_secret = api_secret
        self._rooms: dict[str, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def grants(self, token: str) -> Grants | None:
        """Return the grants of *token*; None without a token. Raises access.Refused."""
        return read_token(token, self._api_key, self._api_secret)

    def refreshed(self, grants: Grants) -> str:
        """A token of the same grants, for a reconnect."""
        return refreshed_token(grants, self._api_key, self._api_secret)

    def find(self, name: str) -> Room | None:
        """The room of this name, if it ever began."""
        return self._rooms.get(name)

    def open(self, name: str) -> Room:
        """The room of this name, which begins now if it is not there."""
        if name not in self._rooms:
            self._rooms[name] = Room(name, self._background)
        return self._rooms[name]

    async def close(self, reason: DisconnectReason) -> None:
        """Remove all participants from all rooms."""
        for room in self._rooms.values():
            room.close(reason)
        self._rooms.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT_S)

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
