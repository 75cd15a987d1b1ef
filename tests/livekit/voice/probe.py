"""Plug-ins for the tests: `Probe` does what the test asks by its methods, the others go wrong."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

import numpy as np

from sidecar import tasks
from sidecar.rtc.calls import LiveKitCall
from sidecar.voice import Frame, Needs, Session, Voice, method

RATE = 16_000
KEPT_S = 30


def strongest_hz(sound: bytes, rate: int) -> int:
    """The strongest frequency of *sound*, to 10 Hz; 0 for silence."""
    samples = np.frombuffer(sound, np.int16).astype(float)
    if len(samples) < rate // 10 or np.abs(samples).max() < 300:
        return 0
    found = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return round(float(np.argmax(found)) * rate / len(samples) / 10) * 10


class Probe(Voice):
    """Hears all the time; speaks and fails when the test says so."""

    name = "probe"
    needs = Needs.HEAR | Needs.SPEAK | Needs.TEXT

    def __init__(self) -> None:
        """Nothing heard."""
        self.frames: deque[tuple[float, bytes]] = deque(maxlen=KEPT_S * 50)
        self.saying: asyncio.Task[None] | None = None
        self.sending: list[asyncio.Future[None]] = []

    async def run(self, session: Session) -> None:
        """Keep what is heard."""
        self.session = session
        session.emit("began", {"messages": len(session.conversation), **session.settings})
        async for frame in session.microphone(rate=RATE, frame_ms=20):
            self.frames.append((time.monotonic(), frame.data))

    @method
    def heard(self, last_s: float = 0.5) -> list[int]:
        """The frames and the strongest frequency of the last seconds."""
        since = time.monotonic() - last_s
        data = [data for at, data in self.frames if at > since]
        return [len(data), strongest_hz(b"".join(data), RATE)]

    @method
    def ever(self) -> list[int]:
        """Every frequency heard so far, in windows of 0.2 s."""
        data = [data for _, data in self.frames]
        windows = [b"".join(data[i : i + 10]) for i in range(0, len(data) - 9, 10)]
        return sorted({strongest_hz(each, RATE) for each in windows})

    @method
    def say(self, hz: int, seconds: float, in_pieces: bool = False) -> None:
        """Begin to play a tone; in one piece, or in frames of 20 ms."""
        times = np.arange(int(seconds * RATE)) / RATE
        data = (8000 * np.sin(2 * np.pi * hz * times)).astype(np.int16).tobytes()
        step = RATE // 50 * 2 if in_pieces else len(data)

        async def play() -> None:
            for start in range(0, len(data), step):
                await self.session.play(Frame(data[start : start + step], RATE))

        self.saying = asyncio.get_running_loop().create_task(play())

    @method
    def interrupt(self) -> bool:
        """Interrupt; whether the tone's `play` had returned before."""
        was_done = self.saying is None or self.saying.done()
        self.session.interrupt()
        return was_done

    @method
    async def write(self, role: str, text: str, final: bool = True) -> None:
        """Write a transcript."""
        await self.session.transcript(role, text, final)  # type: ignore[arg-type]

    @method
    async def text(self, text: str) -> str:
        """Send a text; "late" if the room did not take it."""
        try:
            await self.session.send_text(text)
        except TimeoutError:
            return "late"
        return "sent"

    @method
    async def reconnect_and_text(self, kind: str, text: str) -> list[object]:
        """Let the Room reconnect, send a text at once; how that ended, and after how long."""
        began_s = time.monotonic()
        await self.reconnect(kind)
        return [await self.text(text), time.monotonic() - began_s]

    @method
    def context(self, content: dict[str, object] | None) -> None:
        """Set the context."""
        self.session.set_context(content)

    @method
    def flood(self, count: int) -> None:
        """Emit many events of 60 KB at once."""
        for _ in range(count):
            self.session.emit("flood", "x" * 60_000)

    @method
    def flood_context(self, count: int) -> None:
        """Set many contexts at once."""
        for number in range(count):
            self.session.set_context({"number": number})

    @method
    async def flood_words(self, count: int) -> None:
        """Write many transcripts of the person at once."""
        for _ in range(count):
            await self.session.transcript("user", "again")

    @method
    def flood_texts(self, count: int) -> None:
        """Send many texts at once, and wait for none."""
        for number in range(count):
            self.sending.append(asyncio.ensure_future(self.session.send_text(f"text {number}")))

    @method
    def block(self, seconds: float) -> None:
        """Block the thread, soon."""
        asyncio.get_running_loop().call_later(0.1, time.sleep, seconds)

    @method
    def spin(self, seconds: float) -> None:
        """Block the thread, soon, by Python code, which holds the interpreter's lock."""

        def spin() -> None:
            until_s = time.monotonic() + seconds
            while time.monotonic() < until_s:
                pass

        asyncio.get_running_loop().call_later(0.1, spin)

    @method
    def fail(self) -> None:
        """Raise."""
        raise KeyError("no such key: secret-key-of-the-app")

    @method
    async def never(self) -> None:
        """Never answer."""
        await asyncio.Event().wait()

    @method
    def streams(self) -> int:
        """The native streams of this session."""
        return sum(each is not None for each in self._call._streams.values())

    @method
    def threads(self) -> list[str]:
        """The names of Python's threads."""
        return sorted(each.name for each in threading.enumerate())

    @method
    async def reconnect(self, kind: str) -> None:
        """Let the agent's Room reconnect."""
        from livekit import rtc

        calls = self._call._calls
        assert calls.room is not None
        scenario = getattr(rtc.SimulateScenarioKind, kind)
        await tasks.run_on(calls.agent_loop, calls.room.simulate_scenario(scenario))

    @property
    def _call(self) -> LiveKitCall:
        call = self.session._call
        assert isinstance(call, LiveKitCall)
        return call


class Raising(Voice):
    """Fails at once."""

    name = "raising"

    async def run(self, session: Session) -> None:
        """Fail."""
        raise KeyError("no such key: secret-key-of-the-app")


class Endless(Voice):
    """Never ends."""

    name = "endless"

    async def run(self, session: Session) -> None:
        """Catch every cancellation."""
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                session.emit("cancelled", None)
