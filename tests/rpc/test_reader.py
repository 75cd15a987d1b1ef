"""The way in: a flood is taken in turns, in order, and its end comes last."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Iterator

from sidecar.rpc.stdio import TURN_S, Reader

FLOOD_BYTES = 300_000
STEP_BYTES = 1_000
STEP_S = 0.002
"""What a request may well take: a list of some hundred sessions."""


async def test_a_flood_is_taken_in_turns_and_everything_else_has_its_own_in_between():
    read_fd, write_fd = os.pipe()
    loop = asyncio.get_running_loop()
    steps: Counter[int] = Counter()
    taken: list[bytes] = []
    turn, ended = 0, asyncio.Event()

    def next_turn() -> None:
        nonlocal turn
        turn += 1
        if not ended.is_set():
            loop.call_soon(next_turn)

    def on_chunk(chunk: bytes) -> Iterator[None]:
        for start in range(0, len(chunk), STEP_BYTES):
            taken.append(chunk[start : start + STEP_BYTES])
            steps[turn] += 1
            threading.Event().wait(STEP_S)
            yield

    def flood() -> None:
        with os.fdopen(write_fd, "wb") as pipe:
            pipe.write(bytes(number % 251 for number in range(FLOOD_BYTES)))

    threading.Thread(target=flood, daemon=True).start()
    reader = Reader(read_fd, loop, on_chunk, ended.set, _never, on_closed=lambda: None)
    next_turn()
    reader.start()
    await ended.wait()
    assert b"".join(taken) == bytes(number % 251 for number in range(FLOOD_BYTES))
    assert max(steps.values()) <= TURN_S / STEP_S + 1
    os.close(read_fd)


def _never(why: str) -> None:
    raise AssertionError(why)
