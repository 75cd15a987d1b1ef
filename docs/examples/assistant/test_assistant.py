"""The assistant on the stage: it hears the voice of offline.py, and its acts are collected.

Needs the dependency group `voice`:
`uv run --group voice pytest -n0 docs/examples/assistant`.
"""

from __future__ import annotations

import random
import re
import sys
import time
from array import array
from pathlib import Path

import pytest

from sidecar.voice.testing import Stage

sys.path.insert(0, str(Path(__file__).parent))
import offline  # noqa: E402 - beside this file, as for the program
from assistant import Assistant  # noqa: E402

WITHIN_S = 90.0  # a busy machine took 30 s for its first answer
SILENCE = bytes(offline.HEARS_HZ)  # 0.5 s
SENTENCES = (
    "What time is it?",
    "What is your name?",
    "How many questions did I ask so far?",
    "Please tell me about the weather tomorrow.",
    "Turn on the light in the kitchen.",
)


def words(text: str) -> list[str]:
    """The words of *text*, without case and punctuation."""
    return re.findall(r"[\w']+", text.lower())


def said(stage: Stage) -> list[tuple[str, str]]:
    """Role and text of the final words so far."""
    return [
        (content["role"], content["text"])
        for name, content in stage.events
        if name == "transcript" and content["final"]
    ]


async def ask(stage: Stage, sentence: str) -> None:
    """Say *sentence*, then nothing for half a second."""
    await stage.hear(*offline.speak(sentence))
    await stage.hear(SILENCE, offline.HEARS_HZ)


async def test_a_question_is_understood_and_answered_in_words_and_by_voice():
    async with Stage(Assistant) as stage:
        await ask(stage, "What is your name?")
        await stage.happens(lambda: stage.played_s > 0.5, WITHIN_S)
    assert said(stage) == [("user", "What is your name?"), ("assistant", "My name is Clara.")]


async def test_speech_over_an_answer_stops_it_within_300_ms_of_sound():
    async with Stage(Assistant) as stage:
        await ask(stage, "What is your name?")
        await stage.happens(lambda: stage.played_s > 0.5, WITHIN_S)
        before = stage.interruptions
        sound, rate = offline.speak("Stop, please.")
        await stage.hear(sound[: rate * 2 * 300 // 1000], rate)
        await stage.happens(lambda: stage.interruptions == before + 1, WITHIN_S)


async def test_words_after_a_pause_belong_to_the_question_until_it_is_answered():
    async with Stage(Assistant) as stage:
        await ask(stage, "Please tell me,")
        await ask(stage, "what is your name?")
        await stage.happens(lambda: stage.played_s > 0.5, WITHIN_S)
    (_, question), answer = said(stage)
    assert "tell me" in question
    assert answer == ("assistant", "My name is Clara.")


async def test_four_of_five_sentences_are_understood_word_for_word(
    capsys: pytest.CaptureFixture[str],
):
    right, took_s = 0, []
    for sentence in SENTENCES:
        async with Stage(Assistant) as stage:
            await ask(stage, sentence)
            asked_s = time.monotonic()
            await stage.happens(lambda stage=stage: stage.played_s > 0, WITHIN_S)
            took_s.append(time.monotonic() - asked_s)
        question = said(stage)[0][1]
        right += words(question) == words(sentence)
    times = ", ".join(f"{each:.2f}" for each in sorted(took_s))
    with capsys.disabled():
        sys.stdout.write(
            f"\n{right} of {len(SENTENCES)} sentences word for word. From a pause of 0.5 s to the"
            f" answer's first sound: {times} s.\n"
        )
    assert right >= 4


async def test_noise_is_no_question():
    drawn = random.Random(1)  # noqa: S311 - noise
    noise = array("h", (drawn.randint(-300, 300) for _ in range(2 * offline.HEARS_HZ))).tobytes()
    async with Stage(Assistant) as stage:
        await stage.hear(noise, offline.HEARS_HZ)
        await ask(stage, "What is your name?")
        await stage.happens(lambda: stage.played_s > 0.5, WITHIN_S)
    assert [role for role, _ in said(stage)] == ["user", "assistant"]
