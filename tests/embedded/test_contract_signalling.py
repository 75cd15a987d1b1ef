"""The signalling itself, message by message, on the double and on the real server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import aiohttp
from livekit.protocol.models import ClientInfo, DisconnectReason, ParticipantInfo
from livekit.protocol.rtc import JoinRequest, LeaveRequest, Ping, SignalRequest, SignalResponse

from sidecar.dev.person import Person
from sidecar.dev.tokens import mint_token
from tests.embedded.conftest import AnyServer
from tests.embedded.join_requests import wrapped
from tests.embedded.witness import Witness

WITHIN_S = 10.0


class Signalling:
    """One WebSocket of a client that never gets to a peer connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Speak over *socket*."""
        self.socket = socket

    async def next(self, what: str) -> SignalResponse:
        """Give the next message of this kind, passing over others."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                response = SignalResponse.FromString(await self.socket.receive_bytes())
                if response.WhichOneof("message") == what:
                    return response

    async def send(self, request: SignalRequest) -> None:
        """Send one message."""
        await self.socket.send_bytes(request.SerializeToString())


@contextlib.asynccontextmanager
async def signalling(server: AnyServer, token: str, **wanted: object) -> AsyncIterator[Signalling]:
    """Connect as the SDKs do; *wanted* are members of the JoinRequest."""
    joining = JoinRequest(client_info=ClientInfo(protocol=16), **wanted)
    url = f"{server.url}/rtc/v1?join_request={wrapped(joining.SerializeToString())}"
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(url, headers={"Authorization": f"Bearer {token}"}) as socket:
            yield Signalling(socket)


def _token(server: AnyServer, room: str, identity: str) -> str:
    return mint_token(server.api_key, server.api_secret, room, identity, name="Bob")


async def test_the_first_message_is_the_join_and_says_who_is_there(
    any_server: AnyServer, people: Callable[..., Person], room: str
) -> None:
    carol = people(any_server, "carol")
    await carol.join()
    async with signalling(any_server, _token(any_server, room, "bob")) as bob:
        first = SignalResponse.FromString(await bob.socket.receive_bytes())
        assert first.WhichOneof("message") == "join"
        join = first.join
        assert (join.room.name, join.room.sid[:3]) == (room, "RM_")
        assert join.participant.identity == "bob"
        assert join.participant.name == "Bob"
        assert join.participant.sid.startswith("PA_")
        assert join.participant.state == ParticipantInfo.State.JOINING
        assert join.participant.joined_at_ms // 1000 == join.participant.joined_at
        assert [each.sid for each in join.other_participants] == [carol.sid]
        assert not join.subscriber_primary
        assert (join.ping_interval, join.ping_timeout) == (5, 15)
        assert join.server_version == join.server_info.version == "1.13.5"


async def test_a_ping_is_answered_and_a_token_for_the_next_connect_is_sent(
    any_server: AnyServer, room: str
) -> None:
    async with signalling(any_server, _token(any_server, room, "bob")) as bob:
        await bob.send(SignalRequest(ping_req=Ping(timestamp=42)))
        assert (await bob.next("pong_resp")).pong_resp.last_ping_timestamp == 42
    async with signalling(any_server, _token(any_server, room, "bob")) as bob:
        refreshed = (await bob.next("refresh_token")).refresh_token
    async with signalling(any_server, refreshed) as bob:
        assert (await bob.next("join")).join.participant.identity == "bob"


async def test_who_resumes_and_is_not_there_is_told_to_reconnect_in_full(
    any_server: AnyServer, room: str
) -> None:
    token = _token(any_server, room, "bob")
    async with signalling(any_server, token, reconnect=True, participant_sid="PA_gone") as bob:
        leave = (await bob.next("leave")).leave
        assert leave.reason == DisconnectReason.STATE_MISMATCH
        assert leave.action == LeaveRequest.Action.RECONNECT


async def test_one_who_never_gets_connected_is_joined_and_gone_with_its_signalling(
    any_server: AnyServer, people: Callable[..., Person], room: str
) -> None:
    watching = people(any_server, "watcher")
    watcher = Witness(watching.room)
    await watching.join()
    async with signalling(any_server, _token(any_server, room, "bob")) as bob:
        sid = (await bob.next("join")).join.participant.sid
        await watcher.sees("participant_connected", sid)
    left = await watcher.sees("participant_disconnected", sid)
    assert left.detail == "SIGNAL_CLOSE"
    assert watcher.of(sid) == ["participant_connected", "participant_disconnected"]


async def test_a_leave_is_answered_with_a_leave_and_the_end_of_the_connection(
    any_server: AnyServer, room: str
) -> None:
    async with signalling(any_server, _token(any_server, room, "bob")) as bob:
        await bob.next("join")
        leave = LeaveRequest(reason=DisconnectReason.CLIENT_INITIATED)
        await bob.send(SignalRequest(leave=leave))
        answer = (await bob.next("leave")).leave
        assert answer.reason == DisconnectReason.CLIENT_INITIATED
        assert answer.action == LeaveRequest.Action.DISCONNECT
        async with asyncio.timeout(WITHIN_S):
            while not bob.socket.closed:
                await bob.socket.receive()


async def test_what_is_no_message_is_passed_over(any_server: AnyServer, room: str) -> None:
    async with signalling(any_server, _token(any_server, room, "bob")) as bob:
        await bob.next("join")
        await bob.send(SignalRequest())
        await bob.send(SignalRequest(ping_req=Ping(timestamp=1)))
        assert (await bob.next("pong_resp")).pong_resp.last_ping_timestamp == 1
