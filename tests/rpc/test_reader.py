"""The way in: how much of a flood is taken before everything else has its turn."""

from __future__ import annotations

import asyncio
import os
import threading

from sidecar.rpc.stdio import Reader

FLOOD_BYTES = 4 * 1024 * 1024
MOST_BYTES = 64 * 1024
"""About 1,500 of the shortest requests, which take some tens of milliseconds."""


async def test_a_flood_is_taken_in_small_parts_and_others_have_their_turn_in_between():
    read_fd, write_fd = os.pipe()
    loop = asyncio.get_running_loop()
    taken: dict[int, int] = {}
    turn, ended = 0, asyncio.Event()

    def next_turn() -> None:
        nonlocal turn
        turn += 1
        if not ended.is_set():
            loop.call_soon(next_turn)

    def on_chunk(chunk: bytes) -> None:
        taken[turn] = taken.get(turn, 0) + len(chunk)
        # As long as it takes the reader's thread to hand over all that it may.
        threading.Event().wait(0.001)

    def flood() -> None:
        with os.fdopen(write_fd, "wb") as pipe:
            pipe.write(b"x" * FLOOD_BYTES)

    threading.Thread(target=flood, daemon=True).start()
    reader = Reader(read_fd, loop, on_chunk, ended.set)
    next_turn()
    reader.start()
    await ended.wait()
    assert sum(taken.values()) == FLOOD_BYTES
    assert max(taken.values()) <= MOST_BYTES
    os.close(read_fd)
