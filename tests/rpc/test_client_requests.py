"""What the sidecar asks its client: only what it may, once each, and what answers come to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sidecar.core.contract.errors import ClientFailed, ShuttingDown
from sidecar.core.contract.messages import (
    AccessToken,
    ClientCapabilities,
    TokenGrants,
    TokenRequest,
)
from sidecar.core.contract.protocol import CLIENT_REQUEST_ID_PREFIX
from sidecar.redaction import Redactor
from sidecar.rpc.client_requests import (
    GET_TOKEN_WITHIN_S,
    MAX_WAITING,
    RESOLVE_PROXY_WITHIN_S,
    ClientRequests,
)
from tests.agent.fakes import turns
from tests.agent.virtual_time import in_virtual_time
from tests.core.tokens import agent_claims, token
from tests.rpc.peer import INVALID_REQUEST, Peer, encoded, request, strictly
from tests.rpc.raw_sidecar import RawSidecar, raw_sidecar

WANTED = TokenRequest("agent", "den", "clara", None, TokenGrants(False, False, False))
TOKEN = token(agent_claims())
URL = "http://livekit.example"


class Asked:
    """Requests to a client that a test plays: the dispatcher and the requests, joined."""

    def __init__(self) -> None:
        """The client offers all."""
        self.lines: list[bytes] = []
        self.requests = ClientRequests(self.lines.append, asyncio.timeout, Redactor())
        self.requests.offers(ClientCapabilities(get_token=True, resolve_proxy=True))
        self.peer = Peer({}, self.requests.take_response)

    async def question(self) -> dict[str, object]:
        """The newest request, as the client reads it."""
        await turns()
        message = strictly(self.lines[-1])
        assert isinstance(message, dict)
        return message

    async def answers(self, **members: object) -> None:
        """The client answers the newest request with these members."""
        question = await self.question()
        self.peer.say({"jsonrpc": "2.0", "id": question["id"], **members})
        await turns()


@in_virtual_time
async def test_a_request_is_one_of_json_rpc_with_an_id_of_the_sidecar_s_own():
    asked = Asked()
    asking = asyncio.create_task(asked.requests.get_token(WANTED))
    question = await asked.question()
    assert question == {
        "jsonrpc": "2.0",
        "id": f"{CLIENT_REQUEST_ID_PREFIX}1",
        "method": "getToken",
        "params": {
            "purpose": "agent",
            "room": "den",
            "identity": "clara",
            "grants": {"canPublish": False, "canSubscribe": False, "canPublishData": False},
        },
    }
    await asked.answers(result={"token": TOKEN})
    assert await asking == AccessToken(TOKEN)
    assert asked.peer.lines == []


@in_virtual_time
async def test_what_holds_no_token_is_a_failure():
    asked = Asked()
    asking = asyncio.create_task(asked.requests.get_token(WANTED))
    await asked.answers(result={"url": URL})
    with pytest.raises(ClientFailed, match="it gave no token"):
        await asking


@pytest.mark.parametrize("proxy", ["http://proxy:3128", None])
@in_virtual_time
async def test_a_proxy_is_a_text_or_null(proxy: str | None):
    asked = Asked()
    asking = asyncio.create_task(asked.requests.resolve_proxy(URL))
    assert (await asked.question())["params"] == {"url": URL}
    await asked.answers(result=proxy)
    assert await asking == proxy


@in_virtual_time
async def test_what_is_no_proxy_is_refused():
    asked = Asked()
    asking = asyncio.create_task(asked.requests.resolve_proxy(URL))
    await asked.answers(result={"proxy": "x"})
    with pytest.raises(ClientFailed, match="a proxy's url or null"):
        await asking


@in_virtual_time
async def test_the_client_s_own_error_is_the_reason_cut_to_a_length():
    asked = Asked()
    asking = asyncio.create_task(asked.requests.get_token(WANTED))
    await asked.answers(error={"code": 1, "message": "down " + "x" * 1_000})
    with pytest.raises(ClientFailed, match="getToken failed: down x+$") as caught:
        await asking
    assert len(str(caught.value)) < 400


@in_virtual_time
async def test_a_token_in_the_client_s_error_is_not_repeated():
    asked = Asked()
    asking = asyncio.create_task(asked.requests.get_token(WANTED))
    await asked.answers(error={"code": 1, "message": f"getToken failed: bad {TOKEN}."})
    with pytest.raises(ClientFailed) as caught:
        await asking
    assert "[token]" in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "members",
    [
        {"error": "down"},
        {"error": {"code": 1}},
        {"error": None},
        {"error": {"code": 1, "message": "m"}, "result": {"token": TOKEN}},
        {"result": {"token": TOKEN}, "jsonrpc": "1.0"},
    ],
    ids=str,
)
@in_virtual_time
async def test_a_malformed_response_is_a_failure_and_no_silence(members: dict[str, object]):
    asked = Asked()
    asking = asyncio.create_task(asked.requests.get_token(WANTED))
    await asked.answers(**members)
    with pytest.raises(ClientFailed, match="no response of JSON-RPC 2.0"):
        await asking
    assert asked.peer.lines == []


@pytest.mark.parametrize(
    "response_id", ["sidecar-2", "x", 1, 1.5, None, True, [1], {"a": 1}], ids=str
)
@in_virtual_time
async def test_a_response_that_nothing_waits_for_is_ignored(response_id: object):
    asked = Asked()
    asking = asyncio.create_task(asked.requests.get_token(WANTED))
    await asked.question()
    asked.peer.say({"jsonrpc": "2.0", "id": response_id, "result": {"token": "other"}})
    await asked.answers(result={"token": TOKEN})
    await asked.answers(result={"token": "late"})
    assert await asking == AccessToken(TOKEN)
    assert asked.peer.lines == []


@in_virtual_time
async def test_responses_in_a_batch_count_and_the_requests_beside_them_are_answered():
    asked = Asked()
    both = [asyncio.create_task(asked.requests.get_token(WANTED)) for _ in range(2)]
    await turns()
    ids = [strictly(line)["id"] for line in asked.lines]
    responses = [
        {"jsonrpc": "2.0", "id": each, "result": {"token": f"{TOKEN}{each}"}}
        for each in reversed(ids)
    ]
    asked.peer.say([responses[0], request("nothing", number=9), responses[1]])
    assert [await each for each in both] == [AccessToken(f"{TOKEN}{each}") for each in ids]
    (batch,) = await asked.peer.all_answers()
    assert [each["id"] for each in batch] == [9]


@in_virtual_time
async def test_every_question_has_a_deadline_and_a_late_answer_is_ignored():
    asked = Asked()
    token_s = asyncio.create_task(asked.requests.get_token(WANTED))
    with pytest.raises(ClientFailed, match="getToken gave no answer within 30 s"):
        async with asyncio.timeout(GET_TOKEN_WITHIN_S + 1):
            await token_s
    await asked.answers(result={"token": TOKEN})
    proxy = asyncio.create_task(asked.requests.resolve_proxy(URL))
    with pytest.raises(ClientFailed, match="resolveProxy gave no answer within 3 s"):
        async with asyncio.timeout(RESOLVE_PROXY_WITHIN_S + 1):
            await proxy
    assert asked.peer.lines == []


@in_virtual_time
async def test_there_are_never_more_questions_than_the_limit():
    asked = Asked()
    waiting = [asyncio.create_task(asked.requests.get_token(WANTED)) for _ in range(MAX_WAITING)]
    await turns()
    with pytest.raises(ClientFailed, match="was not asked"):
        await asked.requests.get_token(WANTED)
    await asked.answers(result={"token": TOKEN})
    await waiting[-1]
    another = asyncio.create_task(asked.requests.get_token(WANTED))
    await turns()
    assert not another.done()
    asked.requests.end()
    await asyncio.wait([*waiting, another])
    assert all(each.exception() for each in [*waiting[:-1], another])


@in_virtual_time
async def test_at_the_end_everything_fails_and_nothing_more_is_asked():
    asked = Asked()
    waiting = asyncio.create_task(asked.requests.get_token(WANTED))
    await turns()
    asked.requests.end()
    for asking in (waiting, asked.requests.get_token(WANTED), asked.requests.resolve_proxy(URL)):
        with pytest.raises(ShuttingDown):
            await asking
    assert len(asked.lines) == 1


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (None, (False, False)),
        (ClientCapabilities(), (False, False)),
        (ClientCapabilities(get_token=True), (True, False)),
        (ClientCapabilities(get_token=False, resolve_proxy=True), (False, True)),
    ],
)
def test_a_client_is_asked_for_nothing_that_it_does_not_offer(capabilities, expected):
    requests = ClientRequests(lambda _: None, asyncio.timeout, Redactor())
    requests.offers(capabilities)
    assert (requests.gives_tokens, requests.resolves_proxies) == expected


# The process


INITIALIZE = {
    "protocolVersion": 1,
    "client": {"name": "test", "version": "1", "capabilities": {"getToken": True}},
}
CONNECT = {"url": "ws://127.0.0.1:9", "room": "den", "identity": "clara"}


@pytest.fixture
def sidecar(sidecar_command: list[str]) -> Iterator[RawSidecar]:
    with raw_sidecar([*sidecar_command, "--wait"]) as started:
        yield started


def heard(sidecar: RawSidecar, **members: object) -> dict[str, object]:
    """The first message with these members; reads until it is there."""
    seen = 0
    while True:
        lines = sidecar.read_lines(seen + 1)
        assert len(lines) > seen, f"the output ended without {members}"
        for line in lines[seen:]:
            message = strictly(line)
            if isinstance(message, dict) and members.items() <= message.items():
                return message
        seen = len(lines)


def test_a_client_that_offers_getToken_is_asked_and_its_refusal_reaches_the_caller(sidecar):
    sidecar.write(encoded(request("initialize", INITIALIZE), request("connect", CONNECT, number=2)))
    question = heard(sidecar, method="getToken")
    failed = {"code": -32000, "message": "the endpoint is down"}
    sidecar.write(encoded({"jsonrpc": "2.0", "id": question["id"], "error": failed}))
    error = heard(sidecar, id=2)["error"]
    assert error["code"] == 1002
    assert "getToken failed: the endpoint is down." in error["data"]["detail"]
    assert (error["data"]["category"], error["data"]["retryable"]) == ("unauthorized", True)
    again = heard(sidecar, method="getToken", id=f"{CLIENT_REQUEST_ID_PREFIX}2")
    assert again["params"] == question["params"]
    sidecar.close_stdin()
    assert sidecar.wait() == 0


def test_the_end_of_input_amid_a_question_ends_in_time_and_answers_the_caller(sidecar):
    created = request("createConnection", {}, number=3)
    said = [request("initialize", INITIALIZE), request("connect", CONNECT, number=2), created]
    sidecar.write(encoded(*said))
    heard(sidecar, method="getToken", id=f"{CLIENT_REQUEST_ID_PREFIX}2")
    sidecar.close_stdin()
    assert heard(sidecar, id=3)["error"]["code"] == 1005
    assert heard(sidecar, id=2)["error"]["code"] == 1005
    assert sidecar.wait() == 0


@pytest.mark.parametrize(
    "client", [None, {"name": "t", "version": "1"}, {**INITIALIZE["client"], "capabilities": {}}]
)
def test_a_client_that_says_nothing_notices_nothing(sidecar, client):
    hello = {"protocolVersion": 1, **({} if client is None else {"client": client})}
    stray = {"jsonrpc": "2.0", "id": f"{CLIENT_REQUEST_ID_PREFIX}1", "result": {"token": TOKEN}}
    neither = {"jsonrpc": "2.0", "id": "x"}
    sidecar.write(
        encoded(
            request("initialize", hello),
            stray,
            request("connect", CONNECT, number=2),
            request("createConnection", {}, number=3),
            neither,
            request("ping", number=4),
        )
    )
    assert heard(sidecar, id=2)["error"]["code"] == -32602
    assert heard(sidecar, id=3)["error"]["code"] == 1006
    assert heard(sidecar, id="x") == {**INVALID_REQUEST, "id": "x"}
    assert heard(sidecar, id=4)["result"] == "pong"
    sidecar.close_stdin()
    assert sidecar.wait() == 0
    assert [line for line in sidecar.lines if b"getToken" in line] == []
