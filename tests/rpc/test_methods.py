"""The methods: what each refuses, by which code, with a fix a person can act on."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest

from sidecar.core.config import Settings
from sidecar.core.contract.errors import ConnectFailed, NotConnected, OtherRoom, ShuttingDown
from sidecar.core.contract.protocol import METHODS
from sidecar.core.contract.wire import wire_name
from tests.rpc.asked import INITIALIZE, VALID, Methods
from tests.rpc.peer import result


@pytest.fixture
def methods() -> Methods:
    return Methods()


def test_there_is_a_handler_for_each_row_of_the_contract_and_no_other(methods):
    assert set(methods.handlers) == set(METHODS)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "sendText"])
async def test_every_method_works_without_a_prior_initialize(methods, method):
    """So that a person can type into a terminal."""
    assert "result" in await methods.ask(method, VALID.get(method))


async def test_text_is_sent_by_a_voice_plug_in_alone(methods):
    answer = await methods.ask("sendText", VALID["sendText"])
    assert (answer["error"]["code"], "plug-in" in answer["error"]["data"]["fix"]) == (1006, True)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in VALID])
async def test_a_method_without_needed_params_takes_an_empty_object_as_well_as_none(
    methods, method
):
    assert "result" in await methods.ask(method, {})


@pytest.mark.parametrize("method", [name for name in METHODS if name != "initialize"])
async def test_an_unknown_param_is_refused_and_named_and_changes_nothing(methods, method):
    error = await methods.error_of(method, {**VALID.get(method, {}), "colour": 1})
    assert error["code"] == -32602
    assert "'colour'" in error["message"]
    assert (methods.agent.asked, methods.process.is_stopping) == ([], False)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("params", [[1], [INITIALIZE], ["session_1_anna"], [None, None]])
async def test_positional_params_are_refused(methods, method, params):
    """All params are by name, so that members can be added."""
    assert (await methods.error_of(method, params))["code"] == -32602
    assert not methods.process.is_stopping


WRONG: dict[tuple[str, str], list[object]] = {
    ("initialize", "protocolVersion"): ["1", None, 1.5, True, [], {}],
    ("initialize", "parentPid"): ["1", 1.5, True, [], 0, -1, 2**32, 2**64],
    ("initialize", "client"): ["bridge", [], 1, {}, {"name": "b"}, {"name": 1, "version": "1"}],
    ("initialize", "resume"): [1, "all", {}, [1], [{}]],
    ("getSession", "sessionId"): [None, 1, True, [], {}],
    ("closeSession", "sessionId"): [None, 1, True, [], {}],
    ("wake", "reason"): [None, 1, True, "", "boredom", [], {}],
    ("createConnection", "attributes"): [1, "a", [], {"a": 1}, {"a": None}],
    ("createConnection", "ttlSeconds"): ["60", 60.5, True, [], {}],
    **{("createConnection", name): [1, True, [], {}] for name in ("identity", "name", "metadata")},
    **{
        ("createConnection", name): ["yes", 1, 0, [], {}]
        for name in ("canPublish", "canSubscribe", "canPublishData")
    },
    **{
        ("connect", name): [1, True, [], {}, 1.5]
        for name in ("url", "apiKey", "apiSecret", "token", "room", "identity", "name")
    },
    ("connect", "autoSubscribe"): ["yes", 1, 0, [], {}],
    ("connect", "join"): ["never", "", 1, True, [], {}],
    ("connect", "leaveAfterMs"): ["20000", 1.5, True, [], {}],
}


@pytest.mark.parametrize(
    ("method", "member", "value"),
    [(method, member, value) for (method, member), values in WRONG.items() for value in values],
)
async def test_a_param_of_another_type_is_refused_and_named_and_changes_nothing(
    methods, method, member, value
):
    error = await methods.error_of(method, {**VALID.get(method, {}), member: value})
    assert error["code"] == -32602
    assert member in error["message"]
    assert (methods.agent.asked, methods.process.watched) == ([], [])


@pytest.mark.parametrize("member", ["apiSecret", "token"])
async def test_a_refused_secret_is_not_repeated_in_the_refusal(methods, member):
    await methods.error_of("connect", {member: ["hunter2hunter2"]})
    assert b"hunter2" not in methods.peer.lines[0]


@pytest.mark.parametrize("method", VALID)
async def test_a_missing_param_is_refused_and_named(methods, method):
    for params in (None, {}):
        error = await methods.error_of(method, params)
        assert error["code"] == -32602
        assert next(iter(VALID[method])) in error["message"]


async def test_each_connection_without_an_identity_gets_one_of_its_own(methods):
    first = await methods.ask("createConnection", {})
    second = await methods.ask("createConnection")
    named = await methods.ask("createConnection", {"identity": "anna"})
    identities = [each["result"]["identity"] for each in (first, second, named)]
    assert len(set(identities)) == 3
    assert identities[2] == "anna"


async def test_an_unknown_session_is_1003(methods):
    assert (await methods.error_of("getSession", {"sessionId": "session_1_bob"}))["code"] == 1003


async def test_connect_hands_on_exactly_what_was_given(methods):
    given = {wire_name(each.name): f"the {each.name}" for each in fields(Settings)}
    given |= {"autoSubscribe": True, "switch": True, "join": "needed", "leaveAfterMs": 5_000}
    await methods.ask("connect", given)
    await methods.ask("connect", {"room": "other"})
    everything, room = methods.agent.asked
    assert {wire_name(name): value for name, value in asdict(everything).items()} == given
    assert room == Settings(room="other")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (NotConnected("A `disconnect` came first.", "Send `connect`."), 1001),
        (ConnectFailed("Could not join.", "Start it.", category="unreachable"), 1002),
        (ShuttingDown(), 1005),
        (OtherRoom("Elsewhere.", "Send `disconnect` first."), 1007),
    ],
)
async def test_what_the_agent_refuses_with_reaches_the_wire_whole(methods, failure, code):
    methods.agent.failure = failure
    error = await methods.error_of("connect", {"room": "room"})
    assert error == {"code": code, "message": failure.message, "data": failure.data}


async def test_shutdown_answers_null_and_begins_the_end(methods):
    assert await methods.ask("shutdown") == result(None)
    assert methods.process.is_stopping


@pytest.mark.parametrize(
    "method",
    ["initialize", "connect", "disconnect", "closeSession", "createConnection", "wake"],
)
async def test_what_would_begin_something_new_is_1005_once_the_end_has_begun(methods, method):
    await methods.ask("shutdown")
    assert (await methods.error_of(method, VALID.get(method)))["code"] == 1005
    assert methods.agent.asked == []


@pytest.mark.parametrize(
    "method", ["listSessions", "getSession", "getStatus", "ping", "shutdown", "rpc.discover"]
)
async def test_what_only_tells_is_answered_to_the_last(methods, method):
    await methods.ask("shutdown")
    assert "result" in await methods.ask(method, VALID.get(method))


async def test_ping_is_answered_pong(methods):
    assert await methods.ask("ping") == result("pong")
