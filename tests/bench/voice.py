"""Compares a plug-in with a raw `livekit.rtc` script: how soon sound is there, and what it costs.

`python -m tests.bench.voice`. Both hear the same people in one room at the same time, so that a
busy machine slows both. Each answers each person on a track that this person alone hears. CPU and
memory are measured with 10 people. Prints the lines for docs/decisions.md.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livekit import rtc

from sidecar.dev.person import SAMPLE_RATE_HZ, Person, end_process
from sidecar.dev.server import DevServer
from sidecar.dev.server_build import find_server
from sidecar.dev.stdio_client import SidecarClient
from sidecar.dev.tokens import mint_token
from sidecar.voice import Needs, Session, Voice
from tests.livekit.stdio import with_plug_in

ROOM = "bench"
STARTS_WITHIN_S = 60.0
"""For Python to start and import this file on a busy machine."""
ROUNDS = 4
CLICK_EVERY_S, CLICKS = 0.5, 15
PEOPLE, COST_S = 10, 20.0
AGENT, RAW = "clara-voice-agent", "raw"
SILENCE = bytes(SAMPLE_RATE_HZ // 50 * 2)
CLICK = b"\x00\x60" * (SAMPLE_RATE_HZ // 50)
LOUD = 8_000


def is_loud(data: bytes) -> bool:
    """Whether a frame has the click."""
    return max(memoryview(data).cast("h"), default=0) > LOUD


class Arrivals:
    """When each frame left the native library. For a process with one stream."""

    def __init__(self) -> None:
        """Stand in front of the SDK's queue. Make it before the stream."""
        from livekit.rtc._ffi_client import FfiClient

        self._at_s: deque[float] = deque()
        queue: Any = FfiClient.instance.queue
        deliver = queue.put

        def put(event: Any) -> None:
            if event.WhichOneof("message") == "audio_stream_event":
                self._at_s.append(time.monotonic())
            deliver(event)

        queue.put = put

    def taken(self) -> float:
        """Note that the next frame was taken; return its milliseconds since the native library."""
        return (time.monotonic() - self._at_s.popleft()) * 1000


class Ears(Voice):
    """Tells each click's time and delay. Does not answer: a full queue would make it wait."""

    name = "ears"
    needs = Needs.HEAR

    async def run(self, session: Session) -> None:
        """Listen."""
        arrivals, was_loud = Arrivals(), False
        async for frame in session.microphone(rate=48_000, frame_ms=20):
            took_ms = arrivals.taken()
            if is_loud(frame.data) and not was_loud:
                session.emit("click", [time.monotonic(), took_ms])
            was_loud = is_loud(frame.data)


class Echo(Voice):
    """Answers each frame with itself."""

    name = "echo"
    needs = Needs.HEAR | Needs.SPEAK

    async def run(self, session: Session) -> None:
        """Echo."""
        async for frame in session.microphone(rate=48_000, frame_ms=20):
            await session.play(frame)


async def raw_script(does: str, url: str, token: str) -> None:
    """Do the same as Ears or Echo, with `livekit.rtc` alone; *does* is "ears" or "echo"."""
    room = rtc.Room()
    running = set()
    listeners: list[rtc.ParticipantTrackPermission] = []

    async def echo(track: rtc.Track, identity: str) -> None:
        source = rtc.AudioSource(48_000, 1, queue_size_ms=200)
        out = rtc.LocalAudioTrack.create_audio_track("voice", source)
        published = await room.local_participant.publish_track(out)
        listeners.append(
            rtc.ParticipantTrackPermission(
                participant_identity=identity, allowed_track_sids=[published.sid]
            )
        )
        room.local_participant.set_track_subscription_permissions(
            allow_all_participants=False, participant_permissions=listeners
        )
        async for event in rtc.AudioStream(track, sample_rate=48_000, frame_size_ms=20):
            await source.capture_frame(event.frame)

    async def listen(track: rtc.Track) -> None:
        arrivals, was_loud = Arrivals(), False
        async for event in rtc.AudioStream(track, sample_rate=48_000, frame_size_ms=20):
            took_ms = arrivals.taken()
            data = bytes(event.frame.data)
            if is_loud(data) and not was_loud:
                print(f"click {time.monotonic()} {took_ms}", flush=True)
            was_loud = is_loud(data)

    def subscribed(
        track: rtc.Track, _: rtc.RemoteTrackPublication, sender: rtc.RemoteParticipant
    ) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and track.name == "microphone":
            work = listen(track) if does == "ears" else echo(track, sender.identity)
            task = asyncio.get_running_loop().create_task(work)
            running.add(task)

    room.on("track_subscribed", subscribed)
    await room.connect(url, token)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    end_process(0)


