"""PyInstaller's runtime hook: makes `import livekit.rtc` work without numpy.

build.spec names this file; only the frozen build runs it, before the program. Nothing imports it.
numpy takes 41 MB. `livekit.rtc` needs it only for AudioMixer, but imports AudioMixer at once. So
the hook replaces the submodule of AudioMixer. It does not replace numpy: orjson's numpy option
would fail on a false numpy.
"""

from __future__ import annotations

import sys
import types


class AudioMixer:
    """Replaces livekit.rtc.AudioMixer. Do not create it: `__init__` always raises."""

    def __init__(self, *arguments: object, **options: object) -> None:
        """Raise ImportError; its message names numpy and the fix."""
        raise ImportError(
            "livekit.rtc.AudioMixer needs numpy, which the frozen sidecar leaves out. "
            "Fix: take numpy and livekit.rtc.audio_mixer out of `excludes` in build.spec, and "
            "the runtime hook with them."
        )


_mixer = types.ModuleType("livekit.rtc.audio_mixer")
_mixer.__dict__["AudioMixer"] = AudioMixer
sys.modules["livekit.rtc.audio_mixer"] = _mixer
