"""What a token says of itself, also where it is nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.access_token import (
    TokenClaims,
    given_token,
    token_claims,
)
from sidecar.core.contract.errors import ClientFailed
from sidecar.core.contract.messages import AccessToken
from tests.core.tokens import agent_claims, token

NOTHING_SAID = TokenClaims(identity="", room="", kind="", expires_at_s=None, is_room_admin=False)


def test_the_claims_of_a_livekit_token_are_read():
    claims = agent_claims(exp=1_900_000_000, nbf=1_800_000_000, name="Clara")
    claims["video"] = {"room": "den", "roomJoin": True, "roomAdmin": True}
    assert token_claims(token(claims)) == TokenClaims(
        identity="clara",
        room="den",
        kind="agent",
        expires_at_s=1_900_000_000.0,
        is_room_admin=True,
        name="Clara",
        not_before_s=1_800_000_000.0,
        can_join=True,
        grants=frozenset({"canPublish", "canSubscribe", "canPublishData", "roomAdmin"}),
    )


def test_the_real_library_s_tokens_are_read():
    from livekit import api

    made = api.AccessToken("key", "s" * 40).with_identity("clara 🎤").with_kind("agent")
    grants = api.VideoGrants(room_join=True, room="den", room_admin=True)
    claims = token_claims(made.with_grants(grants).to_jwt())
    assert claims is not None
    assert (claims.identity, claims.room, claims.kind) == ("clara 🎤", "den", "agent")
    assert claims.is_room_admin
    assert claims.expires_at_s is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.",
        "a..c",
        "a.b.c.d",
        "a.!.c",
        "a.ä.c",
        "a.🎤.c",
        "a.\x00.c",
        "eyJ.eyJ.x",
        "not a token",
        "a.b c.d",
    ],
    ids=ascii,
)
def test_what_is_no_token_says_nothing_at_all(text: str):
    assert token_claims(text) is None


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'"text"', b"1", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000],
    ids=lambda raw: ascii(raw[:8]),
)
def test_a_token_whose_middle_is_no_object_says_nothing_at_all(raw: bytes):
    assert token_claims(token(None, raw=raw)) is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": None, "video": None, "kind": None, "exp": None},
        {"sub": 1, "video": [], "kind": {}, "exp": "soon"},
        {"sub": ["a"], "video": "room", "exp": [], "kind": 5},
        {"video": {"room": 5, "roomAdmin": "yes"}},
        {"video": {"room": None, "roomAdmin": 1}},
    ],
    ids=str,
)
def test_claims_of_another_type_count_as_not_said(claims: object):
    assert token_claims(token(claims)) == NOTHING_SAID


@pytest.mark.parametrize(
    "number", [b"9" * 400, b"-" + b"9" * 400, b"9" * 5_000, b"1e999", b"NaN", b"true"]
)
def test_an_expiry_that_no_clock_can_show_raises_nothing(number: bytes):
    token_claims(token(None, raw=b'{"exp":' + number + b"}"))


def test_a_lone_surrogate_in_a_claim_never_reaches_the_wire():
    claims = token(None, raw=rb'{"sub":"\ud800","video":{"room":"\udfff"}}')
    assert token_claims(claims) == NOTHING_SAID


@given(st.lists(st.text(st.characters(exclude_characters="."), max_size=40), max_size=5))
def test_a_text_of_other_than_three_parts_is_no_token_and_any_text_is_read_or_refused(
    parts: list[str],
):
    claims = token_claims(".".join(parts))
    assert claims is None or (len(parts) == 3 and all(parts))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["sub", "video", "kind", "exp", "room", "roomAdmin", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_in_a_token_is_read_or_refused(claims: object):
    found = token_claims(token(claims))
    assert (found is not None) is isinstance(claims, dict)


# What a client answers to getToken


@pytest.mark.parametrize(
    "answer",
    [
        {"token": "a.b.c", "url": "wss://nearer"},
        {"participant_token": "a.b.c", "server_url": "wss://nearer"},
        {"token": "a.b.c", "url": "wss://nearer", "participantName": "more"},
    ],
    ids=["ours", "of LiveKit's standard endpoint", "with more than is needed"],
)
def test_both_forms_of_an_endpoint_s_answer_are_understood(answer: dict[str, str]):
    assert given_token(answer) == AccessToken("a.b.c", "wss://nearer")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (None, "it gave null"),
        ("secret-text", "it gave string"),
        (7, "it gave number"),
        (1.5, "it gave number"),
        (True, "it gave boolean"),
        (["a.b.c"], "it gave array"),
        ({}, "it gave no token"),
        ({"token": None, "server_url": "wss://host"}, "it gave no token"),
        ({"token": ""}, "it gave an empty token"),
        ({"token": 7}, "it gave a token of type number"),
        ({"token": {"secret-text": 1}}, "it gave a token of type object"),
        ({"token": "a.b.c", "url": 7}, "a url that is not a string"),
        ({"token": "e.J." * 100_000}, "a token of over 262144 characters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_holds_no_token_is_told_by_its_type_and_never_by_its_text(answer: object, what: str):
    with pytest.raises(ClientFailed, match=what) as caught:
        given_token(answer)
    assert "secret-text" not in str(caught.value)
