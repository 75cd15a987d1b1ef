"""A person who plays tones into the room, and knows whose tones they hear."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque

import numpy as np
from livekit import rtc

from sidecar.dev.person import SAMPLE_RATE_HZ, Person
from tests.livekit.voice.probe import strongest_hz

FRAME_SAMPLES = SAMPLE_RATE_HZ // 50


class Talker:
    """One person; `heard` has every frame of each other participant with its time."""

    def __init__(self, person: Person) -> None:
        """Not joined yet."""
        self.person = person
        self.heard: dict[str, deque[tuple[float, bytes]]] = defaultdict(lambda: deque(maxlen=3000))
        self.texts: list[tuple[str, str, str, dict[str, str]]] = []
        """Topic, sender, text and attributes of each text."""
        self.news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tone: asyncio.Task[None] | None = None
        person.room.on("track_subscribed", self._subscribed)
        for topic in ("lk.chat", "lk.transcription"):
            person.room.register_text_stream_handler(topic, self._opened)

    async def talk(self, hz: int) -> rtc.AudioSource:
        """Publish a microphone and play a tone into it until `hush`."""
        source = await self.person.publish()
        self._tone = self._start(self._play(source, hz))
        return source

    async def hush(self) -> None:
        """Unpublish the microphone."""
        if self._tone is not None:
            self._tone.cancel()
        local = self.person.room.local_participant
        for sid in list(local.track_publications):
            await local.unpublish_track(sid)

    def tracks(self) -> list[rtc.LocalAudioTrack]:
        """The published tracks."""
        local = self.person.room.local_participant
        found = [each.track for each in local.track_publications.values()]
        return [each for each in found if isinstance(each, rtc.LocalAudioTrack)]

    async def leave(self) -> None:
        """Leave the room."""
        for each in list(self._tasks):
            each.cancel()
        await self.person.leave()

    def hears(self, identity: str, last_s: float = 0.4) -> int:
        """The strongest frequency from *identity* in the last seconds; 0 for silence."""
        since = time.monotonic() - last_s
        data = b"".join(data for at, data in self.heard[identity] if at > since)
        return strongest_hz(data, SAMPLE_RATE_HZ)

    async def hearing(self, identity: str, hz: int, timeout_s: float = 15.0) -> None:
        """Wait until they hear *hz* (to 20 Hz) from *identity*."""
        try:
            async with asyncio.timeout(timeout_s):
                while abs(self.hears(identity) - hz) > 20:
                    await self._next()
        except TimeoutError:
            found = self.hears(identity)
            raise AssertionError(f"{self.person.identity} hears {found} Hz, not {hz}") from None

    async def reads(self, count: int, timeout_s: float = 10.0) -> None:
        """Wait until they have so many texts."""
        async with asyncio.timeout(timeout_s):
            while len(self.texts) < count:
                await self._next()

    async def _next(self) -> None:
        self.news.clear()
        await self.news.wait()

    async def _play(self, source: rtc.AudioSource, hz: int) -> None:
        times = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        sound = (8000 * np.sin(2 * np.pi * hz * times)).astype(np.int16).tobytes()
        while True:
            for start in range(0, len(sound), FRAME_SAMPLES * 2):
                piece = sound[start : start + FRAME_SAMPLES * 2]
                frame = rtc.AudioFrame(piece, SAMPLE_RATE_HZ, 1, FRAME_SAMPLES)
                await source.capture_frame(frame)

    def _subscribed(
        self, track: rtc.Track, _: rtc.RemoteTrackPublication, sender: rtc.RemoteParticipant
    ) -> None:
        self._start(self._listen(track, sender.identity))

    async def _listen(self, track: rtc.Track, identity: str) -> None:
        stream = rtc.AudioStream(track, frame_size_ms=20)
        try:
            async for event in stream:
                self.heard[identity].append((time.monotonic(), bytes(event.frame.data)))
                self.news.set()
        finally:
            await stream.aclose()

    def _opened(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._start(self._read(reader, identity))

    async def _read(self, reader: rtc.TextStreamReader, identity: str) -> None:
        text = await reader.read_all()
        attributes = dict(reader.info.attributes or {})
        self.texts.append((reader.info.topic, identity, text, attributes))
        self.news.set()

    def _start(self, work: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
