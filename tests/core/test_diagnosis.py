"""What `diagnose` says of what was found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.config import Settings, Target, target
from sidecar.core.contract.failures import BrokenInstall, Category, Shortage, failure
from sidecar.core.contract.messages import AgentState, Check, Diagnosis
from sidecar.core.diagnosis import MAX_SKEW_S, ServerProbe, diagnosis
from tests.core.played import START_MS
from tests.core.tokens import agent_claims, token

URL = "ws://127.0.0.1:7880"
DEN = target(Settings(url=URL, api_key="key", api_secret="sesame", room="den"))
BY_TOKEN = target(Settings(url=URL, token=token(agent_claims(exp=START_MS // 1000))))
WELL = ServerProbe(True, status=200, token_status=200, time_ms=START_MS)
ALL = ("installation", "configuration", "network", "server", "clock", "credentials", "room")


def diagnosed(
    probe: ServerProbe | None = WELL,
    at: Target | None = DEN,
    state: AgentState = AgentState.CONNECTED,
    last: Category | None = None,
) -> Diagnosis:
    """The diagnosis at START_MS."""
    return diagnosis(at, probe, START_MS, state, None if last is None else failure(last, URL))


def only_bad(found: Diagnosis) -> Check:
    """The one check that is not well."""
    (bad,) = (each for each in found.checks if not each.ok)
    return bad


def test_where_all_is_well_every_check_is_made_and_none_has_a_fix():
    found = diagnosed()
    assert found.ok
    assert tuple(each.name for each in found.checks) == ALL
    assert {each.fix for each in found.checks} == {None}


@pytest.mark.parametrize(
    ("probe", "name"),
    [
        (replace(WELL, has_network=False), "network"),
        (replace(WELL, time_ms=START_MS - 31_000), "clock"),
        (replace(WELL, time_ms=START_MS + 31_000), "clock"),
        (replace(WELL, token_status=401), "credentials"),
        (replace(WELL, token_status=403), "credentials"),
        (replace(WELL, token_status=404), "credentials"),
        (replace(WELL, token_status=500), "credentials"),
        (replace(WELL, token_status=None), "credentials"),
        (replace(WELL, status=404), "server"),
        (ServerProbe(True), "server"),
    ],
    ids=str,
)
def test_what_is_wrong_fails_its_check_alone_and_has_a_fix(probe: ServerProbe, name: str):
    found = diagnosed(probe)
    assert not found.ok
    bad = only_bad(found)
    assert bad.name == name
    assert bad.detail
    assert bad.fix


def test_of_a_server_that_does_not_answer_nothing_more_is_said():
    names = [each.name for each in diagnosed(ServerProbe(True)).checks]
    assert names == ["installation", "configuration", "network", "server", "room"]


def test_a_host_name_without_an_address_is_told_with_the_url():
    bad = only_bad(diagnosed(ServerProbe(True, is_name_unknown=True)))
    assert (bad.name, "No address was found for the host name" in bad.detail) == ("server", True)


@pytest.mark.parametrize(("skew_ms", "words"), [(40_000, "behind"), (-40_000, "ahead of")])
def test_a_clock_that_is_wrong_is_told_which_way(skew_ms: int, words: str):
    bad = only_bad(diagnosed(replace(WELL, time_ms=START_MS + skew_ms)))
    assert bad.detail == f"This machine's clock is 40 s {words} the server's."


def test_a_clock_within_half_a_minute_is_well_and_one_that_is_not_told_is_no_matter():
    assert diagnosed(replace(WELL, time_ms=START_MS + int(MAX_SKEW_S * 1000))).ok
    found = diagnosed(replace(WELL, time_ms=None))
    assert found.ok
    assert "clock" not in [each.name for each in found.checks]


def test_a_refused_token_whose_own_end_has_passed_has_expired():
    refused = replace(WELL, token_status=401)
    assert "expired" in only_bad(diagnosed(refused, BY_TOKEN)).detail
    assert "expired" not in only_bad(diagnosed(refused)).detail


def test_without_a_target_or_with_a_malformed_url_the_configuration_is_all_there_is():
    malformed = replace(DEN, url="ws://user:secret@host")
    for found in (diagnosed(None, None), diagnosed(WELL, malformed)):
        assert [each.name for each in found.checks] == ["installation", "configuration"]
        assert only_bad(found).fix
        assert "secret" not in str(found)


@pytest.mark.parametrize("state", [each for each in AgentState if each is not AgentState.CONNECTED])
def test_an_agent_that_is_not_in_its_room_is_told_with_the_last_failure(state: AgentState):
    bad = only_bad(diagnosed(state=state, last=Category.MEDIA_BLOCKED))
    last = failure(Category.MEDIA_BLOCKED, URL)
    assert (bad.name, bad.fix) == ("room", last.fix)
    assert bad.detail.endswith(f": {last.detail}")
    assert only_bad(diagnosed(state=state)).fix


def test_an_agent_that_tries_again_later_is_told_in_words():
    waiting = only_bad(diagnosed(state=AgentState.BACKOFF))
    assert waiting.detail == "The agent is waiting to try again."


def test_no_credential_is_repeated():
    assert "sesame" not in str(diagnosed())
    assert str(BY_TOKEN.token) not in str(diagnosed(at=BY_TOKEN))


@pytest.mark.parametrize("at", [None, DEN], ids=["before any connect", "with a target"])
def test_a_part_that_cannot_be_loaded_is_named_with_what_to_reinstall_or_allow(at: Target | None):
    probe = None if at is None else WELL
    broken = BrokenInstall("livekit_ffi.dll is not there")
    found = diagnosis(at, probe, START_MS, AgentState.FAILED, None, broken)
    check = found.checks[0]
    assert (check.name, check.ok, check.detail) == (
        "installation",
        False,
        "livekit_ffi.dll is not there",
    )
    assert check.fix is not None
    assert "Reinstall" in check.fix
    assert "antivirus" in check.fix


def test_a_part_that_the_system_refused_to_load_is_no_reason_to_reinstall():
    lacking = Shortage("livekit.api cannot be loaded: Too many open files")
    check = diagnosis(DEN, WELL, START_MS, AgentState.BACKOFF, None, lacking).checks[0]
    assert (check.name, check.ok) == ("installation", False)
    assert check.fix is not None
    assert "open files" in check.fix
    assert "Reinstall" not in check.fix


GIVEN = target(Settings(url=URL, room="den"), client_gives_tokens=True)


@pytest.mark.parametrize("at", [GIVEN, BY_TOKEN], ids=["no token yet", "one that has expired"])
def test_a_client_that_gives_tokens_is_named_where_the_agent_waits_for_one(at: Target):
    state = AgentState.WAITING_FOR_TOKEN
    refused = replace(WELL, token_status=401)
    found = diagnosis(at, refused, START_MS, state, None, client_gives_tokens=True)
    bad = next(each for each in found.checks if each.name == "credentials")
    assert not bad.ok
    assert "has not given one" in bad.detail
    assert "getToken" in str(bad.fix)
    assert "with a token" in found.checks[1].detail


def test_an_agent_in_the_room_needs_no_token_before_its_next_join():
    refused = replace(WELL, token_status=401)
    state = AgentState.CONNECTED
    assert diagnosis(BY_TOKEN, refused, START_MS, state, None, client_gives_tokens=True).ok
    assert not diagnosis(BY_TOKEN, refused, START_MS, state, None).ok


@pytest.mark.parametrize(
    "cause",
    [Category.TLS, Category.USE_WSS, Category.UNTRUSTED_CERTIFICATE, Category.PROXY],
)
def test_a_server_that_is_there_and_gives_the_probe_no_answer_is_not_said_to_be_gone(cause):
    found = diagnosed(ServerProbe(True), state=AgentState.BACKOFF, last=cause)
    server = next(each for each in found.checks if each.name == "server")
    told = failure(cause, URL)
    assert (server.ok, server.detail, server.fix) == (False, told.detail, told.fix)
