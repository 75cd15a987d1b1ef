"""Plug-ins on the stage: a session's laws without a server."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import pytest

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import Message, Role
from sidecar.core.contract.wire import IsoTime
from sidecar.voice import Frame, Needs, Session, Voice, method
from sidecar.voice.plugin import check_plugin
from sidecar.voice.testing import Stage

TONE = Frame(b"\x10\x20" * 1600, 16_000)


class Echo(Voice):
    name = "echo"
    needs = Needs.HEAR | Needs.SPEAK | Needs.TEXT

    def __init__(self) -> None:
        self.heard = 0

    async def run(self, session: Session) -> None:
        async for frame in session.microphone(rate=16_000, frame_ms=20):
            self.heard += 1
            await session.play(frame)
            session.emit("heard", {"samples": frame.samples})

    @method
    def history(self, after: int = 0, words: list[str] | None = None) -> dict[str, object]:
        """What was heard."""
        return {"heard": self.heard, "after": after, "words": words}


class Quiet(Voice):
    """Waits; the test uses its session."""

    needs = Needs.HEAR | Needs.SPEAK | Needs.TEXT

    async def run(self, session: Session) -> None:
        await asyncio.Event().wait()


class Deaf(Quiet):
    needs = Needs.NOTHING


async def test_an_echo_plays_what_it_hears():
    async with Stage(Echo) as stage:
        await stage.hear(TONE)
        await stage.happens(lambda: len(stage.events) == 5)
    assert b"".join(each.data for each in stage.played) == TONE.data
    assert stage.played_s == pytest.approx(0.1)
    assert stage.events == [("heard", {"samples": 320})] * 5


async def test_a_wav_file_of_another_rate_is_heard_at_the_microphone_s_rate(tmp_path: Path):
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(b"\x00\x10\x00\x00" * 800)
    async with Stage(Echo) as stage:
        await stage.hear(path)
        await stage.happens(lambda: len(stage.played) == 5)
    assert set(memoryview(stage.played[0].data).cast("h")) == {4096}
    stage.write_wav(tmp_path / "answer.wav")
    with wave.open(str(tmp_path / "answer.wav"), "rb") as answer:
        assert (answer.getframerate(), answer.getnframes()) == (48_000, 4_800)


async def test_methods_are_called_and_checked_as_the_app_calls_them():
    async with Stage(Echo) as stage:
        assert await stage.call("history") == {"heard": 0, "after": 0, "words": None}
        assert (await stage.call("history", after=3, words=["a"]))["words"] == ["a"]
        for wrong in ({"after": "3"}, {"after": True}, {"words": 3}, {"before": 1}):
            with pytest.raises(InvalidParams):
                await stage.call("history", **wrong)


async def test_the_conversation_has_numbers_that_go_on_from_before_a_crash():
    earlier = [Message(7, Role.USER, "before", IsoTime("2026-01-01T00:00:00.000Z"))]
    async with Stage(Quiet, earlier=earlier) as stage:
        await stage.session.transcript("user", "hel", final=False)
        await stage.session.transcript("user", "hello")
        await stage.session.transcript("assistant", "hi")
    kept = [(each.number, each.role, each.content) for each in stage.session.conversation]
    assert kept == [(7, "user", "before"), (8, "user", "hello"), (9, "assistant", "hi")]
    assert [name for name, _ in stage.events] == ["transcript"] * 3
    contents = [content for _, content in stage.events]
    assert [each["final"] for each in contents] == [False, True, True]
    assert contents[0]["segment"] == contents[1]["segment"] != contents[2]["segment"]
    assert [each.get("number") for each in contents] == [None, 8, 9]


async def test_what_json_cannot_say_or_is_too_long_is_refused_and_changes_nothing():
    async with Stage(Quiet) as stage:
        for content in (float("nan"), {1, 2}, object(), "x" * 65_536, "\ud800"):
            with pytest.raises(ValueError, match="JSON|bytes"):
                stage.session.emit("event", content)
        with pytest.raises(ValueError, match="8192"):
            stage.session.set_context("x" * 8_192)
        with pytest.raises(ValueError, match="name"):
            stage.session.emit("", 1)
        stage.session.set_context({"mood": "fine"})
    assert stage.events == []
    assert stage.context == {"mood": "fine"}


async def test_what_a_plug_in_does_not_need_is_refused_by_name():
    async with Stage(Deaf) as stage:
        with pytest.raises(PermissionError, match=r"Needs\.HEAR"):
            stage.session.microphone()
        with pytest.raises(PermissionError, match=r"Needs\.SPEAK"):
            await stage.session.play(TONE)
        with pytest.raises(PermissionError, match=r"Needs\.TEXT"):
            await stage.session.send_text("hello")
        await stage.session.transcript("user", "kept all the same")
    assert len(stage.session.conversation) == 1


@pytest.mark.parametrize(
    ("sound", "rate"), [(b"\0", 16_000), (b"\0\0", None), (b"\0\0", 4_000), (b"\0\0", 96_000)]
)
async def test_a_wrong_sound_is_refused(sound: bytes, rate: int | None):
    async with Stage(Quiet) as stage:
        with pytest.raises(ValueError, match=r"rate|sample"):
            await stage.session.play(sound, rate)
    assert stage.played == []


@pytest.mark.parametrize(
    ("rate", "frame_ms"), [(4_000, 20), (16_000, 15), (16_000, 0), (16_000, 2_000)]
)
async def test_a_wrong_microphone_is_refused(rate: int, frame_ms: int):
    async with Stage(Quiet) as stage:
        with pytest.raises(ValueError, match=r"rate|frame_ms"):
            stage.session.microphone(rate, frame_ms)


async def test_what_run_raises_is_the_event_failed():
    class Failing(Voice):
        async def run(self, session: Session) -> None:
            raise KeyError("key")

    async with Stage(Failing) as stage:
        await stage.happens(lambda: bool(stage.events))
    assert stage.events == [("failed", {"error": "KeyError: 'key'"})]


def _plugin(**members: object) -> type:
    async def run(self: Voice, session: Session) -> None: ...

    return type("Named", (Voice,), {"run": run, **members})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Voice, "run"),
        (object, "derived"),
        ("Echo", "derived"),
        (_plugin(name="a.b"), "name"),
        (_plugin(name=""), "begin with a letter"),
        (_plugin(needs="hear"), "Needs"),
        (_plugin(hear=method(lambda self, *words: None)), "by name"),
        (_plugin(hear=method(lambda self, sessionId: None)), "sessionId"),
    ],
)
def test_a_wrong_plug_in_is_refused_with_its_cause(wrong: object, words: str):
    with pytest.raises(TypeError, match=words):
        check_plugin(wrong)
