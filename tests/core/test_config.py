"""The configuration: layers, what is missing, and the target that they come to."""

from __future__ import annotations

import pytest

from sidecar.core.config import (
    ENVIRONMENT,
    NO_CAPABILITIES,
    Settings,
    from_environment,
    missing,
    target,
)
from sidecar.core.contract.errors import ErrorCode, InvalidParams
from sidecar.core.contract.messages import Capabilities
from tests.core.tokens import agent_claims, token

URL = "ws://127.0.0.1:7880"
BY_SECRET = Settings(url=URL, api_key="key", api_secret="sesame", room="den")
BY_TOKEN = Settings(url=URL, token=token(agent_claims()))
ALL = Capabilities(create_connection=True, close_session=True, reconcile=True)


# Layers


def test_a_stronger_layer_wins_member_by_member():
    stronger = Settings(url="ws://strong", name="Ada")
    weaker = Settings(url="ws://weak", room="den", name="Bo", auto_subscribe=True)
    assert stronger.over(weaker) == Settings(
        url="ws://strong", room="den", name="Ada", auto_subscribe=True
    )


def test_false_and_empty_are_given_and_win():
    weaker = Settings(room="den", auto_subscribe=True)
    assert Settings(room="", auto_subscribe=False).over(weaker) == Settings(
        room="", auto_subscribe=False
    )


def test_a_token_displaces_a_weaker_key_and_secret():
    merged = Settings(token="t").over(BY_SECRET)
    assert (merged.api_key, merged.api_secret, merged.token) == (None, None, "t")


@pytest.mark.parametrize("given", [{"api_key": "k"}, {"api_secret": "s"}], ids=str)
def test_a_key_or_a_secret_displaces_a_weaker_token(given: dict[str, str]):
    assert Settings(**given).over(BY_TOKEN).token is None  # type: ignore[arg-type]


def test_a_new_secret_alone_goes_with_the_weaker_key():
    merged = Settings(api_secret="new").over(BY_SECRET)
    assert (merged.api_key, merged.api_secret) == ("key", "new")


@pytest.mark.parametrize("nothing", [{}, {"PATH": "x"}, dict.fromkeys(ENVIRONMENT, "")], ids=str)
def test_an_environment_without_our_variables_gives_nothing(nothing: dict[str, str]):
    assert from_environment(nothing) == Settings()


def test_each_variable_gives_its_setting():
    given = {variable: variable.lower() for variable in ENVIRONMENT}
    assert from_environment(given) == Settings(
        url="livekit_url",
        api_key="livekit_api_key",
        api_secret="livekit_api_secret",
        token="livekit_token",
        room="livekit_room",
    )


def test_a_key_and_a_secret_given_beside_a_token_are_used_with_the_room_of_the_settings():
    both = Settings(url=URL, api_key="key", api_secret="sesame", token="a.b.c", room="den")
    resolved = target(both)
    assert (resolved.api_key, resolved.api_secret, resolved.room) == ("key", "sesame", "den")


# The target


def test_a_key_a_secret_and_a_room_are_a_target_with_defaults():
    resolved = target(BY_SECRET)
    assert resolved.server_room_identity == (URL, "den", "clara-voice-agent")
    assert (resolved.name, resolved.auto_subscribe) == ("Clara", False)
    assert resolved.capabilities(0.0) == ALL
    assert resolved.claims is None


def test_a_token_says_room_and_identity_itself():
    resolved = target(BY_TOKEN)
    assert resolved.server_room_identity == (URL, "den", "clara")
    assert resolved.capabilities(0.0) == NO_CAPABILITIES
    assert (resolved.api_key, resolved.api_secret) == (None, None)


def test_a_token_without_an_identity_leaves_the_given_one():
    settings = Settings(url=URL, token=token(agent_claims(identity="")), identity="ada")
    assert target(settings).identity == "ada"


def test_a_malformed_token_is_a_target_that_the_join_will_refuse():
    resolved = target(Settings(url=URL, token="nonsense"))
    assert (resolved.room, resolved.claims) == ("", None)


