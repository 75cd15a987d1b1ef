"""Attended time: what a stopped process or a sleeping laptop does not use up, and the one timer."""

from __future__ import annotations

import asyncio
import time

import pytest

from sidecar.agent.clock import TICK_S, AttendedClock, steady_s
from tests.agent.fakes import turns
from tests.agent.virtual_time import VirtualTimeLoop, in_virtual_time


class Wakes:
    """How often a timer called, and when."""

    def __init__(self, clock: AttendedClock) -> None:
        """Never yet."""
        self._clock = clock
        self.at_s: list[float] = []

    def __call__(self) -> None:
        """The timer calls."""
        self.at_s.append(self._clock.tick().attended_s)


class Watch:
    """A monotonic clock that a test moves by hand, beside the loop's own."""

    def __init__(self) -> None:
        """Start at 5 s."""
        self.now_s = 5.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


def made() -> tuple[AttendedClock, Wakes]:
    """A clock on the loop's own time."""
    clock = AttendedClock(asyncio.get_running_loop().time, lambda: 1_767_225_600.5)
    return clock, Wakes(clock)


def test_attended_time_starts_at_nought_and_wall_time_is_the_system_s():
    watch = Watch()
    clock = AttendedClock(watch, lambda: 1_767_225_600.1234)
    assert clock.tick().attended_s == 0.0
    assert clock.tick().wall_ms == 1_767_225_600_123


def test_the_steady_clock_goes_on_while_the_machine_sleeps():
    watch, steady = Watch(), Watch()
    clock = AttendedClock(watch, steady=steady)
    before = clock.tick()
    steady.now_s += 3_600.0  # `watch` stood still
    after = clock.tick()
    assert after.steady_ms - before.steady_ms == 3_600_000
    assert after.attended_s == before.attended_s


def test_the_system_s_steady_clock_goes_on_and_never_back():
    readings = [steady_s() for _ in range(100)]
    assert readings == sorted(readings)
    assert readings[0] >= time.monotonic() - 1.0


def test_attended_time_follows_a_clock_that_is_looked_at_often():
    watch = Watch()
    clock = AttendedClock(watch)
    for _ in range(40):
        watch.now_s += 0.25
        clock.tick()
    assert clock.tick().attended_s == pytest.approx(10.0)


@pytest.mark.parametrize("gap_s", [1.001, 15.0, 3_600.0, 1e9])
def test_a_gap_between_two_looks_counts_for_one_second_at_most(gap_s: float):
    watch = Watch()
    clock = AttendedClock(watch)
    watch.now_s += gap_s
    assert clock.tick().attended_s <= 1.0


def test_attended_time_never_goes_back():
    watch = Watch()
    clock = AttendedClock(watch)
    seen_s = 0.0
    for step_s in (0.0, 0.3, 5.0, 0.0, 1.0, 1.5, 86_400.0):
        watch.now_s += step_s
        now_s = clock.tick().attended_s
        assert now_s >= seen_s
        seen_s = now_s


@in_virtual_time
async def test_the_timer_calls_once_at_its_time_and_not_before():
    clock, wakes = made()
    clock.call_at(10.0, wakes)
    await asyncio.sleep(9.9)
    assert wakes.at_s == []
    await asyncio.sleep(0.4)
    assert len(wakes.at_s) == 1
    assert 10.0 <= wakes.at_s[0] <= 10.0 + TICK_S
    await asyncio.sleep(60)
    assert len(wakes.at_s) == 1


@in_virtual_time
async def test_a_timer_set_again_takes_the_place_of_the_earlier():
    clock, wakes = made()
    clock.call_at(1.0, wakes)
    clock.call_at(3.0, wakes)
    await asyncio.sleep(2)
    assert wakes.at_s == []
    await asyncio.sleep(2)
    assert len(wakes.at_s) == 1


@in_virtual_time
async def test_a_timer_set_to_nothing_never_calls():
    clock, wakes = made()
    clock.call_at(1.0, wakes)
    clock.call_at(None, wakes)
    await asyncio.sleep(60)
    assert wakes.at_s == []


@in_virtual_time
async def test_a_timer_that_is_late_already_calls_soon():
    clock, wakes = made()
    await asyncio.sleep(0.9)
    clock.tick()
    clock.call_at(0.1, wakes)
    await asyncio.sleep(0.25)
    assert len(wakes.at_s) == 1


@in_virtual_time
async def test_a_timer_that_its_own_call_sets_again_calls_again():
    clock, _ = made()
    came: list[float] = []

    def again() -> None:
        came.append(clock.tick().attended_s)
        if len(came) < 3:
            clock.call_at(came[-1] + 1.0, again)

    clock.call_at(1.0, again)
    await asyncio.sleep(10)
    assert len(came) == 3


