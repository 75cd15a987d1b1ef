"""A Room whose memory grows is told of, once for each step."""

from __future__ import annotations

import asyncio

from sidecar.rtc.room_memory import GROWS_BYTES, RoomMemory


async def test_each_growth_by_the_limit_is_told_once_until_the_end() -> None:
    megabyte = 1024 * 1024
    sizes = iter(
        [
            100 * megabyte,
            100 * megabyte + GROWS_BYTES,
            101 * megabyte + GROWS_BYTES,
            101 * megabyte + GROWS_BYTES,
            200 * megabyte + GROWS_BYTES,
            102 * megabyte + 2 * GROWS_BYTES,
            102 * megabyte + 2 * GROWS_BYTES,
        ]
    )
    told: list[int] = []
    looks = 0
    is_over = asyncio.Event()

    def rss_bytes() -> int:
        nonlocal looks
        looks += 1
        try:
            return next(sizes)
        except StopIteration:
            is_over.set()
            return 0

    watched = RoomMemory(rss_bytes, lambda: told.append(looks), look_s=0.001)
    watched.start()
    await is_over.wait()
    watched.stop()
    watched.stop()
    assert told == [4, 7]
