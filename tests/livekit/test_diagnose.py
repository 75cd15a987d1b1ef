"""`diagnose` on the real server: all well, a wrong secret, no server, and a token alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import JsonObject, RpcError, SidecarClient
from sidecar.dev.tokens import mint_token
from tests.livekit.stdio import connect_params

ALL = ["installation", "configuration", "network", "server", "clock", "credentials", "room"]


@pytest_asyncio.fixture
async def sidecar(source_command: list[str]) -> AsyncIterator[SidecarClient]:
    async with SidecarClient([*source_command, "--wait"]) as running:
        yield running
        assert await running.stop() == 0


async def _checks(sidecar: SidecarClient) -> dict[str, JsonObject]:
    found = await sidecar.call("diagnose")
    assert isinstance(found["checks"], list)
    checks = {str(each["name"]): each for each in found["checks"]}
    assert found["ok"] is all(each["ok"] for each in checks.values())
    for each in checks.values():
        assert each["detail"]
        assert ("fix" in each) is not each["ok"]
    return checks


def _bad(checks: dict[str, JsonObject]) -> list[str]:
    return [name for name, each in checks.items() if not each["ok"]]


async def test_in_a_room_all_is_well(server: DevServer, room: str, sidecar: SidecarClient) -> None:
    await sidecar.call("connect", connect_params(server, room))
    checks = await _checks(sidecar)
    assert (list(checks), _bad(checks)) == (ALL, [])


async def test_before_any_connect_the_configuration_is_what_is_missing(
    sidecar: SidecarClient,
) -> None:
    checks = await _checks(sidecar)
    assert (list(checks), _bad(checks)) == (["installation", "configuration"], ["configuration"])


async def test_a_wrong_secret_fails_the_credentials_and_is_not_repeated(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    wrong = "wrong" * 8
    with pytest.raises(RpcError):
        await sidecar.call("connect", connect_params(server, room, apiSecret=wrong))
    checks = await _checks(sidecar)
    assert (list(checks), _bad(checks)) == (ALL, ["credentials", "room"])
    assert "API key and secret" in str(checks["credentials"]["fix"])
    assert wrong not in str(checks)
    assert wrong not in "\n".join(sidecar.stderr_lines)


async def test_a_server_that_is_down_fails_the_server_and_nothing_is_said_of_more(
    server_binary: Path, room: str, sidecar: SidecarClient
) -> None:
    server = DevServer(server_binary)
    with pytest.raises(RpcError):
        await sidecar.call("connect", connect_params(server, room))
    checks = await _checks(sidecar)
    assert list(checks) == ["installation", "configuration", "network", "server", "room"]
    assert _bad(checks) == ["server", "room"]


async def test_a_token_that_has_expired_is_named_as_such(
    server: DevServer, room: str, sidecar: SidecarClient
) -> None:
    key, secret = server.api_key, server.api_secret
    expired = mint_token(key, secret, room, "clara", kind="agent", ttl_s=-3600)
    with pytest.raises(RpcError):
        await sidecar.call("connect", {"url": server.url, "token": expired})
    checks = await _checks(sidecar)
    assert _bad(checks) == ["credentials", "room"]
    assert "expired" in str(checks["credentials"]["detail"])
    fresh = mint_token(key, secret, room, "clara", kind="agent")
    await sidecar.call("connect", {"token": fresh})
    assert _bad(await _checks(sidecar)) == []
