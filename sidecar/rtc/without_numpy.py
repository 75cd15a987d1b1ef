"""Owns that `import livekit.rtc` works without numpy, and does not import it.

numpy takes 41 MB on the disk, 16 MB of memory, and time of the first join. `livekit.rtc` needs it
only for AudioMixer, and imports AudioMixer at once. So this module replaces the submodule of
AudioMixer. It does not replace numpy: orjson's numpy option would fail on a false numpy.

Import it before `livekit.rtc`. The composition root does so, unless a voice plug-in may need
AudioMixer. build.spec runs it as PyInstaller's runtime hook, before every frozen program.
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
sys.modules.setdefault("livekit.rtc.audio_mixer", _mixer)
# It imports numpy, too. `livekit.rtc` goes on without it.
sys.modules.setdefault("livekit.rtc.media_devices", None)  # type: ignore[arg-type]  # see importlib
