"""Owns the stage for tests of a plug-in: plays sound to it without a server, and collects its acts.

    async with Stage(Echo) as stage:
        await stage.hear("question.wav")
        await stage.happens(lambda: stage.played_s > 1)
        assert stage.events == [("level", {"dB": -20})]

Runs everything on the test's own loop. Time is not played: the plug-in gets sound as fast as it
reads, and `play` returns at once. Does not know LiveKit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import wave
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sidecar import tasks
from sidecar.core.contract.messages import (
    AgentSession,
    ConnectionState,
    Health,
    Message,
    SessionEvent,
)
from sidecar.core.contract.wire import EncodedJson, IsoTime
from sidecar.core.facts import ConnectionQuality, ParticipantKind
from sidecar.core.sound import SAMPLE_BYTES, Frame
from sidecar.voice.events import Events
from sidecar.voice.microphone import Microphone
from sidecar.voice.plugin import Voice, check_plugin, methods_of
from sidecar.voice.session import Session

HAPPENS_WITHIN_S = 5.0

_log = logging.getLogger("sidecar.voice")


class Stage:
    """One session with a plug-in. `async with` starts `run` and cancels it."""

    def __init__(
        self,
        plugin: type[Voice],
        *,
        settings: Mapping[str, object] | None = None,
        earlier: Sequence[Message] = (),
        identity: str = "anna",
    ) -> None:
        """Prepare; *earlier* are the messages from before a crash of the sidecar.

        Raises:
            TypeError: *plugin* is no plug-in; the message names the fix.
        """
        check_plugin(plugin)
        self.played: list[Frame] = []
        """What the plug-in played, in order; an interrupted sound too."""
        self.texts: list[tuple[str, str]] = []
        """Text and topic of each `send_text`."""
        self.events: list[tuple[str, Any]] = []
        """Name and content of each event, `transcript` and `failed` among them."""
        self.context: Any = None
        """The last context."""
        self.interruptions = 0
        self.voice = plugin()
        self._call = _StageCall(self)
        self._news = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        session_id = f"session_1767225600000_{identity}"
        self.session = Session(
            _session(session_id, identity),
            self._call,
            Events(session_id, "stage", self._tell),
            needs=plugin.needs,
            settings=settings or {},
            earlier=earlier,
            add_message=lambda: None,
            set_context=self._set_context,
        )

    @property
    def played_s(self) -> float:
        """The seconds of sound that the plug-in played."""
        return sum(each.samples / each.rate for each in self.played)

    def write_wav(self, path: str | Path, rate: int = 48_000) -> None:
        """Write the sound that the plug-in played to a WAV file."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(rate)
            for each in self.played:
                file.writeframes(_resampled(each, rate))

    async def hear(self, sound: Frame | bytes | str | Path, rate: int | None = None) -> None:
        """Play a Frame, samples of *rate* Hz, or a WAV file of 16 bits; wait until it was read.

        Raises:
            ValueError: the samples have no *rate*, or the file is no WAV file of 16 bits.
            TimeoutError: the plug-in did not read for 5 s.
        """
        if isinstance(sound, (str, Path)):
            frame = _wav(Path(sound))
        elif isinstance(sound, Frame):
            frame = sound
        elif rate is None:
            raise ValueError("pass the rate of the samples, like rate=16_000")
        else:
            frame = Frame(sound, rate)
        await self._call.feed(frame)

    async def happens(
        self, condition: Callable[[], bool], within_s: float = HAPPENS_WITHIN_S
    ) -> None:
        """Wait until *condition* is true; it is asked after each act of the plug-in.

        Raises:
            TimeoutError: it is not true within *within_s* seconds; the message has all acts.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
                return
        raise TimeoutError(
            f"did not happen within {within_s:g} s: {self.played_s:.2f} s played, texts"
            f" {self.texts}, events {self.events}"
        )

    async def call(self, method: str, **params: object) -> Any:
        """Call a method of the plug-in as the app does, by its name without the plug-in's.

        Raises:
            InvalidParams: the params do not fit the method.
        """
        callee = methods_of(type(self.voice))[f"{self.voice.name}.{method}"]
        result = getattr(self.voice, callee.attribute)(**callee.checked(params))
        if asyncio.iscoroutine(result):
            result = await result
        return EncodedJson(result, sys.maxsize).value

    async def __aenter__(self) -> Self:
        """Start `run`."""
        self._running = tasks.start("the plug-in's run", self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel `run`, and wait for its end."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        try:
            await self.voice.run(self.session)
        except Exception as error:
            _log.exception("The plug-in's `run` failed.")
            self.session.emit("failed", {"error": f"{type(error).__name__}: {error}"})

    def acted(self) -> None:
        """Ask the conditions again."""
        self._news.set()

    def _tell(self, event: SessionEvent | Health) -> None:
        if isinstance(event, SessionEvent):
            self.events.append((event.name, event.content.value))
        self.acted()

    def _set_context(self, context: EncodedJson) -> None:
        self.context = context.value
        self.acted()


class _StageCall:
    """Implements `voice.ports.Call`."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._microphones: list[Microphone] = []
        self._listening = asyncio.Event()

    async def feed(self, sound: Frame) -> None:
        async with asyncio.timeout(HAPPENS_WITHIN_S):
            await self._listening.wait()
        for microphone in list(self._microphones):
            data = _resampled(sound, microphone.rate)
            step = microphone.rate * microphone.frame_ms // 1000 * SAMPLE_BYTES
            for start in range(0, len(data), step):
                microphone.put(data[start : start + step].ljust(step, b"\0"))
                async with asyncio.timeout(HAPPENS_WITHIN_S):
                    await microphone.emptied()

    def hear(self, microphone: Microphone) -> None:
        self._microphones.append(microphone)
        self._listening.set()

    def unhear(self, microphone: Microphone) -> None:
        self._microphones.remove(microphone)

    async def say(self, data: bytes, rate: int) -> None:
        self._stage.played.append(Frame(data, rate))
        self._stage.acted()

    def interrupt(self) -> float:
        self._stage.interruptions += 1
        self._stage.acted()
        return 0.0

    async def send_text(self, text: str, topic: str) -> None:
        self._stage.texts.append((text, topic))
        self._stage.acted()

    async def transcribe(self, text: str, segment: str, *, is_user: bool, is_final: bool) -> None:
        """Show nothing: the event `transcript` has the words."""

    def close(self) -> None:
        """Nothing is open."""


