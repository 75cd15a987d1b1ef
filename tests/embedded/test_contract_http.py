"""What a plain HTTP client is answered: status and text, the same by the double and the server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp
import jwt
import pytest
import pytest_asyncio
from livekit import api
from livekit.protocol.room import ListParticipantsRequest, RoomParticipantIdentity
from livekit.protocol.rtc import JoinRequest

from sidecar.dev.person import Person
from sidecar.dev.tokens import mint_token
from sidecar.rtc.livekit_api import LiveKitServerApi
from sidecar.rtc.proxies import Proxies
from tests.embedded.conftest import AnyServer, target_at
from tests.embedded.join_requests import wrapped

ROOM = "the-room"
Sign = Callable[[AnyServer], str]


def _token(server: AnyServer, **claims: object) -> str:
    """A token of any claims; those of a plain join by default."""
    now_s = int(time.time())
    usual = {
        "iss": server.api_key,
        "sub": "bob",
        "nbf": now_s - 5,
        "exp": now_s + 600,
        "video": {"roomJoin": True, "room": ROOM},
    }
    merged = {name: value for name, value in (usual | claims).items() if value is not None}
    return jwt.encode(merged, server.api_secret, algorithm="HS256")


def _of(**claims: object) -> Sign:
    return lambda server: _token(server, **claims)


def _of_another_secret(server: AnyServer) -> str:
    return mint_token(server.api_key, "x" * 40, ROOM, "bob")


def _expired(server: AnyServer) -> str:
    return _token(server, exp=int(time.time()) - 61)


def _early(server: AnyServer) -> str:
    return _token(server, nbf=int(time.time()) + 90)


TOO_LONG = "n" * 257
NO_ACCESS = "no permissions to access the room"
INVALID = "invalid token: {token}, error: token"
REFUSALS: Mapping[str, tuple[Sign, int, str]] = {
    "garbage": (lambda server: "garbage", 401, "invalid authorization token"),
    "another key": (_of(iss="another"), 401, "invalid API key: another"),
    "no key": (_of(iss=None), 401, "invalid API key: "),
    "another secret": (
        _of_another_secret,
        401,
        INVALID + " signature is invalid: signature is invalid",
    ),
    "expired": (_expired, 401, INVALID + " has invalid claims: token is expired"),
    "early": (_early, 401, INVALID + " has invalid claims: token is not valid yet"),
    "no video claim": (_of(video=None), 401, NO_ACCESS),
    "no roomJoin": (_of(video={"room": ROOM}), 401, "permissions denied"),
    "no identity": (_of(sub=None), 400, "identity cannot be empty"),
    "long identity": (
        _of(sub=TOO_LONG),
        400,
        "participant identity length exceeds limits: max length 256",
    ),
    "no room": (_of(video={"roomJoin": True}), 400, "no room name"),
    "long room": (
        _of(video={"roomJoin": True, "room": TOO_LONG}),
        400,
        "room name length exceeds limits: max length 256",
    ),
}


@pytest_asyncio.fixture
async def http(any_server: AnyServer) -> AsyncIterator[aiohttp.ClientSession]:
    url = any_server.url.replace("ws", "http", 1)
    async with aiohttp.ClientSession(url) as session:
        yield session


async def _get(http: aiohttp.ClientSession, path: str, token: str | None) -> tuple[int, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with http.get(path, headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_token_that_does_not_let_in_is_refused_with_the_servers_words(
    any_server: AnyServer, http: aiohttp.ClientSession, name: str
) -> None:
    sign, status, text = REFUSALS[name]
    token = sign(any_server)
    expected = (status, text.format(token=token))
    assert await _get(http, "/rtc/validate", token) == expected
    wanted = wrapped(JoinRequest(participant_sid="PA_any").SerializeToString())
    assert await _get(http, f"/rtc/v1/validate?join_request={wanted}", token) == expected


async def test_a_token_that_lets_in_is_told_so(
    any_server: AnyServer, http: aiohttp.ClientSession
) -> None:
    token = _token(any_server)
    assert await _get(http, "/rtc/validate", token) == (200, "success")
    assert await _get(http, f"/rtc/validate?access_token={token}", None) == (200, "success")
    within_the_leeway = _token(any_server, exp=int(time.time()) - 30, nbf=int(time.time()) + 30)
    assert await _get(http, "/rtc/validate", within_the_leeway) == (200, "success")


async def test_what_is_no_request_to_join_is_answered_like_this(
    any_server: AnyServer, http: aiohttp.ClientSession
) -> None:
    token = _token(any_server)
    assert await _get(http, "/", None) == (200, "OK")
    assert await _get(http, "/rtc/validate", None) == (401, NO_ACCESS)
    assert await _get(http, "/rtc/v1", token) == (404, "")
    assert await _get(http, "/nowhere/rtc/v1", token) == (404, "404 page not found\n")
    assert await _get(http, "/nowhere", "garbage") == (401, "invalid authorization token")
    required = (400, "join_request is required")
    assert await _get(http, "/rtc/v1/validate", token) == required
    for wanted, text in (
        ("!", "cannot base64 decode wrapped join request"),
        ("////", "cannot base64 decode wrapped join request"),
        (
            base64.urlsafe_b64encode(b"\xff\xff\xff").decode(),
            "cannot unmarshal wrapped join request",
        ),
        (wrapped(b"\xff\xff\xff"), "cannot unmarshal join request"),
        (wrapped(b"no gzip", gzip=True), "cannot read decompressed join request"),
    ):
        assert await _get(http, f"/rtc/v1/validate?join_request={wanted}", token) == (400, text)
    async with http.get("/rtc/validate", headers={"Authorization": token}) as answer:
        assert answer.status == 401
        assert await answer.text() == "invalid authorization header. Must start with Bearer "


@pytest.mark.parametrize(
    ("sign", "status", "code"),
    [
        (_of(), 401, "unauthenticated"),
        (_of(video={"roomAdmin": True, "room": "another"}), 401, "unauthenticated"),
    ],
    ids=["no admin", "admin of another room"],
)
async def test_the_room_service_refuses_who_is_not_the_rooms_admin(
    any_server: AnyServer, http: aiohttp.ClientSession, sign: Sign, status: int, code: str
) -> None:
    for call, message in (
        ("ListParticipants", ListParticipantsRequest(room=ROOM)),
        ("RemoveParticipant", RoomParticipantIdentity(room=ROOM, identity="bob")),
    ):
        async with http.post(
            f"/twirp/livekit.RoomService/{call}",
            data=message.SerializeToString(),
            headers={
                "Authorization": f"Bearer {sign(any_server)}",
                "Content-Type": "application/protobuf",
            },
        ) as answer:
            assert answer.status == status
            assert answer.content_type == "application/json"
            told = json.loads(await answer.text())
            assert (told["code"], told["msg"]) == (code, "permissions denied")


async def test_the_room_service_lists_and_removes_nobody_in_a_room_that_is_not_there(
    any_server: AnyServer,
) -> None:
    url = any_server.url.replace("ws", "http", 1)
    async with api.LiveKitAPI(url, any_server.api_key, any_server.api_secret) as there:
        listed = await there.room.list_participants(api.ListParticipantsRequest(room="nowhere"))
        assert list(listed.participants) == []
        wanted = api.RoomParticipantIdentity(room="nowhere", identity="bob")
        with pytest.raises(api.ServerError) as caught:
            await there.room.remove_participant(wanted)
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    assert caught.value.message.endswith("participant does not exist")


@pytest.mark.full
async def test_a_change_of_no_subscription_tells_who_is_not_there(any_server: AnyServer) -> None:
    ours = LiveKitServerApi(Proxies({}))
    target = target_at(any_server, ROOM)
    bob = Person(
        any_server.url, mint_token(any_server.api_key, any_server.api_secret, ROOM, "bob"), "bob"
    )
    assert not await ours.is_there(target, "bob")
    await bob.join()
    assert await ours.is_there(target, "bob")
    assert not await ours.is_there(target, "carol")
    await bob.leave()
    assert not await ours.is_there(target, "bob")


async def test_the_room_service_refuses_another_secret_without_a_word_of_its_own(
    any_server: AnyServer,
) -> None:
    url = any_server.url.replace("ws", "http", 1)
    async with api.LiveKitAPI(url, any_server.api_key, "y" * 40) as there:
        with pytest.raises(api.ServerError) as caught:
            await there.room.list_participants(api.ListParticipantsRequest(room=ROOM))
    assert caught.value.status == 401
