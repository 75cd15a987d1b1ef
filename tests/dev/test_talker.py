"""A Talker speaks and listens in a real room, and knows the times of it."""

from __future__ import annotations

import math
import wave
from array import array

from sidecar.dev.person import SAMPLE_RATE_HZ, Person
from sidecar.dev.talker import Talker, is_loud, resampled, trimmed, write_wav
from sidecar.dev.tokens import mint_token

HEARS_WITHIN_S = 10.0
ROOM = "dev-talker"


def tone(lasting_s: float, hz: int = 440, rate: int = SAMPLE_RATE_HZ) -> bytes:
    samples = range(round(lasting_s * rate))
    return array(
        "h", (round(8_000 * math.sin(2 * math.pi * hz * i / rate)) for i in samples)
    ).tobytes()


async def test_what_one_person_says_another_hears_and_a_third_is_not_listened_to(server):
    def talker(identity: str, hears: str) -> Talker:
        token = mint_token(server.api_key, server.api_secret, ROOM, identity)
        return Talker(Person(server.url, token, identity), hears)

    async with talker("anna", "ben") as anna, talker("ben", "nobody") as ben:
        begin_s, end_s = await ben.say(tone(0.5))
        first_s = await anna.first_sound(begin_s, timeout_s=HEARS_WITHIN_S)
        await anna.silence(0.5, timeout_s=HEARS_WITHIN_S)
        assert begin_s < first_s
        assert end_s - begin_s > 0.4
        assert first_s < anna.last_sound()
        assert is_loud(anna.sound_since(begin_s))
        await anna.say(tone(0.1))
        assert ben.heard == []


def test_a_sound_is_trimmed_to_its_loud_frames():
    silence = bytes(SAMPLE_RATE_HZ)
    sound = tone(0.2)
    assert trimmed(silence + sound + silence) == sound
    assert trimmed(silence) == b""
    assert not is_loud(silence)


def test_a_sound_lasts_as_long_at_another_rate():
    there = resampled(tone(1.0, rate=22_050), 22_050, SAMPLE_RATE_HZ)
    assert abs(len(there) / 2 / SAMPLE_RATE_HZ - 1.0) < 0.01


def test_a_wav_file_holds_the_sound_as_it_was(tmp_path):
    write_wav(tmp_path / "a.wav", tone(0.1))
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, SAMPLE_RATE_HZ)
        assert file.readframes(file.getnframes()) == tone(0.1)