def cpu_s(pid: int) -> float:
    """The CPU seconds of a process so far."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """The resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


class Bench:
    """One server, and programs that join its room."""

    def __init__(self, server: DevServer) -> None:
        """Nothing runs."""
        self.server = server

    def person(self, identity: str) -> Person:
        """A person who has yet to join."""
        server = self.server
        token = mint_token(server.api_key, server.api_secret, ROOM, identity)
        return Person(server.url, token, identity)

    async def raw(self, does: str) -> asyncio.subprocess.Process:
        """Start the raw script, as "ears" or "echo"."""
        server = self.server
        token = mint_token(server.api_key, server.api_secret, ROOM, RAW, kind="agent")
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "tests.bench.voice", does, server.url, token)
        return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)

    def sidecar(self, plugin: type[Voice]) -> SidecarClient:
        """The sidecar with a plug-in of this file."""
        named = f"tests.bench.voice:{plugin.__name__}"
        root = Path(__file__).resolve().parents[2]
        command = with_plug_in(named)
        return SidecarClient(command, cwd=root)

    async def connect(self, sidecar: SidecarClient) -> None:
        """Let the sidecar join."""
        server = self.server
        keys = {"apiKey": server.api_key, "apiSecret": server.api_secret}
        params = {"url": server.url, "room": ROOM, **keys}
        await sidecar.call("connect", params, timeout_s=STARTS_WITHIN_S)


