"""PyInstaller's runtime hook: lets `livekit.rtc` be imported where numpy was left out.

Runs before the program, in the frozen build alone (named in build.spec); nothing imports it.
numpy is 41 MB, and `livekit.rtc` needs it only for AudioMixer, which it imports at once. So that
one submodule is replaced, never numpy itself: orjson's numpy option would break on a false one.
"""

from __future__ import annotations

import sys
import types


class AudioMixer:
    """Stands where livekit.rtc.AudioMixer would be; cannot be made."""

    def __init__(self, *arguments: object, **options: object) -> None:
        """Raise ImportError, which names what is missing."""
        raise ImportError(
            "livekit.rtc.AudioMixer needs numpy, which the frozen sidecar leaves out. "
            "Fix: take numpy and livekit.rtc.audio_mixer out of `excludes` in build.spec, and "
            "the runtime hook with them."
        )


_mixer = types.ModuleType("livekit.rtc.audio_mixer")
_mixer.__dict__["AudioMixer"] = AudioMixer
sys.modules["livekit.rtc.audio_mixer"] = _mixer
