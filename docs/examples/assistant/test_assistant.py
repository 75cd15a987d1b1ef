"""The assistant on the stage: it hears the voice of offline.py, and its acts are collected.

Needs the dependency group `voice`:
`uv run --group voice pytest -n0 docs/examples/assistant`.
"""

from __future__ import annotations

import random
import sys
from array import array
from pathlib import Path

from sidecar.voice.testing import Stage

sys.path.insert(0, str(Path(__file__).parent))
import offline  # noqa: E402 - beside this file, as for the program
from assistant import Assistant  # noqa: E402

WITHIN_S = 20.0
SILENCE = bytes(offline.HEARS_HZ)  # 0.5 s


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


async def test_noise_is_no_question():
    drawn = random.Random(1)  # noqa: S311 - noise
    noise = array("h", (drawn.randint(-300, 300) for _ in range(2 * offline.HEARS_HZ))).tobytes()
    async with Stage(Assistant) as stage:
        await stage.hear(noise, offline.HEARS_HZ)
        await ask(stage, "What is your name?")
        await stage.happens(lambda: stage.played_s > 0.5, WITHIN_S)
    assert [role for role, _ in said(stage)] == ["user", "assistant"]