async def click(source: rtc.AudioSource, count: int) -> None:
    """Play silence with a click twice a second."""
    frames = round(CLICK_EVERY_S * 50)
    for number in range(count * frames):
        data = CLICK if number % frames == frames - 1 else SILENCE
        await source.capture_frame(rtc.AudioFrame(data, SAMPLE_RATE_HZ, 1, len(data) // 2))


@dataclass
class Delays:
    """Milliseconds of each click."""

    after_raw: list[float] = field(default_factory=list)
    """From the raw script's frame to the plug-in's. Both take frames of 20 ms, which begin at
    different moments: so one run has an error of up to 10 ms either way."""
    ours: list[float] = field(default_factory=list)
    """From the native library to the plug-in."""
    raw: list[float] = field(default_factory=list)
    """From the native library to the raw script."""


async def delays(bench: Bench) -> Delays:
    """Measure the delays, in ROUNDS runs of both programs."""
    found = Delays()
    for _ in range(ROUNDS):
        await measure_delays(bench, found)
    return found


async def measure_delays(bench: Bench, found: Delays) -> None:
    """Add the delays of CLICKS clicks to *found*."""
    raw = await bench.raw("ears")
    assert raw.stdin is not None
    assert raw.stdout is not None
    async with bench.sidecar(Ears) as sidecar:
        await bench.connect(sidecar)
        anna = bench.person("anna")
        await anna.join()
        source = await anna.publish()
        await sidecar.notified("session-created")
        await click(source, CLICKS)
        await asyncio.sleep(1)
        await anna.leave()
        events = [n.params for n in sidecar.notifications if n.method == "session-event"]
    raw.stdin.close()
    lines = (await raw.stdout.read()).decode().splitlines()
    theirs = [tuple(map(float, line.split()[1:])) for line in lines if line.startswith("click")]
    found.raw += [took_ms for _, took_ms in theirs]
    for event in events:
        if event["name"] != "click":
            continue
        at, took_ms = map(float, event["content"])  # type: ignore[call-overload]
        found.ours.append(took_ms)
        nearest = min((other for other, _ in theirs), key=lambda other, at=at: abs(at - other))  # type: ignore[misc]
        if abs(at - nearest) < CLICK_EVERY_S / 2:
            found.after_raw.append((at - nearest) * 1000)


def shown(name: str, values: list[float]) -> str:
    """A line of the report."""
    p95 = statistics.quantiles(values, n=20)[-1]
    p50 = statistics.median(values)
    return f"{name}, ms: p50 {p50:.1f}, p95 {p95:.1f}, {len(values)} clicks"


class Listener:
    """A person who hears the agents alone, so that the people themselves cost little."""

    def __init__(self, person: Person) -> None:
        """Not joined yet."""
        self.person = person
        self.loud: dict[str, int] = {AGENT: 0, RAW: 0}
        """The loud frames from each agent."""
        self._reading: list[asyncio.Task[None]] = []
        person.room.on("track_published", self._choose)
        person.room.on("track_subscribed", self._subscribed)

    async def join(self) -> rtc.AudioSource:
        """Join without the other people's sound, and publish."""
        person = self.person
        options = rtc.RoomOptions(auto_subscribe=False)
        await person.room.connect(person.url, person._token, options)
        return await person.publish()

    def _choose(self, track: rtc.RemoteTrackPublication, sender: rtc.RemoteParticipant) -> None:
        if sender.identity in self.loud:
            track.set_subscribed(True)

    def _subscribed(
        self, track: rtc.Track, _: rtc.RemoteTrackPublication, sender: rtc.RemoteParticipant
    ) -> None:
        self._reading.append(asyncio.create_task(self._read(track, sender.identity)))

    async def _read(self, track: rtc.Track, identity: str) -> None:
        async for event in rtc.AudioStream(track, frame_size_ms=20):
            self.loud[identity] += is_loud(bytes(event.frame.data))


@dataclass
class Cost:
    """What a program took."""

    name: str
    pid: int
    percent: float = 0.0
    """CPU in percent of a core."""
    before_mb: float = 0.0
    with_mb: float = 0.0


async def costs(bench: Bench, programs: tuple[Cost, ...]) -> str:
    """Measure *programs*, which are in the room, with PEOPLE people; say who was answered."""
    for each in programs:
        each.before_mb = rss_mb(each.pid)
    people = [Listener(bench.person(f"person{number}")) for number in range(PEOPLE)]
    talking = [asyncio.create_task(click(await each.join(), 1_000)) for each in people]
    await asyncio.sleep(6)  # a track's sound begins after 3 s at the latest
    used = {each.name: cpu_s(each.pid) for each in programs}
    for person in people:
        person.loud = dict.fromkeys(person.loud, 0)
    began_s = time.monotonic()
    await asyncio.sleep(COST_S)
    for each in programs:
        each.percent = (cpu_s(each.pid) - used[each.name]) / (time.monotonic() - began_s) * 100
        each.with_mb = rss_mb(each.pid)
    answered = [sum(person.loud[name] > 0 for person in people) for name in (RAW, AGENT)]
    for task in talking:
        task.cancel()
    return f"{answered[0]} of {PEOPLE} people heard raw's answers, {answered[1]} the plug-in's"


async def measure() -> None:
    """Measure and print."""
    async with DevServer(await find_server(print)) as server:
        bench = Bench(server)
        found = await delays(bench)
        print(shown("plug-in after raw", found.after_raw))
        print(shown("native library to plug-in", found.ours))
        print(shown("native library to raw", found.raw))
        raw = await bench.raw("echo")
        assert raw.stdin is not None
        async with bench.sidecar(Echo) as sidecar:
            await bench.connect(sidecar)
            await asyncio.sleep(2)
            theirs, ours = Cost("raw", raw.pid), Cost("plug-in", sidecar.pid)
            print(await costs(bench, (theirs, ours)))
        raw.stdin.close()
        for each in (theirs, ours):
            print(
                f"{each.name}: {PEOPLE} people heard and answered: {each.percent:.1f} % of a core,"
                f" {each.before_mb:.0f} MB before, {each.with_mb:.0f} MB with them"
            )
        print(f"CPU plug-in / raw: {ours.percent / theirs.percent:.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        asyncio.run(raw_script(*sys.argv[1:]))
    else:
        asyncio.run(measure())
        end_process(0)
