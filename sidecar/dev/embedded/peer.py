"""One WebRTC connection with data channels and no media: ICE, DTLS and SCTP by aiortc.

Owns aiortc; nothing else imports it. Its RTCPeerConnection is not used: it would set up codecs for
media that no client sends, and cannot answer an ICE restart. Knows no LiveKit message.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections import deque
from collections.abc import Callable

from aioice import Candidate, Connection
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

LOOPBACK = "127.0.0.1"
RELIABLE = "_reliable"
LOSSY = "_lossy"
"""The labels of LiveKit's channels (livekit-server pkg/rtc/transport.go)."""
MAX_MESSAGE_BYTES = 65_536
"""What aiortc takes; the SDK sends at most 64,000 bytes (rust-sdks rtc_engine/rtc_session.rs)."""
SCTP_PORT = 5000
MAX_WAITING = 1_000
"""Messages kept for a channel that is not open yet; the oldest go first."""
MAX_BUFFERED_BYTES = 16 * 1024 * 1024
"""When more bytes than this wait for a slow reader, new messages are dropped, as by the server."""
CLOSE_TIMEOUT_S = 2.0

OnMessage = Callable[[str, bytes], None]
"""Takes a channel's label and a message of it."""


class Peer:
    """One connection for both directions. The client makes the offer."""

    def __init__(self, on_message: OnMessage, on_connected: Callable[[], None]) -> None:
        """Nothing happens before answer(). Make it inside the running loop.

        `on_connected` is called once ICE and DTLS are up.
        """
        self._on_message = on_message
        self._on_connected = on_connected
        self._gatherer = RTCIceGatherer(iceServers=[])
        # The one thing that aiortc offers no way to choose: where its sockets are bound.
        self._gatherer._connection = _LocalConnection(ice_controlling=False)
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = RTCDtlsTransport(self._ice, [_certificate()])
        self._sctp = RTCSctpTransport(self._dtls, SCTP_PORT)
        self._sctp.on("datachannel", self._opened)
        self._channels: dict[str, RTCDataChannel] = {}
        self._waiting: dict[str, deque[bytes]] = {}
        self._descriptions = 0
        self._running: asyncio.Task[None] | None = None

    async def answer(self, text: str) -> str:
        """Answer an offer; a later one may restart ICE. Raises ValueError.

        All media sections are bundled, and inactive: the double carries no media.
        """
        offer = SessionDescription.parse(text)
        await self._gatherer.gather()
        await self._take(offer)
        self._descriptions += 1
        offer.origin = f"- 1 {self._descriptions} IN IP4 {LOOPBACK}"
        for section in offer.media:
            self._make_ours(section)
        return str(offer)

    async def add_candidate(self, line: str) -> None:
        """Take a candidate line of the client; it is empty after the last one."""
        if line:
            await self._add(candidate_from_sdp(line.removeprefix("candidate:")))

    def send(self, label: str, data: bytes) -> None:
        """Send on the channel of this label, or keep the message until it is open."""
        channel = self._channels.get(label)
        if channel is not None and channel.readyState == "open":
            if channel.bufferedAmount <= MAX_BUFFERED_BYTES:
                channel.send(data)
        elif channel is None or channel.readyState == "connecting":
            self._waiting.setdefault(label, deque(maxlen=MAX_WAITING)).append(data)

    async def close(self) -> None:
        """Close the connection. Takes a bounded time, also when the client is gone."""
        for stop in (self._sctp.stop, self._dtls.stop, self._ice.stop):
            with contextlib.suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(stop(), CLOSE_TIMEOUT_S)
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _take(self, offer: SessionDescription) -> None:
        first = offer.media[0]
        sctp = next(each.sctpCapabilities for each in offer.media if each.kind == "application")
        if first.ice is None or first.dtls is None or sctp is None:
            raise ValueError("the offer lacks a part of its transport")
        if self._running is None:
            self._running = asyncio.create_task(self._run(first.ice, first.dtls, sctp))
        else:
            # The other side restarts ICE; our credentials and sockets do not change.
            connection = self._gatherer._connection
            connection.remote_username = first.ice.usernameFragment
            connection.remote_password = first.ice.password
        for candidate in first.ice_candidates:
            await self._add(candidate)

    async def _add(self, candidate: RTCIceCandidate) -> None:
        if candidate.protocol == "udp":
            await self._ice.addRemoteCandidate(candidate)

    async def _run(
        self, ice: RTCIceParameters, dtls: RTCDtlsParameters, sctp: RTCSctpCapabilities
    ) -> None:
        await self._ice.start(ice)
        if self._ice.state != "completed":
            return
        await self._dtls.start(dtls)
        if self._dtls.state != "connected":
            return
        self._on_connected()
        await self._sctp.start(sctp, SCTP_PORT)

    def _make_ours(self, section: MediaDescription) -> None:
        """Turn a section of the offer into the section of the answer."""
        section.ice = self._gatherer.getLocalParameters()
        section.ice_candidates = self._gatherer.getLocalCandidates()
        section.ice_options = None
        section.dtls = self._dtls.getLocalParameters()
        section.dtls.role = "client"
        section.msid, section.ssrc, section.ssrc_group = None, [], []
        section.rtp.headerExtensions = []
        if section.kind == "application":
            section.sctpCapabilities = RTCSctpCapabilities(MAX_MESSAGE_BYTES)
        else:
            section.direction = "inactive"
            section.fmt = section.fmt[:1]
            codecs = section.rtp.codecs
            section.rtp.codecs = [each for each in codecs if each.payloadType in section.fmt]

    def _opened(self, channel: RTCDataChannel) -> None:
        label = channel.label
        self._channels[label] = channel
        channel.on("message", functools.partial(self._received, label))
        if channel.readyState == "open":
            self._flush(label)
        else:
            channel.on("open", functools.partial(self._flush, label))

    def _flush(self, label: str) -> None:
        waiting = self._waiting.get(label)
        while waiting:
            self._channels[label].send(waiting.popleft())

    def _received(self, label: str, message: str | bytes) -> None:
        if isinstance(message, bytes):  # LiveKit sends no text
            self._on_message(label, message)


class _LocalConnection(Connection):
    """An ICE agent that binds its sockets to loopback.

    Elsewhere than on Linux to the machine's own addresses too: whether a socket bound to one of
    them, as the SDK's are, may send to 127.0.0.1 differs by system. That branch was not run.
    """

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: int = 5,  # noqa: ASYNC109
    ) -> list[Candidate]:
        chosen = [LOOPBACK] if sys.platform == "linux" else [LOOPBACK, *addresses]
        return await super().get_component_candidates(component, chosen, timeout)


@functools.cache
def _certificate() -> RTCCertificate:
    """Make the process's certificate, once."""
    return RTCCertificate.generateCertificate()
