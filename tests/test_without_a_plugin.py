"""Without a voice plug-in nothing of it runs: no import, no method, no grant."""

from __future__ import annotations

import re
import sys

import pytest

from sidecar.core.config import Settings, target
from sidecar.core.sound import Needs
from sidecar.dev.stdio_client import SidecarClient

VOICE_MODULES = re.compile(r"sidecar\.(voice|rtc\.(calls|lines|line_quality|agent_label))\b")


async def test_nothing_of_a_plug_in_is_imported():
    command = [sys.executable, "-X", "importtime", "-m", "sidecar", "--wait"]
    async with SidecarClient(command) as sidecar:
        await sidecar.call("initialize", {"protocolVersion": 1, "voice": {"key": "unused"}})
        names = {each["name"] for each in (await sidecar.call("rpc.discover"))["methods"]}
        assert not [name for name in names if "." in name and not name.startswith("rpc.")]
        assert await sidecar.stop() == 0
    imported = "\n".join(sidecar.stderr_lines)
    assert "sidecar.agent.agent" in imported
    assert not VOICE_MODULES.search(imported)


def test_the_agent_s_grants_are_the_needs_and_nothing_wider():
    settings = Settings(url="ws://h", api_key="k", api_secret="s", room="r")
    assert target(settings).grants is Needs.NOTHING
    assert target(settings, needs=Needs.SPEAK).grants is Needs.SPEAK
    heard = Settings(url="ws://h", api_key="k", api_secret="s", room="r", auto_subscribe=True)
    assert target(heard, needs=Needs.TEXT).grants == Needs.TEXT | Needs.HEAR


def test_a_plug_in_that_cannot_be_used_is_refused_with_its_cause():
    from sidecar import main

    with pytest.raises(TypeError, match="derived from sidecar.voice.Voice"):
        main(["--wait"], voice=int)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("named", "words"),
    [("no_such_module:Echo", "no_such_module"), ("json:Echo", "Echo"), ("json", "module:Class")],
)
async def test_a_wrong_name_ends_the_program_with_status_2(named: str, words: str):
    async with SidecarClient([sys.executable, "-m", "sidecar", "--voice", named]) as sidecar:
        assert await sidecar.wait(timeout_s=20) == 2
    assert words in "\n".join(sidecar.stderr_lines)
