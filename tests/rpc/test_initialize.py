"""The handshake: once, one version, open to a newer bridge; and what it takes over."""

from __future__ import annotations

import os

import pytest

from sidecar import __version__
from sidecar.core.contract.messages import MAX_RESUMED, ConnectionState
from sidecar.core.contract.protocol import PROTOCOL_VERSION
from sidecar.core.registry.resumption import Inheritance
from tests.rpc.asked import ANNA, INITIALIZE, Methods
from tests.rpc.peer import result


@pytest.fixture
def methods() -> Methods:
    return Methods()


async def test_initialize_alone_ignores_params_it_does_not_know(methods):
    """A newer bridge must be able to say more."""
    params = {**INITIALIZE, "colour": {"deep": [1]}, "": None}
    assert "result" in await methods.ask("initialize", params)


async def test_initialize_ignores_what_a_newer_bridge_says_of_itself(methods):
    client = {"name": "bridge", "version": "9.9.9", "platform": "linux"}
    assert "result" in await methods.ask("initialize", {**INITIALIZE, "client": client})


async def test_initialize_says_who_answers(methods):
    params = {**INITIALIZE, "parentPid": 4242, "client": {"name": "bridge", "version": "0.1.0"}}
    assert await methods.ask("initialize", params) == result(
        {
            "protocolVersion": PROTOCOL_VERSION,
            "server": {"name": "clara-voice-sidecar", "version": __version__},
            "pid": os.getpid(),
            "epoch": "epoch",
        }
    )
    assert methods.process.watched == [4242]


@pytest.mark.parametrize("version", [0, 2, 99, -1])
async def test_a_version_the_sidecar_does_not_speak_is_an_error_that_names_both(methods, version):
    error = await methods.error_of("initialize", {"protocolVersion": version, "parentPid": 1})
    assert error["code"] == -32602
    assert f" {PROTOCOL_VERSION}" in error["message"]
    assert f" {version}" in error["message"]
    assert methods.process.watched == []


async def test_a_second_initialize_is_refused_and_a_failed_first_one_does_not_count(methods):
    await methods.error_of("initialize", {"protocolVersion": 2})
    await methods.error_of("initialize", {**INITIALIZE, "parentPid": 0})
    assert "result" in await methods.ask("initialize", INITIALIZE)
    error = await methods.error_of("initialize", {**INITIALIZE, "parentPid": 4242})
    assert error["code"] == -32600
    assert methods.process.watched == []


RESUMED = {
    "sessionId": ANNA.session_id,
    "participantId": "anna",
    "participantSid": "PA_anna",
    "roomName": "room",
    "startTime": "2026-01-31T12:00:00.000Z",
    "messageCount": 4,
}


async def test_what_is_resumed_reaches_the_agent_as_it_was_announced(methods):
    assert "result" in await methods.ask("initialize", {**INITIALIZE, "resume": [RESUMED]})
    (inherited,) = methods.agent.asked
    (resumed,) = inherited.sessions
    assert {name: getattr(resumed, name) for name in ("session_id", "start_time")} == {
        "session_id": RESUMED["sessionId"],
        "start_time": RESUMED["startTime"],
    }
    assert (resumed.participant_id, resumed.participant_sid) == ("anna", "PA_anna")
    assert (resumed.message_count, resumed.connection_state) == (4, ConnectionState.RECONNECTING)


@pytest.mark.parametrize(
    ("resume", "words"),
    [
        ([{}] * (MAX_RESUMED + 1), "params.resume has 20001 items, and 20000 are allowed"),
        ([{**RESUMED, "conversation": [{}] * 1_001}], "params.resume[0].conversation has 1001"),
    ],
    ids=["sessions", "messages"],
)
async def test_more_than_a_process_may_hand_over_is_refused_unread(methods, resume, words):
    answer = await methods.ask("initialize", {**INITIALIZE, "resume": resume})
    assert answer["error"]["code"] == -32602
    assert words in answer["error"]["message"]
    assert methods.agent.asked == []


async def test_ids_that_were_used_reach_the_agent_without_a_session_too(methods):
    params = {**INITIALIZE, "usedIds": ["session_1_anna"]}
    assert "result" in await methods.ask("initialize", params)
    assert methods.agent.asked == [Inheritance(used_ids=("session_1_anna",))]


async def test_how_long_the_outage_has_lasted_reaches_the_agent_in_seconds(methods):
    params = {**INITIALIZE, "resume": [RESUMED], "outageMs": 12_500}
    assert "result" in await methods.ask("initialize", params)
    (inherited,) = methods.agent.asked
    assert (len(inherited.sessions), inherited.outage_s) == (1, 12.5)


@pytest.mark.parametrize("ahead_ms", [60_000, 0, -60_000])
async def test_how_far_the_server_s_clock_is_ahead_reaches_the_agent(methods, ahead_ms):
    params = {**INITIALIZE, "resume": [RESUMED], "serverAheadMs": ahead_ms}
    assert "result" in await methods.ask("initialize", params)
    (inherited,) = methods.agent.asked
    assert inherited.server_ahead_ms == ahead_ms


@pytest.mark.parametrize("ahead_ms", [1.5, "3", True, 10**15, -(10**15)])
async def test_a_clock_that_is_ahead_by_no_time_is_refused_and_changes_nothing(methods, ahead_ms):
    params = {**INITIALIZE, "resume": [RESUMED], "serverAheadMs": ahead_ms}
    assert (await methods.ask("initialize", params))["error"]["code"] == -32602
    assert methods.agent.asked == []
    assert "result" in await methods.ask("initialize", INITIALIZE)


@pytest.mark.parametrize("outage_ms", [-1, 1.5, "3", True])
async def test_an_outage_that_is_no_time_is_refused_and_changes_nothing(methods, outage_ms):
    params = {**INITIALIZE, "resume": [RESUMED], "outageMs": outage_ms}
    assert (await methods.ask("initialize", params))["error"]["code"] == -32602
    assert methods.agent.asked == []
    assert "result" in await methods.ask("initialize", INITIALIZE)


@pytest.mark.parametrize(
    "entries",
    [
        [RESUMED, RESUMED],
        [RESUMED, {**RESUMED, "sessionId": "session_2_anna", "participantSid": "PA_2"}],
        [{**RESUMED, "participantSid": ""}],
        [{**RESUMED, "startTime": "yesterday"}],
        [{**RESUMED, "startTime": "0000-01-31T12:00:00.000Z"}],
        [{**RESUMED, "messageCount": -1}],
        [{name: value for name, value in RESUMED.items() if name != "roomName"}],
    ],
)
async def test_what_cannot_be_resumed_is_refused_and_the_handshake_can_be_tried_again(
    methods, entries
):
    error = await methods.error_of("initialize", {**INITIALIZE, "resume": entries})
    assert (error["code"], methods.agent.asked) == (-32602, [])
    assert "result" in await methods.ask("initialize", INITIALIZE)
