"""The story of `demo --voice`, told with a program that tells the app no words."""

from __future__ import annotations

import re
import sys
import wave
from pathlib import Path
from types import ModuleType

from sidecar.core.config import Settings
from sidecar.dev.person import SAMPLE_RATE_HZ
from sidecar.dev.stdio_client import SidecarClient
from sidecar.dev.voice_demo import Story
from tests.dev.test_talker import tone

README = Path(__file__).resolve().parents[2] / "README.md"


async def test_the_echo_of_the_readme_is_heard_and_no_word_is_checked(server, tmp_path, capsys):
    """Speech is a tone here: no model is needed."""
    program, wav = tmp_path / "echo.py", tmp_path / "answer.wav"
    samples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    program.write_text(next(each for each in samples if "class Echo" in each))
    offline = ModuleType("offline")
    offline.speak = lambda sentence: (tone(0.5), SAMPLE_RATE_HZ)
    place = Settings(server.url, server.api_key, server.api_secret, room="voice-demo")
    story = Story(place, offline)
    command = [sys.executable, str(program), "--wait"]
    async with SidecarClient(command, trace=story.trace) as sidecar:
        await story.tell(sidecar, wav)
    shown = capsys.readouterr().out
    assert "anna hears" in shown
    assert "tells the app no words" in shown
    with wave.open(str(wav)) as file:
        assert file.getnframes() > 0
