"""Access tokens: they are those that LiveKit's library makes, and its verifier takes them."""

from __future__ import annotations

import datetime

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit import api

from sidecar.core.config import Target
from sidecar.core.page_access import WantedConnection
from sidecar.core.sound import Needs
from sidecar.rtc import access_tokens

SECRET = "the secret of these tests, 32 byte"
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
WORDS = ("den", "Küche 🎤", 'a "quoted" room')


def target(room: str = "den", needs: Needs = Needs.NOTHING, token: str | None = None) -> Target:
    """A target with a key and a secret, or with *token* alone."""
    key, secret = (None, None) if token else ("key", SECRET)
    return Target(
        url="ws://127.0.0.1:7880",
        room=room,
        identity="clara",
        name="Clara",
        auto_subscribe=False,
        api_key=key,
        api_secret=secret,
        token=token,
        needs=needs,
    )


def claims_of(token: str) -> dict[str, object]:
    """The claims, once PyJWT has checked the signature; the times as their difference."""
    claims: dict[str, object] = jwt.decode(token, SECRET, algorithms=["HS256"], issuer="key")
    starts_s, ends_s = claims.pop("nbf"), claims.pop("exp")
    assert isinstance(starts_s, int)
    assert isinstance(ends_s, int)
    return {**claims, "lasts_s": ends_s - starts_s}


def theirs(token: api.AccessToken, lasts_s: int) -> dict[str, object]:
    """The claims that LiveKit's library signs."""
    return claims_of(token.with_ttl(datetime.timedelta(seconds=lasts_s)).to_jwt())


@pytest.mark.parametrize("room", WORDS)
@pytest.mark.parametrize("needs", [Needs.NOTHING, Needs.HEAR | Needs.SPEAK, Needs.TEXT])
def test_the_agent_s_token_is_the_one_that_livekit_s_library_makes(room: str, needs: Needs):
    at = target(room, needs)
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=Needs.SPEAK in at.grants,
        can_publish_data=Needs.TEXT in at.grants,
        can_subscribe=Needs.HEAR in at.grants,
        can_update_own_metadata=True if needs else None,
    )
    made = (
        api.AccessToken("key", SECRET)
        .with_identity("clara")
        .with_name("Clara")
        .with_kind("agent")
        .with_grants(grants)
        .with_room_config(api.RoomConfiguration(empty_timeout=3600, departure_timeout=3600))
    )
    assert claims_of(access_tokens.agent_token(at)) == theirs(made, 600)


@given(
    texts, texts, st.dictionaries(texts, texts, max_size=3), st.integers(1, 10**6), st.booleans()
)
def test_a_page_s_token_is_the_one_that_livekit_s_library_makes(
    name, metadata, attributes, ttl_s, may
):
    wanted = WantedConnection("anna", name, metadata, attributes, ttl_s, may, not may, may)
    grants = api.VideoGrants(
        room_join=True,
        room="den",
        can_publish=may,
        can_subscribe=not may,
        can_publish_data=may,
    )
    made = api.AccessToken("key", SECRET).with_identity("anna").with_grants(grants)
    if name:
        made = made.with_name(name)
    if metadata:
        made = made.with_metadata(metadata)
    if attributes:
        made = made.with_attributes(attributes)
    assert claims_of(access_tokens.connection_token(target(), wanted)) == theirs(made, ttl_s)


def test_livekit_s_verifier_takes_the_token_of_a_call_of_the_room_service():
    token = access_tokens.service_token(target(), 60.0, 0.0)
    claims = api.TokenVerifier("key", SECRET).verify(token)
    assert claims.video is not None
    assert (claims.video.room_admin, claims.video.room) == (True, "den")
    assert claims.video.room_join is None
    assert claims_of(token)["lasts_s"] == 60


def test_without_a_secret_the_target_s_own_token_is_used_as_it_is():
    at = target(token="given")
    assert access_tokens.agent_token(at) == access_tokens.service_token(at, 60.0, 0.0) == "given"
