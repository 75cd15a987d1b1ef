"""One participant of the double: its info, its requests, its end.

Owns one stay in one room, from its join to its leave. The room tells the others.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from livekit.protocol.models import (
    DataPacket,
    DisconnectReason,
    ParticipantInfo,
    ParticipantPermission,
    TrackInfo,
)
from livekit.protocol.rtc import (
    AddTrackRequest,
    LeaveRequest,
    Pong,
    RequestResponse,
    SessionDescription,
    SignalRequest,
    SignalResponse,
    TrackPublishedResponse,
    UpdateParticipantMetadata,
)

from sidecar.dev.embedded.access import Grants
from sidecar.dev.embedded.link import Link
from sidecar.dev.embedded.peer import LOSSY, RELIABLE, Peer

if TYPE_CHECKING:
    from sidecar.dev.embedded.room import Room

ACTIVE_WITHIN_S = 60.0
"""Seconds to connect; later the participant is removed with JOIN_FAILURE (livekit-server
pkg/rtc/room.go, Join)."""
GONE_AFTER_S = 20.0
"""Seconds from the loss of signalling until the end of the stay with CONNECTION_TIMEOUT. The real
server watches ICE, which takes the same time (10 s + 5 s + 5 s)."""
KINDS = {RELIABLE: DataPacket.Kind.RELIABLE, LOSSY: DataPacket.Kind.LOSSY}


class Participant:
    """One stay; `info` is the server's ParticipantInfo, its state and version included."""

    def __init__(self, grants: Grants, client_protocol: int, room: Room) -> None:
        """Make a participant that joins *room* now. Call it inside the running loop."""
        self.grants = grants
        self.link: Link | None = None
        self.info = _info(grants, client_protocol)
        self._peer = Peer(self._received, self.activate)
        self._room = room
        loop = asyncio.get_running_loop()
        self._overdue = loop.call_later(
            ACTIVE_WITHIN_S, room.left, self, DisconnectReason.JOIN_FAILURE
        )
        self._lost: asyncio.TimerHandle | None = None

    @property
    def identity(self) -> str:
        """The participant's identity."""
        return self.info.identity

    @property
    def is_gone(self) -> bool:
        """Whether the participant has left."""
        return self.info.state == ParticipantInfo.State.DISCONNECTED

    def send(self, message: SignalResponse) -> None:
        """Send *message* over the signalling connection; drop it without a connection."""
        if self.link is not None:
            self.link.send(message)

    def send_leave(self, reason: DisconnectReason, action: LeaveRequest.Action) -> None:
        """Tell the client to leave, to resume or to reconnect in full."""
        self.send(SignalResponse(leave=LeaveRequest(reason=reason, action=action)))

    def joined(self) -> None:
        """Note that the server has answered the join."""
        self._set_state(ParticipantInfo.State.JOINED)

    def activate(self) -> None:
        """Note that the participant's connection is up."""
        if self.info.state == ParticipantInfo.State.JOINED:
            self._overdue.cancel()
            self._set_state(ParticipantInfo.State.ACTIVE)

    def resume(self, link: Link) -> None:
        """Continue the stay over another signalling connection."""
        if self._lost is not None:
            self._lost.cancel()
        earlier, self.link = self.link, link
        if earlier is not None:
            earlier.close()

    def signal_lost(self, link: Link) -> None:
        """Note that *link* is gone. Without a resume the participant leaves later."""
        if link is not self.link or self.is_gone:
            return
        self.link = None
        if self.info.state != ParticipantInfo.State.ACTIVE:
            self._room.left(self, DisconnectReason.SIGNAL_CLOSE)
            return
        loop = asyncio.get_running_loop()
        self._lost = loop.call_later(
            GONE_AFTER_S, self._room.left, self, DisconnectReason.CONNECTION_TIMEOUT
        )

    def end(self, reason: DisconnectReason) -> Coroutine[None, None, None]:
        """End the stay and tell the client. Await the result to close the connections."""
        self._overdue.cancel()
        if self._lost is not None:
            self._lost.cancel()
        self.info.disconnect_reason = reason
        self.info.state = ParticipantInfo.State.DISCONNECTED
        self.info.version += 1
        self.send_leave(reason, LeaveRequest.Action.DISCONNECT)
        link, self.link = self.link, None
        if link is not None:
            link.close()
        return self._peer.close()

    async def take(self, request: SignalRequest) -> None:
        """Carry out a request; requests about media are ignored. Raises ValueError."""
        what = request.WhichOneof("message")
        if what == "ping_req":
            pong = Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=_now_ms())
            self.send(SignalResponse(pong_resp=pong))
        elif what == "ping":
            self.send(SignalResponse(pong=_now_ms()))
        elif what == "offer":
            answer = await self._peer.answer(request.offer.sdp)
            described = SessionDescription(type="answer", sdp=answer, id=request.offer.id)
            self.send(SignalResponse(answer=described))
        elif what == "trickle":
            candidate = json.loads(request.trickle.candidateInit)
            # All sections are bundled into the first; the sockets of the others are never used.
            if isinstance(candidate, dict) and not candidate.get("sdpMLineIndex"):
                await self._peer.add_candidate(str(candidate.get("candidate", "")))
        elif what == "add_track":
            self._publish(request.add_track)
        elif what == "update_metadata":
            self._update(request.update_metadata)
        elif what == "leave":
            self._room.left(self, request.leave.reason or DisconnectReason.CLIENT_INITIATED)

    def hear(self, packet: DataPacket) -> None:
        """Send a packet to the client; keep it until the connection is open."""
        label = LOSSY if packet.kind == DataPacket.Kind.LOSSY else RELIABLE
        self._peer.send(label, packet.SerializeToString())

    def _publish(self, wanted: AddTrackRequest) -> None:
        if not self.grants.video.can_publish:
            return
        track = TrackInfo(
            sid=f"TR_{secrets.token_urlsafe(9)}",
            type=wanted.type,
            name=wanted.name,
            source=wanted.source,
            muted=wanted.muted,
        )
        published = TrackPublishedResponse(cid=wanted.cid, track=track)
        self.send(SignalResponse(track_published=published))
        self.info.tracks.append(track)
        self.info.is_publisher = True
        self._changed()

    def _update(self, wanted: UpdateParticipantMetadata) -> None:
        answer = RequestResponse(request_id=wanted.request_id, update_metadata=wanted)
        self.info.name = wanted.name or self.info.name
        self.info.metadata = wanted.metadata or self.info.metadata
        for name, value in wanted.attributes.items():
            if value:
                self.info.attributes[name] = value
            else:
                self.info.attributes.pop(name, None)
        self._changed()
        self.send(SignalResponse(request_response=answer))

    def _received(self, label: str, data: bytes) -> None:
        if label not in KINDS or not self.grants.video.can_publish_data or self.is_gone:
            return
        try:
            packet = DataPacket.FromString(data)
        except DecodeError:
            return
        # Uses the kind of the channel, not the kind in the packet.
        packet.kind = KINDS[label]
        packet.participant_sid = self.info.sid
        packet.participant_identity = self.identity
        if packet.HasField("user"):
            packet.user.participant_sid = self.info.sid
            packet.user.participant_identity = self.identity
        self._room.spoke(self, packet)

    def _set_state(self, state: ParticipantInfo.State) -> None:
        self.info.state = state
        self._changed()

    def _changed(self) -> None:
        self.info.version += 1
        self._room.changed(self)


def _info(grants: Grants, client_protocol: int) -> ParticipantInfo:
    now_ms = _now_ms()
    return ParticipantInfo(
        sid=f"PA_{secrets.token_urlsafe(9)}",
        identity=grants.claims.identity,
        name=grants.claims.name,
        metadata=grants.claims.metadata,
        attributes=grants.claims.attributes,
        state=ParticipantInfo.State.JOINING,
        joined_at=now_ms // 1000,
        joined_at_ms=now_ms,
        kind=_kind(grants.claims.kind),
        client_protocol=client_protocol,
        permission=ParticipantPermission(
            can_publish=grants.video.can_publish,
            can_subscribe=grants.video.can_subscribe,
            can_publish_data=grants.video.can_publish_data,
        ),
    )


def _kind(name: str) -> ParticipantInfo.Kind:
    """Return the kind with this name; STANDARD for an unknown name (protocol auth/grants.go)."""
    known = {each: getattr(ParticipantInfo.Kind, each) for each in ParticipantInfo.Kind.keys()}
    kind: ParticipantInfo.Kind = known.get(name.upper(), ParticipantInfo.Kind.STANDARD)
    return kind


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
