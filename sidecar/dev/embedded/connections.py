"""A participant's peer connections: one for both ways, or one that each side offers.

Owns their negotiation over signalling and which of them carries what. Knows no room.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from google.protobuf.message import DecodeError
from livekit.protocol.models import DataPacket
from livekit.protocol.rtc import SessionDescription, SignalResponse, SignalTarget, TrickleRequest

from sidecar.dev.embedded.peer import LOSSY, RELIABLE, Peer

KINDS = {RELIABLE: DataPacket.Kind.RELIABLE, LOSSY: DataPacket.Kind.LOSSY}


class Connections:
    """The connections of one stay; the primary one carries what the participant hears.

    livekit-server pkg/rtc/transportmanager.go: the primary one is the subscriber's, which the
    server offers, where there are two and the participant may subscribe; else the publisher's.
    """

    def __init__(
        self,
        *,
        offers: bool,
        send: Callable[[SignalResponse], None],
        on_packet: Callable[[DataPacket], None],
        on_connected: Callable[[], None],
    ) -> None:
        """Prepare; *offers* says whether there is one that we offer.

        *send* signals; *on_packet* takes what the participant says; *on_connected* is called
        once the primary connection is up.
        """
        self._send = send
        self._on_packet = on_packet
        unheard: Callable[[], None] = lambda: None  # noqa: E731
        self._publisher = Peer(self._take, unheard if offers else on_connected, offers=False)
        self._subscriber = Peer(self._take, on_connected, offers=True) if offers else None

    async def offer(self) -> None:
        """Offer the one that is ours to offer, if there is one."""
        if self._subscriber is not None:
            text = await self._subscriber.offer((RELIABLE, LOSSY))
            self._send(SignalResponse(offer=SessionDescription(type="offer", sdp=text)))

    async def take_offer(self, offer: SessionDescription) -> None:
        """Answer the participant's. Raises sdp.BadDescription."""
        text = await self._publisher.answer(offer.sdp)
        answer = SessionDescription(type="answer", sdp=text, id=offer.id)
        self._send(SignalResponse(answer=answer))

    async def take_answer(self, answer: SessionDescription) -> None:
        """Take the answer to ours. Raises sdp.BadDescription."""
        if self._subscriber is not None:
            await self._subscriber.accept(answer.sdp)

    async def take_candidate(self, trickle: TrickleRequest) -> None:
        """Take a candidate. Raises ValueError."""
        candidate = json.loads(trickle.candidateInit)
        # All sections are bundled into the first; the sockets of the others are never used.
        if not isinstance(candidate, dict) or candidate.get("sdpMLineIndex"):
            return
        is_ours = trickle.target == SignalTarget.SUBSCRIBER and self._subscriber is not None
        peer = self._subscriber if is_ours else self._publisher
        if peer is not None:
            await peer.add_candidate(str(candidate.get("candidate", "")))

    def hear(self, packet: DataPacket) -> None:
        """Give the participant a packet, or keep it until the connection is open."""
        label = LOSSY if packet.kind == DataPacket.Kind.LOSSY else RELIABLE
        (self._subscriber or self._publisher).send(label, packet.SerializeToString())

    async def close(self) -> None:
        """Take them down; bounded."""
        await self._publisher.close()
        if self._subscriber is not None:
            await self._subscriber.close()

    def _take(self, label: str, data: bytes) -> None:
        if label not in KINDS:
            return
        try:
            packet = DataPacket.FromString(data)
        except DecodeError:
            return
        # The channel it came by is the truth, not what it says.
        packet.kind = KINDS[label]
        self._on_packet(packet)
