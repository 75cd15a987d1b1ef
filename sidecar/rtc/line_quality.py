"""Owns the quality of a person's sound as WebRTC counts it: two readings make one figure.

Does not know when it is read, nor where it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.core.contract.messages import AudioQuality

if TYPE_CHECKING:
    from livekit import rtc


class StatsRefused(Exception):
    """The SDK gave no figures of a track."""


class LineQuality:
    """The quality of one subscribed track, over the time between two calls of `read`."""

    def __init__(self, track: rtc.Track) -> None:
        """Start without a reading."""
        self._track = track
        self._last: tuple[int, int, int, int] | None = None

    async def read(self) -> AudioQuality | None:
        """Return the quality since the last call; None at the first, and without sound.

        Raises:
            StatsRefused: the track gives no figures; it may have ended.
        """
        try:
            stats = await self._track.get_stats()
        except Exception as error:  # the SDK raises no class of its own
            raise StatsRefused from error
        inbound = next((each.inbound_rtp for each in stats if each.HasField("inbound_rtp")), None)
        if inbound is None:
            return None
        codec = next((each.codec.codec for each in stats if each.HasField("codec")), None)
        received = inbound.received
        now = (
            received.packets_received,
            received.packets_lost,
            inbound.inbound.bytes_received,
            inbound.rtc.timestamp,
        )
        last, self._last = self._last, now
        if last is None:
            return None
        grown = [after - before for after, before in zip(now, last, strict=True)]
        packets, lost, size, time = grown
        if time <= 0:
            return None
        share = max(0, lost) / (packets + lost) if packets + lost > 0 else 0.0
        return AudioQuality(
            packet_loss=round(share, 4),
            jitter_ms=round(received.jitter * 1000, 1),
            bitrate=round(size * 8 / (time / TIMESTAMPS_PER_S)),
            sample_rate=codec.clock_rate if codec is not None else 0,
            channels=codec.channels if codec is not None else 0,
        )


TIMESTAMPS_PER_S = 1_000_000
"""WebRTC's timestamps are in microseconds."""