@pytest.mark.parametrize(
    ("settings", "lacking"),
    [
        (
            Settings(),
            ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_ROOM"),
        ),
        (Settings(token="t"), ("LIVEKIT_URL",)),
        (Settings(url=URL, api_key="k", room="den"), ("LIVEKIT_API_SECRET",)),
        (Settings(url=URL, api_secret="s", room="den"), ("LIVEKIT_API_KEY",)),
        (Settings(url=URL, api_key="k", api_secret="s"), ("LIVEKIT_ROOM",)),
    ],
    ids=lambda each: "+".join(each) if isinstance(each, tuple) else "",
)
def test_what_is_missing_is_named_by_its_variables(settings: Settings, lacking: tuple[str, ...]):
    assert missing(settings) == lacking
    with pytest.raises(InvalidParams) as refusal:
        target(settings)
    for each in lacking:
        assert each in refusal.value.message
        assert each in str(refusal.value.data["fix"])


@pytest.mark.parametrize("name", ["url", "api_key", "api_secret", "token", "room", "identity"])
def test_an_empty_setting_is_refused(name: str):
    whole = BY_TOKEN if name == "token" else BY_SECRET
    with pytest.raises(InvalidParams):
        target(Settings(**{name: ""}).over(whole))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["url", "api_key", "api_secret", "token"])
def test_a_setting_of_megabytes_is_refused_unread(name: str):
    whole = BY_TOKEN if name == "token" else BY_SECRET
    with pytest.raises(InvalidParams, match="is longer than 262144 bytes"):
        target(Settings(**{name: "e.J." * 1_000_000}).over(whole))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["room", "identity"])
def test_a_name_longer_than_the_server_takes_is_refused(name: str):
    assert target(Settings(**{name: "x" * 256}).over(BY_SECRET))  # type: ignore[arg-type]
    with pytest.raises(InvalidParams):
        target(Settings(**{name: "x" * 257}).over(BY_SECRET))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["url", "api_key", "api_secret", "room", "identity", "name"])
def test_half_a_surrogate_pair_is_refused(name: str):
    with pytest.raises(InvalidParams) as refusal:
        target(Settings(**{name: "x\ud800"}).over(BY_SECRET))  # type: ignore[arg-type]
    assert refusal.value.message.isascii()


def test_a_room_that_is_not_the_token_s_is_refused():
    with pytest.raises(InvalidParams):
        target(Settings(room="attic").over(BY_TOKEN))


def test_a_token_for_no_room_needs_one():
    nowhere = Settings(url=URL, token=token({"sub": "clara", "video": {}}))
    with pytest.raises(InvalidParams):
        target(nowhere)
    assert target(Settings(room="den").over(nowhere)).room == "den"


def test_a_token_beside_a_key_and_a_secret_does_not_stand_in_for_the_room():
    # A token made from them would be for no room, which LiveKit's library refuses to make.
    with pytest.raises(InvalidParams):
        target(Settings(url=URL, api_key="k", api_secret="s", token=token(agent_claims())))


@pytest.mark.parametrize(
    "half", [Settings(api_secret="s"), Settings(api_key="k")], ids=["secret", "key"]
)
def test_half_a_pair_of_key_and_secret_beside_a_token_promises_nothing(half: Settings):
    both = Settings(
        url=URL, api_key=half.api_key, api_secret=half.api_secret, token=token(agent_claims())
    )
    try:
        resolved = target(both)
    except InvalidParams:
        return
    assert resolved.token == both.token
    assert resolved.capabilities(0.0) == NO_CAPABILITIES


@pytest.mark.parametrize(
    ("claims", "now_s", "expected"),
    [
        ({}, 0.0, False),
        ({"roomAdmin": True}, 99.0, True),
        ({"roomAdmin": True}, 100.0, False),
        ({"roomAdmin": True}, 101.0, False),
        ({"roomAdmin": "true"}, 0.0, False),
    ],
)
def test_a_token_reconciles_while_it_grants_room_admin_and_has_not_expired(
    claims: dict[str, object], now_s: float, expected: bool
):
    made = token({"sub": "clara", "exp": 100, "video": {"room": "den", **claims}})
    capabilities = target(Settings(url=URL, token=made)).capabilities(now_s)
    assert capabilities == Capabilities(
        create_connection=False, close_session=False, reconcile=expected
    )


