"""Measures what is seen first: the demo's first line, and the example's first paint."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.place import PROGRAMS, Place
from tests.bench.program import Program, ProgramFailed
from tests.bench.samples import Act, Sample
from tests.electron.devtools import ADDRESS_WORDS, Page
from tests.electron.electron_app import ElectronApp
from tests.electron.example_window import first_page

DEMO = (sys.executable, "-m", "sidecar", "demo")
HELLO = (sys.executable, "-c", "print('hello', flush=True)")
SWITCHES = ("--remote-debugging-port=0",)
FIRST_PAINT = """new Promise((resolve) => {
    const look = () => {
        const [paint] = performance.getEntriesByName('first-contentful-paint');
        if (paint) resolve(performance.timeOrigin + paint.startTime);
        else setTimeout(look, 20);
    };
    look();
})"""
"""In the page: when it was, ms since 1970."""


def first_line(column: str, command: tuple[str, ...]) -> Act:
    """Make the measurement of a command's first line."""

    def act(place: Place) -> Iterator[Sample]:
        _ = place.server  # built by now
        program = Program(command)
        try:
            program.message()
            yield "demo", column, program.since_start_ms()
        finally:
            program.process.kill()
            program.end()

    return act


def first_paint(place: Place) -> Iterator[Sample]:
    """Measure an empty app and the example, each up to its window's first paint."""
    _ = place.server  # started outside of a loop
    for column, app in (("floor", PROGRAMS / "empty-app"), ("source", place.example)):
        try:
            yield "first paint", column, asyncio.run(_first_paint_ms(place, app))
        except (AssertionError, TimeoutError) as error:
            raise ProgramFailed(f"the first paint of {app.name}: {error}") from error


async def _first_paint_ms(place: Place, app: Path) -> float:
    server = place.server
    env = {
        "DISPLAY": place.display,
        "SIDECAR_PYTHON": sys.executable,
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "LIVEKIT_ROOM": "bench-paint",
    }
    home = place.folder / f"home-of-{app.name}"
    home.mkdir(exist_ok=True)
    began_ms = time.time() * 1000
    async with ElectronApp(place.electron, [*SWITCHES, str(app)], env, home) as shown:
        said = await shown.line(lambda line: line.startswith(ADDRESS_WORDS), "DevTools")
        async with Page(await first_page(said.removeprefix(ADDRESS_WORDS))) as page:
            return float(await page.evaluate(FIRST_PAINT)) - began_ms


DEMO_LINE: tuple[Act, ...] = (first_line("floor", HELLO), first_line("source", DEMO))
PAINT: tuple[Act, ...] = (first_paint,)
