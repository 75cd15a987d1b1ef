"""Owns the agent's published audio tracks in one Room: each person hears one, and only that one.

A published track leaves a native thread behind until the Room's end (livekit 1.2.1), whatever is
unpublished and closed. So when a person leaves, their track waits for the next person. Lives on the
agent's loop, except for `play`, `interrupt` and their helpers. Does not know sessions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit import rtc

RATE = 48_000
"""Samples per second of every published track; other rates are resampled."""
QUEUE_MS = 200
"""Milliseconds of sound that wait in a track at most."""
REUSED_WAIT_S = 0.4
"""Seconds for the page of a track's next person to subscribe: the server tells only the first
subscription of a track. On loopback a page took 0.12 s."""
SUBSCRIBED_WITHIN_S = 3.0
"""Seconds to wait for a person's page to subscribe; then the sound begins in any case."""
PAUSE_S = 0.5
"""Seconds between two sounds; after that, the second one does not go on from the first."""
CAPTURED_WITHIN_S = 2.0
"""Seconds for a track to take 20 ms of sound; a closed track never takes it."""

_log = logging.getLogger("sidecar.rtc")


class Line:
    """One published track."""

    def __init__(
        self, source: rtc.AudioSource, publication: rtc.LocalTrackPublication, identity: str
    ) -> None:
        """Own a published track, which the person *identity* hears."""
        self._source = source
        self.publication = publication
        self.identity: str | None = identity
        """The person; None for a free track."""
        self.was_used = False
        """Whether another person heard it before."""
        self._resamplers: dict[int, rtc.AudioResampler] = {}
        """One for each rate. LOW holds back 1 to 6 ms (48 ms at 8,000 Hz), MEDIUM 15 to 36."""
        self._resampled_s = 0.0

    @property
    def queued_s(self) -> float:
        """Return the seconds of sound that wait."""
        return self._source.queued_duration

    async def play(self, data: bytes, rate: int) -> None:
        """Queue samples of *rate* Hz; wait until the queue has room for them."""
        from livekit import rtc

        for piece in self._resampled(data, rate):
            frame = rtc.AudioFrame(piece, RATE, 1, len(piece) // 2)
            try:
                async with asyncio.timeout(CAPTURED_WITHIN_S):
                    await self._source.capture_frame(frame)
            except TimeoutError:
                _log.warning("A track took no sound for %.0f s.", CAPTURED_WITHIN_S)

    def interrupt(self) -> None:
        """Drop the queued sound."""
        self._resamplers.clear()
        self._source.clear_queue()

    async def close(self) -> None:
        """Free the track's native threads. Call it at the Room's end."""
        self._resamplers.clear()
        await self._source.aclose()

    def _resampled(self, data: bytes, rate: int) -> Iterable[bytes]:
        from livekit import rtc

        if rate == RATE:
            return (data,)
        now_s = time.monotonic()
        if now_s - self._resampled_s > PAUSE_S:
            self._resamplers.clear()  # it holds the last milliseconds of the earlier sound
        self._resampled_s = now_s
        if rate not in self._resamplers:
            quality = rtc.AudioResamplerQuality.LOW
            self._resamplers[rate] = rtc.AudioResampler(rate, RATE, quality=quality)
        return [bytes(each.data) for each in self._resamplers[rate].push(bytearray(data))]


class Lines:
    """The tracks of one Room."""

    def __init__(self, room: rtc.Room, loop: asyncio.AbstractEventLoop) -> None:
        """Start without tracks, and allow none to any participant. `play` runs on *loop*."""
        self._room = room
        self._loop = loop
        self._lines: list[Line] = []
        self.allow()

    async def take(self, identity: str) -> Line:
        """Give *identity* a free track, or publish one. Do not cancel it while the Room lives.

        Raises:
            PublishTrackError: the server did not take the track.
        """
        line = next((each for each in self._lines if each.identity is None), None)
        if line is not None:
            line.identity = identity
            self.allow()
            return line
        from livekit import rtc

        source = rtc.AudioSource(RATE, 1, queue_size_ms=QUEUE_MS, loop=self._loop)
        try:
            track = rtc.LocalAudioTrack.create_audio_track("voice", source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            publication = await self._room.local_participant.publish_track(track, options)
        except BaseException:
            await source.aclose()
            raise
        line = Line(source, publication, identity)
        self._lines.append(line)
        self.allow()
        return line

    def give_back(self, line: Line) -> None:
        """Let the next person have *line*."""
        line.interrupt()
        line.identity, line.was_used = None, True
        self.allow()

    def allow(self) -> None:
        """Let each person subscribe only to their own track. Call it after a republish, too."""
        from livekit.rtc import ParticipantTrackPermission

        sids: dict[str, list[str]] = {}
        for line in self._lines:
            if line.identity is not None:
                sids.setdefault(line.identity, []).append(line.publication.sid)
        self._room.local_participant.set_track_subscription_permissions(
            allow_all_participants=False,
            participant_permissions=[
                ParticipantTrackPermission(participant_identity=who, allowed_track_sids=allowed)
                for who, allowed in sids.items()
            ],
        )

    async def close(self) -> None:
        """Close every track: the Room has ended."""
        lines, self._lines = self._lines, []
        for line in lines:
            await line.close()
