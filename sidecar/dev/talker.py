"""A person who speaks and listens, for `demo --voice` and the tests of voice.

Owns the sound that a Person says and hears, with its times. Does not know the sidecar, or words.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
import wave
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

from livekit import rtc

from sidecar.dev.person import SAMPLE_RATE_HZ, Person

FRAME_MS = 10
QUEUE_MS = 50
"""Sound that waits in the SDK: what is said is in the room at most this much later."""
LOUD = 600
"""Of 32,767: from here on a sample is sound. Encoded silence stays far below."""
SAMPLE_BYTES = 2
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000
FRAME_BYTES = FRAME_SAMPLES * SAMPLE_BYTES


@dataclass(frozen=True)
class Heard:
    """Sound that arrived: 16-bit samples of one channel of SAMPLE_RATE_HZ."""

    at_s: float
    """time.monotonic() at its arrival."""
    data: bytes

    @property
    def is_loud(self) -> bool:
        """Whether it is more than silence."""
        return is_loud(self.data)


class Talker:
    """`async with Talker(person)`: joins, publishes a microphone, and hears; leaves at the end."""

    def __init__(self, person: Person, hears: str) -> None:
        """Prepare, inside the running loop; this person listens to the participant *hears*."""
        self.person = person
        self.heard: list[Heard] = []
        """All sound so far, in order of arrival."""
        self._hears = hears
        self._saying: asyncio.Queue[tuple[bytes, asyncio.Future[tuple[float, float]]]] = (
            asyncio.Queue(10)
        )
        self._tasks: set[asyncio.Task[None]] = set()
        person.room.on("track_subscribed", self._on_track)

    async def __aenter__(self) -> Talker:
        """Join, and open the microphone."""
        await self.person.join()
        source = await self.person.publish(queue_ms=QUEUE_MS)
        self._start(self._speak(source))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.person.leave()

    async def say(self, sound: bytes) -> tuple[float, float]:
        """Say *sound*, 16-bit samples of SAMPLE_RATE_HZ; wait until it is said.

        Returns time.monotonic() at its begin and at its end.
        """
        said: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()
        await self._saying.put((sound, said))
        return await said

    async def first_sound(self, after_s: float, *, timeout_s: float) -> float:
        """Wait for sound after *after_s*; return its time. Raises TimeoutError."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            for heard in self.heard:
                if heard.at_s > after_s and heard.is_loud:
                    return heard.at_s
            await asyncio.sleep(FRAME_MS / 1000)
        raise TimeoutError(f"{self.person.identity} heard nothing for {timeout_s} s")

    def last_sound(self, before_s: float = math.inf) -> float:
        """Return the time of the last sound before *before_s*; 0.0 when there was none."""
        times = (
            each.at_s for each in reversed(self.heard) if each.at_s < before_s and each.is_loud
        )
        return next(times, 0.0)

    async def silence(self, lasting_s: float, *, timeout_s: float) -> None:
        """Wait until nothing was heard for *lasting_s*. Raises TimeoutError."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            if time.monotonic() - self.last_sound() >= lasting_s:
                return
            await asyncio.sleep(FRAME_MS / 1000)
        raise TimeoutError(f"{self.person.identity} heard sound for all of {timeout_s} s")

    def sound_since(self, after_s: float) -> bytes:
        """Return the sound heard after *after_s*."""
        return b"".join(each.data for each in self.heard if each.at_s > after_s)

    async def _speak(self, source: rtc.AudioSource) -> None:
        """Feed *source* with the queued sentences, and with silence in between, in real time."""
        silence = bytes(FRAME_BYTES)
        while True:
            sound, said = silence, None
            with contextlib.suppress(asyncio.QueueEmpty):
                sound, said = self._saying.get_nowait()
            begin_s = time.monotonic() + source.queued_duration
            for start in range(0, len(sound), FRAME_BYTES):
                data = sound[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")
                await source.capture_frame(rtc.AudioFrame(data, SAMPLE_RATE_HZ, 1, FRAME_SAMPLES))
            if said is not None and not said.done():
                await asyncio.sleep(source.queued_duration)
                said.set_result((begin_s, time.monotonic()))

    def _on_track(
        self, track: rtc.Track, _: rtc.RemoteTrackPublication, of: rtc.RemoteParticipant
    ) -> None:
        if isinstance(track, rtc.RemoteAudioTrack) and of.identity == self._hears:
            self._start(self._listen(track))

    async def _listen(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=SAMPLE_RATE_HZ, num_channels=1)
        try:
            async for event in stream:
                self.heard.append(Heard(time.monotonic(), bytes(event.frame.data)))
        finally:
            await stream.aclose()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def is_loud(data: bytes) -> bool:
    """Say whether 16-bit samples hold more than silence."""
    return max(map(abs, memoryview(data).cast("h")), default=0) > LOUD


def trimmed(sound: bytes) -> bytes:
    """Return *sound* from its first loud frame to its last."""
    starts = range(0, len(sound), FRAME_BYTES)
    loud = [at for at in starts if is_loud(sound[at : at + FRAME_BYTES])]
    return sound[loud[0] : loud[-1] + FRAME_BYTES] if loud else b""


def resampled(sound: bytes, from_hz: int, to_hz: int) -> bytes:
    """Return 16-bit samples of *from_hz* as samples of *to_hz*."""
    if from_hz == to_hz:
        return sound
    resampler = rtc.AudioResampler(from_hz, to_hz)
    frames = [*resampler.push(bytearray(sound)), *resampler.flush()]
    return b"".join(bytes(frame.data) for frame in frames)


def write_wav(path: Path, sound: bytes) -> None:
    """Write 16-bit samples of SAMPLE_RATE_HZ as a WAV file. Raises OSError."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(sound)
