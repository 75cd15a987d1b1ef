"""Emoji, on the wire and on stderr, whatever the locale and Python's own variables say."""

from __future__ import annotations

import json

import pytest

from sidecar.dev.child import environment_without_livekit
from sidecar.dev.stdio_client import RpcError, SidecarClient
from tests.started import refusing_url

LOCALES = {
    "LC_ALL=C": {"LC_ALL": "C"},
    "POSIX, no coercion": {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "latin-1 by variable": {"PYTHONIOENCODING": "latin-1"},
    "ascii, strict": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
    "a Latin-1 locale": {"LC_ALL": "de_DE.ISO-8859-1", "LANG": "de_DE.ISO-8859-1"},
}
CRITICAL = (
    "Critical: ClaraVoiceAgent failed to connect to the LiveKit server."
    " Voice features will be unavailable."
)


@pytest.mark.parametrize("locale", LOCALES.values(), ids=LOCALES.keys())
@pytest.mark.parametrize("form", ["text", "json"])
async def test_log_lines_are_whole_lines_of_utf_8_and_so_are_frames(sidecar_command, locale, form):
    """The customer's critical line word for word; its cause, with an emoji, beside it."""
    url = f"{refusing_url()}/🎤-ä"
    env = environment_without_livekit(locale)
    if "LC_ALL" not in locale:
        env.pop("LC_ALL", None)
    params = {"url": url, "apiKey": "key", "apiSecret": "s" * 32, "room": "🎤"}
    command = [*sidecar_command, "--wait", f"--log-format={form}"]
    async with SidecarClient(command, env=env) as sidecar:
        with pytest.raises(RpcError) as failure:
            await sidecar.call("connect", params)
        assert (await sidecar.call("getStatus"))["room"] == "🎤"
        await sidecar.logged(url)
        lines = list(sidecar.stderr_lines)
    assert failure.value.code == 1002
    assert url in failure.value.message
    if form == "json":
        (record,) = (each for each in map(json.loads, lines) if each["message"] == CRITICAL)
        cause = record["cause"]
    else:
        cause = lines[lines.index(CRITICAL) + 1]
    assert cause.startswith("unreachable: ")
    assert url in cause


@pytest.mark.parametrize("locale", ["LC_ALL=C", "latin-1 by variable", "a Latin-1 locale"])
async def test_an_emoji_on_the_command_line_arrives_whole(sidecar_command, locale):
    url = refusing_url()
    variables = {"LIVEKIT_URL": url, "LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "s" * 32}
    env = environment_without_livekit({**LOCALES[locale], **variables})
    async with SidecarClient(
        [*sidecar_command, "--room=🎤 ä", "--identity=ä🧹"], env=env
    ) as sidecar:
        await sidecar.notified("agent-state-changed")
        status = await sidecar.call("getStatus")
    assert (status["room"], status["identity"]) == ("🎤 ä", "ä🧹")
