"""Measures sound in a plug-in, beside a raw `livekit.rtc` script: what tests.bench.voice says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from tests.bench.place import REPOSITORY, Place
from tests.bench.program import Program, ProgramFailed
from tests.bench.samples import Act, Sample

PEOPLE = 10
LONGEST_S = 240.0
DELAY = re.compile(r"native library to (raw|plug-in), ms: p50 (-?[\d.]+)")
COST = re.compile(r"(raw|plug-in): .* ([\d.]+) % of a core, (\d+) MB before, (\d+) MB with")
COLUMNS = {"raw": "floor", "plug-in": "source"}


def sound(place: Place) -> Iterator[Sample]:
    """Give its figures."""
    _ = place.server  # there is one, so it finds one too
    program = Program((sys.executable, "-m", "tests.bench.voice"), cwd=REPOSITORY)
    with program:
        said = program.to_its_end(LONGEST_S).decode()
    delays, costs = DELAY.findall(said), COST.findall(said)
    if len(delays) != len(COLUMNS) or len(costs) != len(COLUMNS):
        raise ProgramFailed(f"tests.bench.voice said nothing of its figures: {said[-2000:]}")
    for name, ms in delays:
        yield "voice delay", COLUMNS[name], float(ms)
    for name, percent, before_mb, with_mb in costs:
        yield "voice cpu", COLUMNS[name], float(percent)
        yield "voice memory", COLUMNS[name], (float(with_mb) - float(before_mb)) / PEOPLE


SOUND: tuple[Act, ...] = (sound,)
