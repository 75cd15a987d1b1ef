"""The limits that the sidecar names are the server's own, in the server's own unit."""

from __future__ import annotations

import pytest

from sidecar.core.config import MAX_NAME_BYTES, Settings, target
from sidecar.core.contract.errors import InvalidParams
from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from sidecar.rtc.server_probe import http_url, look

LONGEST = "ä" * (MAX_NAME_BYTES // 2)
TOO_LONG = LONGEST + "a"
"""One byte of UTF-8 over the limit, in about half as many characters."""


@pytest.mark.parametrize("limited", ["room", "identity"])
async def test_the_longest_room_and_identity_of_ours_are_the_server_s_longest_in_bytes(
    server: DevServer, room: str, limited: str
) -> None:
    async def answer(text: str) -> tuple[int | None, str]:
        names = {"room": room, "identity": "clara", limited: text}
        token = mint_token(server.api_key, server.api_secret, **names)
        probe = await look(http_url(server.url), token, None)
        settings = Settings(url=server.url, api_key="key", api_secret="secret", **names)
        try:
            target(settings)
        except InvalidParams as refusal:
            return probe.token_status, refusal.message
        return probe.token_status, ""

    assert await answer(LONGEST) == (200, "")
    status, message = await answer(TOO_LONG)
    assert status == 400
    assert f"longer than {MAX_NAME_BYTES} bytes of UTF-8" in message
