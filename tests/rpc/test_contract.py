"""The contract against what is really said: generated files, results, errors, notifications.

Without a LiveKit server: what sessions need one for comes from an agent whose Room is scripted.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.messages import SessionEvent
from sidecar.core.contract.protocol import METHODS, NOTIFICATIONS
from sidecar.core.contract.wire import EncodedJson
from sidecar.core.facts import (
    ConnectionQuality,
    DisconnectReason,
    Left,
    Participant,
    ParticipantState,
    Reconnected,
    Reconnecting,
    RoomEnded,
    Seen,
    TextReceived,
    bounded,
)
from sidecar.dev import contract
from sidecar.dev.stdio_client import RpcError, SidecarClient
from sidecar.rpc.jsonrpc import encode_notification
from sidecar.rpc.methods import handlers
from sidecar.rpc.openrpc import document
from tests.agent.fakes import START_MS
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.tokens import agent_claims, token
from tests.rpc.asked import VALID, FakeClient, FakeProcess
from tests.rpc.contract_reader import Contract
from tests.rpc.peer import Json, Peer, request, strictly
from tests.started import refusing_url
from tests.written import written


def test_the_generated_files_are_what_the_contract_says(capsys):
    """`python -m sidecar.dev.contract --check`."""
    assert contract.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stale_or_missing_file_is_told_and_written(tmp_path):
    assert contract.stale(tmp_path) == list(contract.FILES)
    assert contract.write(tmp_path) == list(contract.FILES)
    assert contract.stale(tmp_path) == []
    name = next(iter(contract.FILES))
    (tmp_path / name).write_text("something else")
    assert contract.stale(tmp_path) == [name]
    assert contract.write(tmp_path) == [name]
    assert contract.stale(tmp_path) == []


def assert_error_is_documented(contract: Contract, method: str, failure: RpcError) -> None:
    own = {each["code"] for each in contract.methods[method]["errors"]}
    of_every_method = {-32600, -32602, 1005}
    assert failure.code in own | of_every_method, f"{method}: {failure}"
    assert failure.code in contract.error_codes
    assert isinstance(failure.data, dict)
    assert str(failure.data["fix"]).endswith(".")


async def test_every_result_error_and_notification_of_a_short_session_is_as_documented(
    sidecar_command,
):
    """Each method twice, before and after a connect that fails, and each with wrong params."""
    connect = {
        "url": refusing_url(),
        "apiKey": "key",
        "apiSecret": "a-secret-of-at-least-32-characters",
        "room": "room",
    }
    async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
        documented = Contract(await sidecar.call("rpc.discover"))
        assert list(documented.methods) == list(METHODS)
        answered: set[str] = set()

        async def ask(method: str, params: dict[str, object] | None) -> None:
            try:
                result = await sidecar.request(method, params)
            except RpcError as failure:
                assert_error_is_documented(documented, method, failure)
            else:
                answered.add(method)
                assert documented.problems_of_result(method, result) == [], method

        others = [name for name in METHODS if name not in ("connect", "disconnect", "shutdown")]
        for method in others:
            await ask(method, VALID.get(method))
            await ask(method, {"colour": 1})
        await ask("connect", {})
        await ask("connect", connect)
        for method in others:
            await ask(method, VALID.get(method))
        await ask("createConnection", {"identity": "anna", "ttlSeconds": 60})
        await ask("createConnection", {"ttlSeconds": 1})
        await ask("connect", {"room": "r" * 300})
        await ask("disconnect", None)
        await ask("shutdown", None)
        assert await sidecar.wait() == 0
    needs_a_room = {"connect", "getSession", "closeSession", "getConversation", "sendText"}
    assert answered >= set(METHODS) - needs_a_room
    assert [each.params["seq"] for each in sidecar.notifications] == list(
        range(1, len(sidecar.notifications) + 1)
    )
    assert len({each.params["epoch"] for each in sidecar.notifications}) == 1
    states = [each.params["state"] for each in sidecar.notifications]
    assert (states[0], states[-1]) == ("connecting", "stopping")
    assert "backoff" in states
    for each in sidecar.notifications:
        assert documented.problems_of_notification(each.method, each.params) == []


async def test_every_result_and_notification_of_a_life_with_people_is_as_documented():
    """Joined, seen, changed, unreachable, back, left, closed; hostile and oversized texts too."""
    world, documented = World(), Contract(document())
    peer = Peer(handlers(lambda: world.agent, FakeProcess(), FakeClient()))

    async def ask(method: str, params: dict[str, object] | None = None) -> Json:
        peer.say(request(method, params, number=len(peer.lines)))
        answer = (await peer.all_answers())[-1]
        assert documented.problems_of_result(method, answer["result"]) == [], method
        return answer["result"]

    anna = Participant("PA_1", "anna", state=ParticipantState.JOINED, joined_at_ms=START_MS)
    whole = Participant(
        "PA_2",
        "\u2028🎤\x00\x1b",
        name="n" * 300,
        metadata="m" * 20_000,
        attributes={"": "", "🎤": "a" * 20_000},
    )
    hostile = bounded(whole)
    room = await world.joined(anna, hostile)
    listed = (await ask("listSessions"))["sessions"]
    assert [each["participantId"] for each in listed] == ["anna", hostile.identity]
    assert [each.get("truncated") for each in listed] == [None, True]
    await ask("getSession", {"sessionId": listed[0]["sessionId"]})
    active = replace(anna, state=ParticipantState.ACTIVE, name="Anna")
    for fact in (
        Seen(active),
        Seen(replace(active, quality=ConnectionQuality.GOOD)),
        TextReceived("anna", world.clock.tick().attended_s),
        Reconnecting(),
        Reconnected((active, hostile)),
        Left("PA_1", "anna", DisconnectReason.CLIENT_INITIATED),
        Left("PA_2", hostile.identity, 99),
        RoomEnded(DisconnectReason.DUPLICATE_IDENTITY),
    ):
        room.emit(fact)
        await ask("listSessions")
        await ask("getStatus")
    sent = [(NOTIFICATIONS[type(each)], written(each)) for each in world.notify.notifications]
    for notification, (method, _) in zip(world.notify.notifications, sent, strict=True):
        line = encode_notification(notification)
        assert len(line.splitlines()) == 1
        message = strictly(line)
        assert (message["method"], set(message)) == (method, {"jsonrpc", "method", "params"})
        assert documented.problems_of_notification(method, message["params"]) == []
    of_a_plug_in = {"session-event", "health"}  # see the next test
    assert {method for method, _ in sent} == set(NOTIFICATIONS.values()) - of_a_plug_in
    assert [params["seq"] for _, params in sent] == list(range(1, len(sent) + 1))
    await ask("disconnect")
    await ask("shutdown")


def test_an_event_of_a_plug_in_is_written_as_the_plug_in_gave_it():
    content = EncodedJson({"dB": -20, "words": ["🎤"]}, 100)
    line = encode_notification(SessionEvent("session_1_anna", "level", content, 1, "epoch"))
    params = strictly(line)["params"]
    assert params["content"] == {"dB": -20, "words": ["🎤"]}
    assert Contract(document()).problems_of_notification("session-event", params) == []


async def test_the_status_has_the_versions_of_livekit_s_packages(sidecar_command):
    async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
        versions = (await sidecar.call("getStatus"))["versions"]
    assert set(versions) == {"sidecar", "protocol", "python", "livekit", "livekit-api"}
    for name in ("livekit", "livekit-api"):
        assert versions[name] == importlib.metadata.version(name)


async def test_a_failed_connect_says_category_detail_fix_and_whether_it_goes_on(sidecar_command):
    """1002; the url is malformed, the token is, or nobody answers."""
    url = refusing_url()
    key = {"apiKey": "key", "apiSecret": "a-secret-of-at-least-32-characters", "room": "room"}
    cases = [
        ({"url": url, **key}, "unreachable", True),
        ({"url": "nonsense", **key}, "malformed", False),
        ({"url": url, "token": "nonsense", "room": "room"}, "malformed", False),
    ]
    for params, category, retryable in cases:
        async with SidecarClient([*sidecar_command, "--wait"]) as sidecar:
            with pytest.raises(RpcError) as failure:
                await sidecar.call("connect", params)
            status = await sidecar.call("getStatus")
        assert failure.value.code == 1002
        assert set(failure.value.data) == {"category", "detail", "fix", "retryable"}
        assert (failure.value.data["category"], failure.value.data["retryable"]) == (
            category,
            retryable,
        )
        assert status["lastError"] == failure.value.data
        states = ("backoff", "connecting") if retryable else ("failed",)
        assert status["state"] in states


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("connect", 1001),
        ("connect", 1002),
        ("connect", 1007),
        ("getSession", 1003),
        ("closeSession", 1003),
        ("closeSession", 1004),
        ("closeSession", 1006),
        ("createConnection", 1006),
    ],
)
@in_virtual_time
async def test_a_code_that_is_answered_is_a_code_that_is_documented(method: str, code: int):
    world, documented = World(), Contract(document())
    peer = Peer(handlers(lambda: world.agent, FakeProcess(), FakeClient()))
    params: dict[str, object] = {}
    if code in (1004, 1006, 1007):
        await world.joined(Participant("PA_1", "anna"))
    if code == 1004:
        world.api.error = ApiCallFailed("It is down.", "Wait.")
    if method in ("getSession", "closeSession"):
        params = {"sessionId": next(iter(world.agent.sessions), "session_0_nobody")}
    if code == 1006:
        await world.agent.disconnect()
        world = World(Settings(url=URL, token=token(agent_claims())))
        peer = Peer(handlers(lambda: world.agent, FakeProcess(), FakeClient()))
        await world.joined(Participant("PA_1", "anna"))
        if method == "closeSession":
            params = {"sessionId": next(iter(world.agent.sessions))}
    if code == 1007:
        params = {"room": "another"}
    peer.say(request(method, params))
    if code == 1001:
        await world.rooms.opened()
        await world.agent.disconnect()
    if code == 1002:
        await (await world.rooms.opened()).fails()
    answer = (await peer.all_answers())[-1]
    assert answer["error"]["code"] == code
    failure = RpcError(code, answer["error"]["message"], answer["error"]["data"])
    assert_error_is_documented(documented, method, failure)
