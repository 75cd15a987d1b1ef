"""The sessions that an earlier process had open, as they come in: checked, then whole."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import (
    AudioQuality,
    ConnectionState,
    InitializeParams,
    Message,
    Microphone,
    ResumedSession,
    Role,
)
from sidecar.core.contract.wire import EncodedJson, IsoTime, iso_time, wall_ms
from sidecar.core.facts import MAX_SHOWN_BYTES, ConnectionQuality, ParticipantKind
from sidecar.core.registry.resumption import inheritance, resumed_sessions

ALICE = ResumedSession(
    session_id="session_1767225599000_alice",
    participant_id="alice",
    participant_sid="PA_alice",
    room_name="den",
    start_time=IsoTime("2025-12-31T23:59:59.000Z"),
    message_count=7,
)
BOB = ResumedSession("session_2_bob", "bob", "PA_bob", "den", ALICE.start_time, 0)


def test_an_entry_becomes_a_session_that_is_reconnecting():
    (session,) = resumed_sessions([ALICE])
    assert session.connection_state is ConnectionState.RECONNECTING
    assert (session.session_id, session.participant_id, session.participant_sid) == (
        ALICE.session_id,
        "alice",
        "PA_alice",
    )
    assert (session.start_time, session.message_count) == (ALICE.start_time, 7)
    assert (session.end_time, session.truncated) == (None, None)


WHOLE = replace(
    ALICE,
    connection_state=ConnectionState.CONNECTED,
    name="Alice",
    kind=ParticipantKind.SIP,
    metadata="m",
    attributes={"a": "b"},
    connection_quality=ConnectionQuality.GOOD,
    truncated=True,
    context=EncodedJson({"mood": "fine"}, 100),
    microphone=Microphone.MUTED,
    speaking=True,
    reconnection_attempts=2,
    audio_quality=AudioQuality(0.1, 2.0, 30_000, 48_000, 1),
    conversation=(Message(1, Role.USER, "hello", IsoTime("2026-01-01T00:00:00.000Z")),),
)


def test_a_whole_session_comes_back_whole_and_reconnecting():
    (session,) = resumed_sessions([WHOLE])
    for each in fields(ResumedSession):
        if each.name not in ("connection_state", "conversation", "speaking", "audio_quality"):
            assert getattr(session, each.name) == getattr(WHOLE, each.name), each.name
    assert session.connection_state is ConnectionState.RECONNECTING


def test_metadata_over_the_limit_is_cut_again():
    (session,) = resumed_sessions([replace(ALICE, metadata="x" * (MAX_SHOWN_BYTES + 1))])
    assert (len(session.metadata), session.truncated) == (MAX_SHOWN_BYTES, True)


@pytest.mark.parametrize(
    "closed",
    [
        replace(ALICE, connection_state=ConnectionState.CLOSED),
        replace(ALICE, end_time=ALICE.start_time),
    ],
    ids=["closed", "with an end"],
)
def test_a_closed_session_is_refused(closed: ResumedSession):
    with pytest.raises(InvalidParams, match="closed"):
        resumed_sessions([closed])


def test_none_are_none():
    assert resumed_sessions([]) == ()


@pytest.mark.parametrize("name", ["session_id", "participant_id", "participant_sid"])
@pytest.mark.parametrize("value", ["", ALICE.session_id], ids=["empty", "repeated"])
def test_ids_that_are_empty_or_come_twice_are_refused(name: str, value: str):
    twin = replace(BOB, **{name: value and getattr(ALICE, name)})  # type: ignore[arg-type]
    with pytest.raises(InvalidParams, match="resume"):
        resumed_sessions([ALICE, twin])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2025-12-31T23:59:59Z", "2025-12-31T23:59:59.000Z"),
        ("2025-12-31T23:59:59.1234567Z", "2025-12-31T23:59:59.123Z"),
        ("2026-01-01T01:59:59.000+02:00", "2025-12-31T23:59:59.000Z"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_start_time_of_any_zone_is_shown_as_the_wire_has_it(given: str, expected: str):
    (session,) = resumed_sessions([replace(ALICE, start_time=IsoTime(given))])
    assert session.start_time == expected


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "yesterday",
        "1767225599000",
        "2025-12-31",
        "2025-12-31T23:59:59",
        "2025-13-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "\x00",
    ],
    ids=ascii,
)
def test_a_start_time_that_is_none_is_refused(nonsense: str):
    with pytest.raises(InvalidParams, match="resume"):
        resumed_sessions([replace(ALICE, start_time=IsoTime(nonsense))])


@pytest.mark.parametrize("count", [-1, 2**53, 2**64 - 1])
def test_a_count_that_cannot_be_is_refused(count: int):
    """One more message than 2**64 - 1 had no form in JSON, and ended the process."""
    for odd in (replace(ALICE, message_count=count), replace(ALICE, reconnection_attempts=count)):
        with pytest.raises(InvalidParams, match="resume"):
            resumed_sessions([odd])


@pytest.mark.parametrize("name", ["session_id", "room_name"])
def test_an_id_of_megabytes_is_refused(name: str):
    """Its control characters made lines over our own limit."""
    odd = replace(ALICE, **{name: "\x01" * 3_000_000})  # type: ignore[arg-type]
    with pytest.raises(InvalidParams, match="of over 2048 bytes"):
        resumed_sessions([odd])


@pytest.mark.parametrize("milliseconds", [0, 1, 999, 1_767_225_599_123, 253_402_300_799_999])
def test_a_time_comes_back_as_the_milliseconds_it_was_made_of(milliseconds: int):
    assert wall_ms(iso_time(milliseconds)) == milliseconds


@pytest.mark.parametrize("ahead_ms", [10**15, -(10**15)])
def test_a_clock_thousands_of_years_from_this_machine_s_is_refused(ahead_ms: int):
    with pytest.raises(InvalidParams, match="serverAheadMs"):
        inheritance(InitializeParams(protocol_version=1, server_ahead_ms=ahead_ms))


def test_the_outage_of_the_earlier_process_goes_on_in_seconds():
    assert inheritance(InitializeParams(protocol_version=1, outage_ms=45_000)).outage_s == 45.0