@pytest.mark.parametrize(
    "same",
    ["wss://livekit.example/", "wss://LiveKit.example", "https://livekit.example:443"],
)
def test_another_spelling_of_the_servers_url_is_the_same_place(same: str):
    place = target(Settings(url="wss://livekit.example").over(BY_SECRET)).server_room_identity
    assert target(Settings(url=same).over(BY_SECRET)).server_room_identity == place


@pytest.mark.parametrize(
    "other",
    [
        "ws://livekit.example",
        "wss://livekit.example:7880",
        "wss://livekit.example/rtc",
        "wss://other.example",
        "wss://livekit.example:nonsense",
    ],
)
def test_another_server_is_another_place(other: str):
    place = target(Settings(url="wss://livekit.example").over(BY_SECRET)).server_room_identity
    assert target(Settings(url=other).over(BY_SECRET)).server_room_identity != place


@pytest.mark.parametrize("settings", [BY_SECRET, BY_TOKEN], ids=["secret", "token"])
def test_no_repr_shows_a_secret(settings: Settings):
    secrets = settings.secrets
    assert len(secrets) == 1
    for shown in (repr(settings), repr(target(settings)), str(target(settings))):
        assert all(each not in shown for each in secrets)


def test_no_refusal_shows_what_was_given():
    for name in ("api_secret", "token", "url"):
        with pytest.raises(InvalidParams) as refusal:
            target(Settings(room="x" * 300, **{name: "hush-hush"}).over(BY_SECRET))  # type: ignore[arg-type]
        assert "hush" not in refusal.value.message + str(refusal.value.data)
        assert refusal.value.code is ErrorCode.INVALID_PARAMS


# A client that gives tokens


@pytest.mark.parametrize(
    ("settings", "lacking"),
    [
        (Settings(url=URL, room="den"), ()),
        (Settings(url=URL), ("LIVEKIT_ROOM",)),
        (Settings(room="den"), ("LIVEKIT_URL",)),
        (Settings(url=URL, room="den", api_key="key"), ("LIVEKIT_API_SECRET",)),
        (Settings(url=URL, room="den", api_secret="s"), ("LIVEKIT_API_KEY",)),
    ],
    ids=repr,
)
def test_where_the_client_gives_tokens_a_url_and_a_room_are_enough(
    settings: Settings, lacking: tuple[str, ...]
):
    assert missing(settings, client_gives_tokens=True) == lacking


def test_a_target_that_waits_for_its_token_has_none_and_no_secret():
    found = target(Settings(url=URL, room="den", identity="clara"), client_gives_tokens=True)
    assert (found.api_key, found.api_secret, found.token) == (None, None, None)
    assert (found.room, found.identity) == ("den", "clara")
    assert found.needs_token(0.0)
    assert found.capabilities(0.0, client_gives_tokens=True).create_connection


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        (BY_SECRET, False),
        (Settings(token=token(agent_claims(exp=131))), False),
        (Settings(token=token(agent_claims(exp=130))), True),
        (Settings(token=token(agent_claims(exp=99))), True),
        (Settings(token=token(agent_claims())), False),
    ],
    ids=["a secret", "31 s to live", "30 s to live", "expired", "no expiry"],
)
def test_another_token_is_needed_where_the_one_there_is_lives_for_less_than_30_s(
    settings: Settings, needs: bool
):
    assert target(settings.over(Settings(url=URL))).needs_token(100.0) is needs


def test_without_its_token_the_settings_keep_the_room_and_the_identity_it_named():
    made = token(agent_claims(room="den", identity="clara-7"))
    kept = Settings(url=URL, token=made).without_token()
    assert kept == Settings(url=URL, room="den", identity="clara-7")
    named = Settings(url=URL, token=made, identity="clara").without_token()
    assert named == Settings(url=URL, room="den", identity="clara")
    assert Settings(url=URL, token="garbage").without_token() == Settings(url=URL)


@pytest.mark.parametrize("name", ["room", "identity", "name"])
def test_a_name_is_as_long_as_its_bytes(name: str):
    def with_name(text: str) -> Settings:
        return Settings(**{"url": URL, "room": "den", name: text}).over(BY_SECRET)  # type: ignore[arg-type]

    assert target(with_name("🎤" * 64))
    with pytest.raises(InvalidParams, match="256 bytes"):
        target(with_name("🎤" * 65))
