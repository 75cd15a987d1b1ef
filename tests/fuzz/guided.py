"""The coverage-guided fuzzer: libFuzzer, by atheris, changes bytes until new code runs.

Owns the two targets. Each takes bytes both as they are (a stream of stdin; events of the native
library) and as the choices of the generators.

`python -m tests.fuzz.guided wire|room --seed 1 --seconds 30 [FILE]`; a FILE is one case to repeat.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

from tests.fuzz.chance import FromBytes

with atheris.instrument_imports(include=["sidecar"]):
    from tests.fuzz import room, wire
    from tests.fuzz.lines import Lines
    from tests.fuzz.room_events import RoomEvents, read

FOUND = Path(__file__).parents[2] / ".cache" / "fuzz"
"""Where a case that failed is kept."""
MAX_BYTES = 4_096
EVENT_BYTES = 200
WORDS = (
    "jsonrpc",
    "2.0",
    "method",
    "id",
    "params",
    "result",
    "error",
    "null",
    "ping",
    "[[",
    "\\x0a",
)


def main() -> None:
    """Run as the arguments say; libFuzzer ends the process, with status 77 when a law broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("target", choices=("wire", "room"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("file", nargs="?", type=Path)
    told = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(folder, "corpus"), Path(folder, "words")
        corpus.mkdir()
        words.write_text("".join(f'"{each}"\n' for each in WORDS), encoding="ascii")
        for number in range(20):
            chance = random.Random(f"{told.seed}/{number}")  # noqa: S311 - a fuzzer repeats
            (corpus / str(number)).write_bytes(_example(told.target, chance))
        play = _wire_target() if told.target == "wire" else _room
        arguments = [
            sys.argv[0],
            f"-seed={told.seed}",
            f"-max_total_time={told.seconds}",
            f"-max_len={MAX_BYTES}",
            f"-dict={words}",
            f"-artifact_prefix={FOUND}/{told.target}-",
            "-timeout=30",
            "-print_final_stats=1",
            str(told.file or corpus),
        ]
        atheris.Setup(arguments, play)
        atheris.Fuzz()


def _example(target: str, chance: random.Random) -> bytes:
    if target == "wire":
        return b"\x00" + Lines(chance).stream(5)[: MAX_BYTES - 1]
    events = RoomEvents(chance)
    made = [events.event().room_event.SerializePartialToString() for _ in range(9)]
    short = [each for each in made if len(each) < EVENT_BYTES]
    return b"\x00" + b"".join(len(each).to_bytes(2, "little") + each for each in short)


def _wire_target() -> Callable[[bytes], None]:
    runner = asyncio.Runner()

    def play(content: bytes) -> None:
        mode, rest = content[:1], content[1:]
        if mode == b"\x00":
            runner.run(wire.feed([rest[at : at + 97] for at in range(0, len(rest), 97)]))
        else:
            runner.run(wire.play(FromBytes(rest)))

    return play


def _room(content: bytes) -> None:
    mode, rest = content[:1], content[1:]
    if mode != b"\x00":
        room.play(FromBytes(rest))
        return
    events = []
    while rest:
        size = int.from_bytes(rest[:2], "little") % EVENT_BYTES
        event = read(rest[2 : 2 + size])
        rest = rest[2 + size :]
        if event is not None:
            events.append(event)
    room.play(FromBytes(rest), events)


if __name__ == "__main__":
    main()
