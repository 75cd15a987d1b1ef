"""What a server says of a participant becomes a fact of bounded size."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from livekit import api, rtc

from sidecar.core.facts import MAX_WORD_BYTES, Listed
from sidecar.core.registry.stays import described
from sidecar.rtc.participants import MAX_INFO_BYTES, MAX_LISTED, listed, listed_in, participant

LONG = "\U0001f3a4" * 750_000
"""3 MB."""


@dataclass
class Person:
    """What the SDK has of a participant."""

    sid: str = "PA_x"
    identity: str = "alice"
    name: str = ""
    kind: int = 0
    state: int = 2
    metadata: str = ""
    joined_at: None = None
    connection_quality: rtc.ConnectionQuality = rtc.ConnectionQuality.QUALITY_GOOD
    attributes: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize("member", ["sid", "identity", "name"])
def test_a_text_of_3_mb_is_cut_where_the_fact_is_made_and_the_session_says_so(member: str):
    fact = participant(Person(**{member: LONG}))
    assert len(getattr(fact, member).encode()) <= MAX_WORD_BYTES
    assert described(fact)["truncated"] is True


def test_a_usual_participant_is_whole():
    fact = participant(Person(name="Alice" * 50))
    assert (fact.name, fact.is_cut) == ("Alice" * 50, False)


def test_a_listed_participant_is_cut_alike():
    one = listed(api.ParticipantInfo(sid="PA_x", identity=LONG))
    assert one.identity == participant(Person(identity=LONG)).identity


INFOS = st.builds(
    api.ParticipantInfo,
    sid=st.text(max_size=300),
    identity=st.text(max_size=300),
    state=st.sampled_from(api.ParticipantInfo.State.values()),
    kind=st.sampled_from(api.ParticipantInfo.Kind.values()),
    permission=st.builds(api.ParticipantPermission, hidden=st.booleans()),
    metadata=st.text(max_size=300),
    joined_at=st.integers(-(2**63), 2**63 - 1),
)


@given(st.lists(INFOS, max_size=5))
def test_a_list_is_read_as_livekit_s_library_reads_it(infos: list[api.ParticipantInfo]):
    body = api.ListParticipantsResponse(participants=infos).SerializeToString()
    newer = b"\x10\xac\x02" + body + b"\x1a\x02ok"  # members that a newer server may add
    assert listed_in(body) == listed_in(newer) == tuple(map(listed, infos))


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"\n\x05\n\x03sid" + tail))
def test_any_bytes_are_a_list_or_are_refused(body: bytes):
    with contextlib.suppress(DecodeError):
        assert all(isinstance(each, Listed) for each in listed_in(body))


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b"\n\x00" * (MAX_LISTED + 1), "more than 20000 participants"),
        (b"\n\x81\x80\x40" + b"\x22\x00" * (MAX_INFO_BYTES // 2) + b"\x00", "1048576 bytes"),
    ],
    ids=["participants", "tracks"],
)
def test_a_list_of_small_parts_makes_no_more_objects_than_a_limit(body: bytes, limit: str):
    """2 MiB of empty participants took 190 MB, and held the event loop for 26 s."""
    with pytest.raises(DecodeError, match=limit):
        listed_in(body)
