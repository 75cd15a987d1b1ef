"""What a server says of a participant becomes a fact of bounded size."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from livekit import api, rtc

from sidecar.core.contract.messages import ConnectionState
from sidecar.core.contract.wire import IsoTime
from sidecar.core.facts import MAX_WORD_BYTES
from sidecar.core.registry.stays import shown_session
from sidecar.rtc.participants import listed, participant

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
    shown = shown_session(
        fact,
        session_id="s",
        room_name="den",
        start_time=IsoTime("2026-01-01T00:00:00.000Z"),
        message_count=0,
        connection_state=ConnectionState.CONNECTED,
    )
    assert shown.truncated is True


def test_a_usual_participant_is_whole():
    fact = participant(Person(name="Alice" * 50))
    assert (fact.name, fact.is_cut) == ("Alice" * 50, False)


def test_a_listed_participant_is_cut_alike():
    one = listed(api.ParticipantInfo(sid="PA_x", identity=LONG))
    assert one.identity == participant(Person(identity=LONG)).identity