def _session(session_id: str, identity: str) -> AgentSession:
    return AgentSession(
        session_id=session_id,
        participant_id=identity,
        participant_sid=f"PA_{identity}",
        room_name="stage",
        start_time=IsoTime("2026-01-01T00:00:00.000Z"),
        message_count=0,
        connection_state=ConnectionState.CONNECTED,
        name=identity,
        kind=ParticipantKind.STANDARD,
        metadata="",
        attributes={},
        connection_quality=ConnectionQuality.UNKNOWN,
    )


def _wav(path: Path) -> Frame:
    """Read a WAV file; of several channels, the first one counts."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != SAMPLE_BYTES:
            raise ValueError(f"{path} has samples of {8 * file.getsampwidth()} bits; use 16 bits")
        samples = _samples(file.readframes(file.getnframes()))[:: file.getnchannels()]
        return Frame(_bytes(samples), file.getframerate())


def _resampled(sound: Frame, rate: int) -> bytes:
    """Convert to *rate* by linear interpolation, which is good enough for speech in a test."""
    if sound.rate == rate:
        return sound.data
    samples = _samples(sound.data)
    last = len(samples) - 1
    found = array("h")
    for index in range(len(samples) * rate // sound.rate):
        at = index * sound.rate / rate
        low = min(int(at), last)
        high = min(low + 1, last)
        found.append(round(samples[low] + (samples[high] - samples[low]) * (at - low)))
    return _bytes(found)


def _samples(data: bytes) -> array[int]:
    samples = array("h", data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _bytes(samples: array[int]) -> bytes:
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
