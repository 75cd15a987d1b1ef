"""A LiveKit server that only a proxy can reach: signalling and the server's API both go through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import RpcError
from tests.livekit.conftest import Arrive
from tests.livekit.http_proxy import HttpProxy
from tests.livekit.stdio import connect_params, session_of
from tests.started import client

pytestmark = pytest.mark.full

HOST = "livekit.test"
"""No name server knows it (RFC 6761, 6.2); the proxy takes it for this machine."""


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[HttpProxy]:
    async with HttpProxy("clara:a-password") as running:
        yield running


def address(server: DevServer) -> str:
    """The server's host and port as somebody beyond the proxy knows it."""
    return f"{HOST}:{urlsplit(server.url).port}"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
async def test_a_server_behind_a_proxy_is_joined_and_asked_through_it(
    server: DevServer,
    room: str,
    person: Arrive,
    proxy: HttpProxy,
    source_command: list[str],
    variable: str,
) -> None:
    behind = address(server)
    command = [*source_command, "--wait", "--log-level", "debug"]
    async with client(command, {variable: proxy.url}) as sidecar:
        status = await sidecar.call("connect", connect_params(server, room, url=f"ws://{behind}"))
        assert status["state"] == "connected"
        assert f"CONNECT {behind} HTTP/1.1" in proxy.asked

        bob = person("bob")
        await bob.join()
        created = await sidecar.notified(
            "session-created", lambda params: session_of(params)["participantId"] == "bob"
        )
        session_id = session_of(created.params)["sessionId"]
        closed = await sidecar.call("closeSession", {"sessionId": session_id})
        assert closed["connectionState"] == "closed"
        async with asyncio.timeout(5):
            await bob.gone.wait()
        assert bob.disconnect_reason == "PARTICIPANT_REMOVED"
        calls = {line.split()[1].rpartition("/")[2] for line in proxy.asked if "twirp" in line}
        assert {"ListParticipants", "RemoveParticipant"} <= calls
        assert all(behind in line for line in proxy.asked)
        assert await sidecar.stop() == 0
    assert "a-password" not in "".join(sidecar.stderr_lines)


async def test_a_server_on_this_machine_is_never_looked_for_at_the_proxy(
    server: DevServer, room: str, proxy: HttpProxy, source_command: list[str]
) -> None:
    async with client([*source_command, "--wait"], {"HTTP_PROXY": proxy.url}) as sidecar:
        await sidecar.call("connect", connect_params(server, room))
        await sidecar.request("wake", {"reason": "network-online"})
        assert await sidecar.stop() == 0
    assert proxy.asked == []


async def test_a_proxy_that_wants_another_password_is_a_failure_at_the_proxy(
    server: DevServer, room: str, proxy: HttpProxy, source_command: list[str]
) -> None:
    bare = proxy.url.replace("clara:a-password@", "")
    async with client([*source_command, "--wait"], {"HTTP_PROXY": bare}) as sidecar:
        with pytest.raises(RpcError) as caught:
            await sidecar.call(
                "connect", connect_params(server, room, url=f"ws://{address(server)}")
            )
        assert isinstance(caught.value.data, dict)
        assert caught.value.data["category"] == "proxy"
        assert await sidecar.stop() == 0


async def test_the_client_s_word_leads_to_a_server_behind_a_proxy_that_the_environment_lacks(
    server: DevServer, room: str, person: Arrive, proxy: HttpProxy, source_command: list[str]
) -> None:
    behind = address(server)
    async with client([*source_command, "--wait"]) as sidecar:
        sidecar.answers["resolveProxy"] = lambda _: proxy.url
        capabilities = {"resolveProxy": True}
        hello = {"name": "test", "version": "1", "capabilities": capabilities}
        await sidecar.call("initialize", {"protocolVersion": 1, "client": hello})
        await sidecar.call("connect", connect_params(server, room, url=f"ws://{behind}"))
        assert sidecar.asked[0] == ("resolveProxy", {"url": f"http://{behind}"})
        assert f"CONNECT {behind} HTTP/1.1" in proxy.asked

        bob = person("bob")
        await bob.join()
        created = await sidecar.notified("session-created")
        session_id = session_of(created.params)["sessionId"]
        await sidecar.call("closeSession", {"sessionId": session_id})
        assert any("RemoveParticipant" in line for line in proxy.asked)
        assert await sidecar.stop() == 0
    assert "a-password" not in "".join(sidecar.stderr_lines)
