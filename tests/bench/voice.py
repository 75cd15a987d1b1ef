"""Compares a plug-in with a raw `livekit.rtc` script: how soon sound is there, and what it costs.

`python -m tests.bench.voice`. Both hear the same people in one room for the delay, so that a busy
machine delays both. CPU and memory are measured one after the other, with 10 people heard and
answered. Prints the lines for docs/decisions.md.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

from livekit import rtc

from sidecar.dev.person import SAMPLE_RATE_HZ, Person, end_process
from sidecar.dev.server import DevServer
from sidecar.dev.server_build import find_server
from sidecar.dev.stdio_client import SidecarClient
from sidecar.dev.tokens import mint_token
from sidecar.voice import Needs, Session, Voice

ROOM = "bench"
CLICK_EVERY_S, CLICKS = 0.5, 60
PEOPLE, COST_S = 10, 20.0
SILENCE = bytes(SAMPLE_RATE_HZ // 50 * 2)
CLICK = b"\x00\x60" * (SAMPLE_RATE_HZ // 50)
LOUD = 8_000


def is_loud(data: bytes) -> bool:
    """Whether a frame has the click."""
    return max(memoryview(data).cast("h"), default=0) > LOUD


class Echo(Voice):
    """Answers each frame with itself, and tells when a click came."""

    name = "echo"
    needs = Needs.HEAR | Needs.SPEAK

    async def run(self, session: Session) -> None:
        """Echo."""
        was_loud = False
        async for frame in session.microphone(rate=48_000, frame_ms=20):
            if is_loud(frame.data) and not was_loud:
                session.emit("click", time.monotonic())
            was_loud = is_loud(frame.data)
            await session.play(frame)


async def raw_echo(url: str, token: str) -> None:
    """Do the same as Echo, with `livekit.rtc` alone."""
    room = rtc.Room()
    running = set()

    async def echo(track: rtc.Track) -> None:
        source = rtc.AudioSource(48_000, 1, queue_size_ms=200)
        out = rtc.LocalAudioTrack.create_audio_track("voice", source)
        await room.local_participant.publish_track(out)
        was_loud = False
        async for event in rtc.AudioStream(track, sample_rate=48_000, frame_size_ms=20):
            data = bytes(event.frame.data)
            if is_loud(data) and not was_loud:
                print(f"click {time.monotonic()}", flush=True)
            was_loud = is_loud(data)
            await source.capture_frame(event.frame)

    def subscribed(track: rtc.Track, *_: object) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO and track.name == "microphone":
            task = asyncio.get_running_loop().create_task(echo(track))
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

    async def raw(self) -> asyncio.subprocess.Process:
        """Start the raw script."""
        server = self.server
        token = mint_token(server.api_key, server.api_secret, ROOM, "raw", kind="agent")
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "tests.bench.voice", server.url, token)
        return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)

    def sidecar(self) -> SidecarClient:
        """The sidecar with Echo."""
        named = "tests.bench.voice:Echo"
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-m", "sidecar", "--wait", "--voice", named]
        return SidecarClient(command, cwd=root)

    async def connect(self, sidecar: SidecarClient) -> None:
        """Let the sidecar join."""
        server = self.server
        keys = {"apiKey": server.api_key, "apiSecret": server.api_secret}
        await sidecar.call("connect", {"url": server.url, "room": ROOM, **keys})


async def click(source: rtc.AudioSource, count: int) -> None:
    """Play silence with a click twice a second."""
    frames = round(CLICK_EVERY_S * 50)
    for number in range(count * frames):
        data = CLICK if number % frames == frames - 1 else SILENCE
        await source.capture_frame(rtc.AudioFrame(data, SAMPLE_RATE_HZ, 1, len(data) // 2))


async def delays(bench: Bench) -> list[float]:
    """Milliseconds by which the plug-in had each click after the raw script."""
    raw = await bench.raw()
    assert raw.stdin is not None
    assert raw.stdout is not None
    async with bench.sidecar() as sidecar:
        await bench.connect(sidecar)
        anna = bench.person("anna")
        await anna.join()
        source = await anna.publish()
        await sidecar.notified("session-created")
        await click(source, CLICKS)
        await asyncio.sleep(1)
        await anna.leave()
        events = [n.params for n in sidecar.notifications if n.method == "session-event"]
    ours = [float(str(each["content"])) for each in events if each["name"] == "click"]
    raw.stdin.close()
    lines = (await raw.stdout.read()).decode().splitlines()
    theirs = [float(line.split()[1]) for line in lines if line.startswith("click")]
    found = []
    for at in ours:
        nearest = min(theirs, key=lambda other, at=at: abs(at - other))  # type: ignore[misc]
        if abs(at - nearest) < CLICK_EVERY_S / 2:
            found.append((at - nearest) * 1000)
    return found


async def cost(bench: Bench, pid: int) -> tuple[float, float, float]:
    """CPU in percent of a core, and MB before and with PEOPLE people."""
    before_mb = rss_mb(pid)
    people = [bench.person(f"person{number}") for number in range(PEOPLE)]
    talking = []
    for person in people:
        await person.join()
        source = await person.publish()
        talking.append(asyncio.create_task(click(source, 1_000)))
    await asyncio.sleep(5)
    began_s, used_s = time.monotonic(), cpu_s(pid)
    await asyncio.sleep(COST_S)
    percent = (cpu_s(pid) - used_s) / (time.monotonic() - began_s) * 100
    with_mb = rss_mb(pid)
    for task in talking:
        task.cancel()
    for person in people:
        await person.leave()
    return percent, before_mb, with_mb


async def measure() -> None:
    """Measure and print."""
    async with DevServer(await find_server(print)) as server:
        bench = Bench(server)
        found = await delays(bench)
        p95 = statistics.quantiles(found, n=20)[-1]
        print(
            f"plug-in after raw, ms: p50 {statistics.median(found):.1f}, p95 {p95:.1f},"
            f" {len(found)} clicks"
        )
        raw = await bench.raw()
        await asyncio.sleep(2)
        raw_cost = await cost(bench, raw.pid)
        assert raw.stdin is not None
        raw.stdin.close()
        await raw.wait()
        async with bench.sidecar() as sidecar:
            await bench.connect(sidecar)
            own_cost = await cost(bench, sidecar.pid)
        for name, (percent, before, after) in (("raw", raw_cost), ("plug-in", own_cost)):
            print(
                f"{name}: {PEOPLE} people heard and answered: {percent:.1f} % of a core,"
                f" {before:.0f} MB before, {after:.0f} MB with them"
            )
        print(f"CPU plug-in / raw: {own_cost[0] / raw_cost[0]:.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run(raw_echo(sys.argv[1], sys.argv[2]))
    else:
        asyncio.run(measure())
        end_process(0)