@in_virtual_time
async def test_a_stop_of_the_process_for_an_hour_expires_nothing():
    watch = Watch()
    clock = AttendedClock(watch)
    wakes = Wakes(clock)
    clock.call_at(2.0, wakes)
    watch.now_s += 3_600.0
    await asyncio.sleep(TICK_S)
    assert wakes.at_s == []
    assert clock.tick().attended_s <= 1.0


@pytest.mark.parametrize("left_s", [0.01, 0.1, 0.25, 0.5])
@in_virtual_time
async def test_a_stop_of_the_process_does_not_expire_what_was_almost_due(left_s: float):
    # The silence until then was the process's own: what the room said meanwhile is still on its
    # way through the native threads.
    watch = Watch()
    clock = AttendedClock(watch)
    wakes = Wakes(clock)
    clock.call_at(left_s, wakes)
    watch.now_s += 3_600.0
    await turns(100)
    for _ in range(20):  # no time passes on the process's clock after the stop
        await asyncio.sleep(0.01)
    assert wakes.at_s == []


@in_virtual_time
async def test_after_a_stop_the_timer_calls_when_the_rest_of_its_time_has_passed():
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    clock, wakes = made()
    clock.call_at(3.0, wakes)
    await asyncio.sleep(1.0)
    loop.now_s += 3_600.0
    await asyncio.sleep(0.5)
    assert wakes.at_s == []
    await asyncio.sleep(3.0)
    assert len(wakes.at_s) == 1


@in_virtual_time
async def test_what_the_room_said_before_a_deadline_is_heard_before_it():
    # From the native thread: call_soon_threadsafe, the SDK's queue, its listen task, our handler.
    loop = asyncio.get_running_loop()
    clock, wakes = made()
    order: list[str] = []
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        order.append(await queue.get())

    listening = asyncio.create_task(listen())
    clock.call_at(1.0, lambda: order.append("deadline"))
    loop.call_at(loop.time() + 1.0, lambda: loop.call_soon_threadsafe(queue.put_nowait, "fact"))
    await asyncio.sleep(2.0)
    await listening
    assert order == ["fact", "deadline"]
    assert wakes.at_s == []


@in_virtual_time
async def test_what_was_queued_while_the_loop_was_blocked_is_heard_before_a_deadline():
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    clock, _ = made()
    order: list[str] = []
    clock.call_at(0.5, lambda: order.append("deadline"))
    await asyncio.sleep(0.4)
    loop.now_s += 0.9  # a handler that took its time
    for number in range(100):
        loop.call_soon_threadsafe(order.append, f"fact {number}")
    await asyncio.sleep(1.0)
    assert order[-1] == "deadline"
    assert len(order) == 101


@in_virtual_time
async def test_a_fact_that_sets_the_timer_anew_while_it_settles_is_obeyed():
    loop = asyncio.get_running_loop()
    clock, wakes = made()
    clock.call_at(1.0, wakes)
    loop.call_at(loop.time() + 1.0, lambda: loop.call_soon(clock.call_at, 5.0, wakes))
    await asyncio.sleep(3.0)
    assert wakes.at_s == []
    await asyncio.sleep(3.0)
    assert len(wakes.at_s) == 1


@in_virtual_time
async def test_a_flood_of_facts_does_not_hold_up_a_deadline_that_is_due():
    # Each fact sets the timer again, to the same time as before.
    clock, wakes = made()
    await asyncio.sleep(0.9)
    clock.tick()
    for _ in range(1_000):
        clock.call_at(0.5, wakes)
        await asyncio.sleep(0)
        if wakes.at_s:
            break
    assert wakes.at_s


# A limit


@in_virtual_time
async def test_a_block_that_ends_in_time_goes_on_and_leaves_no_timer():
    clock, _ = made()
    async with clock.within(3.0):
        await asyncio.sleep(2.9)
    await asyncio.sleep(10.0)
    assert clock.tick().attended_s <= 4.0


@pytest.mark.parametrize("limit_s", [0.0, 0.1, 3.0])
@in_virtual_time
async def test_a_block_that_takes_longer_is_cancelled_at_its_limit(limit_s: float):
    clock, _ = made()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(TimeoutError):
        async with clock.within(limit_s):
            await asyncio.sleep(60.0)
    assert loop.time() - began_s == pytest.approx(limit_s, abs=0.001)


@in_virtual_time
async def test_a_stopped_process_uses_up_no_limit():
    watch = Watch()
    clock = AttendedClock(watch)
    asleep = asyncio.Event()
    async with clock.within(3.0):
        watch.now_s += 3_600.0
        await asyncio.sleep(1.0)
        asleep.set()
    assert asleep.is_set()


@in_virtual_time
async def test_a_cancelled_block_stays_cancelled():
    clock, _ = made()

    async def limited() -> None:
        async with clock.within(3.0):
            await asyncio.sleep(60.0)

    task = asyncio.create_task(limited())
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
