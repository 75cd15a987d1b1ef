"""The fuzzer's own laws: a few cases of each part, and that a broken law would be seen.

More cases, and the coverage-guided part: `python -m tests.fuzz --seconds 600 --seed 7`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import process, room, wire
from tests.fuzz.answers import answer_to
from tests.fuzz.bridge import Bridge
from tests.fuzz.chance import FromBytes
from tests.fuzz.lines import Lines
from tests.fuzz.wire import Failed, compare

few = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.large_base_example,
        HealthCheck.data_too_large,
    ],
)
CHANCE = st.randoms(use_true_random=False)
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
PONG = b'{"jsonrpc":"2.0","result":"pong","id":1}'


@pytest.fixture(scope="module")
def bridge(node: Path) -> Iterator[Bridge]:
    with Bridge(node) as started:
        yield started


@few
@given(CHANCE)
def test_each_request_of_a_stream_is_answered_once(chance):
    asyncio.run(wire.play(chance, lines=10))


@few
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_are_lines_and_each_line_has_its_answer(chunks):
    asyncio.run(wire.feed(chunks))


@few
@given(CHANCE)
def test_whatever_the_sdk_tells_each_stay_has_one_beginning_and_one_end(chance):
    room.play(chance)


@few
@given(CHANCE)
def test_the_bridge_settles_each_request_once_whatever_is_written(bridge, chance):
    bridge.play(chance)


def test_a_sidecar_answers_each_line_of_a_thousand_once():
    assert process.run("law", 1_000, float("inf")) == 1_000


@pytest.mark.parametrize(
    "answers", [[], [PONG, PONG], [PONG.replace(b"1}", b"2}")], [b"{}"], [b"[]"], [PONG + b"\n"]]
)
def test_a_lost_a_second_a_mixed_up_and_a_bad_answer_are_seen(answers):
    compare(PING, [PONG], 100, has_ended=True)
    with pytest.raises(Failed):
        compare(PING, answers, 100, has_ended=True)


def test_the_generator_makes_lines_of_each_kind():
    """A generator that makes parse errors alone would find nothing."""
    lines = Lines(random.Random(1))  # noqa: S311 - a fuzzer repeats
    answers = [answer_to(line) for _ in range(2_000) if len(line := lines.line()) < 2_000]
    kinds = {None if each is None else (each[0], each[1] == "null") for each in answers}
    assert kinds == {None, ("one", False), ("one", True), ("batch", False), ("batch", True)}


def test_the_bytes_of_the_guided_fuzzer_decide_what_is_made():
    one, other = (Lines(FromBytes(bytes([each]) * 500)).stream(5) for each in (1, 9))
    assert one != other
    assert one == Lines(FromBytes(b"\x01" * 500)).stream(5)
