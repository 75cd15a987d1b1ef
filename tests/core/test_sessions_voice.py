"""What a voice plug-in adds to a session: only with one, and kept over outages and crashes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import (
    AudioQuality,
    ClosedSessionsParams,
    Microphone,
)
from sidecar.core.contract.protocol import MAX_LINE_BYTES
from sidecar.core.contract.wire import EncodedJson
from sidecar.core.facts import MAX_SHOWN_BYTES, Audible, Joined, Moment, Participant
from sidecar.core.registry.changes import Closed, Updated
from sidecar.core.registry.closed_sessions import ClosedSessions
from sidecar.core.registry.sessions import Sessions
from sidecar.rpc.jsonrpc import size_bytes, to_json
from tests.core.played import earlier
from tests.written import written

ANNA = Participant("PA_anna", "anna", joined_at_ms=1_000)
QUALITY = AudioQuality(0.01, 2.5, 32_000, 48_000, 2)
VOICE_MEMBERS = {"context", "microphone", "speaking", "reconnectionAttempts", "audioQuality"}


def at(seconds: float) -> Moment:
    return Moment(seconds, round(seconds * 1000), round(seconds * 1000))


def joined(*, counts_outages: bool = True) -> tuple[Sessions, str]:
    """A registry with anna's session, and its id."""
    sessions = Sessions(counts_outages=counts_outages)
    sessions.joined(Joined("r", "agent", (ANNA,)), at(0))
    sessions.snapshot([ANNA], at(0))
    return sessions, sessions.listed()[0].session_id


def members(sessions: Sessions) -> dict[str, object]:
    (session,) = sessions.listed()
    shown = written(session)
    return shown


def test_without_a_plug_in_a_session_has_none_of_the_members():
    sessions, _ = joined(counts_outages=False)
    sessions.link_lost(0, at(1))
    sessions.snapshot([ANNA], at(2))
    assert not VOICE_MEMBERS & set(members(sessions))


def test_each_outage_counts_once():
    sessions, _ = joined()
    assert members(sessions)["reconnectionAttempts"] == 0
    for second in (10, 20):
        sessions.link_lost(0, at(second))
        sessions.link_lost(0, at(second + 1))
        sessions.snapshot([ANNA], at(second + 2))
    sessions.snapshot([ANNA], at(30))
    assert members(sessions)["reconnectionAttempts"] == 2


def test_what_is_heard_is_shown_and_a_later_description_of_the_person_keeps_it():
    sessions, _ = joined()
    (update,) = sessions.audible(Audible("PA_anna", "on", True, QUALITY), at(1))
    assert isinstance(update, Updated)
    assert set(update.changed) == {"microphone", "speaking", "audioQuality"}
    assert update.session.microphone is Microphone.ON
    sessions.seen(ANNA, at(2))
    shown = members(sessions)
    assert (shown["microphone"], shown["speaking"]) == ("on", True)
    assert shown["audioQuality"] == {
        "packetLoss": 0.01,
        "jitterMs": 2.5,
        "bitrate": 32_000,
        "sampleRate": 48_000,
        "channels": 2,
    }
    assert sessions.audible(Audible("PA_anna", "on", True, QUALITY), at(3)) == []
    assert sessions.audible(Audible("PA_ben", "on", None, None), at(3)) == []


def test_a_context_is_set_changed_and_removed():
    sessions, session_id = joined()
    sessions.say(session_id, at(1), context=EncodedJson({"mood": "fine"}, 100))
    assert sessions.listed()[0].context == EncodedJson({"mood": "fine"}, 100)
    sessions.say(session_id, at(2), context=EncodedJson(None, 100))
    assert sessions.listed()[0].context is None
    assert sessions.say("session_1_nobody", at(3), context=EncodedJson(1, 100)) == []


def test_the_plug_in_s_words_count_as_messages():
    sessions, session_id = joined()
    sessions.say(session_id, at(1), new_messages=1)
    assert sessions.listed()[0].message_count == 1


def test_closed_sessions_are_numbered_paged_and_at_most_256():
    closed = ClosedSessions()
    sessions, _ = joined()
    (change,) = sessions.close_all(CloseReason.LEFT, "CLIENT_INITIATED", at(61))
    assert isinstance(change, Closed)
    for _ in range(300):
        closed.add(change)
    page = closed.page(ClosedSessionsParams(), size_bytes)
    assert [page.sessions[0].number, page.sessions[-1].number, page.next] == [45, 300, None]
    assert page.sessions[0].duration_ms == 61_000
    assert (page.sessions[0].reason, page.sessions[0].detail) == ("left", "CLIENT_INITIATED")
    first = closed.page(ClosedSessionsParams(after=50, limit=2), size_bytes)
    assert ([each.number for each in first.sessions], first.next) == ([51, 52], 52)
    with pytest.raises(InvalidParams):
        closed.page(ClosedSessionsParams(after=-1), size_bytes)


def test_a_page_of_closed_sessions_is_never_over_a_line():
    """256 closes with texts at their limits made an answer that was always too long."""
    closed, text = ClosedSessions(), "\x01" * MAX_SHOWN_BYTES
    shown = replace(earlier(), metadata=text, attributes={"a": text[1:]})
    for _ in range(256):
        closed.add(Closed(shown, CloseReason.LEFT, "CLIENT_INITIATED"))
    after: int | None = 0
    numbers: list[int] = []
    while after is not None:
        page = closed.page(ClosedSessionsParams(after=after), size_bytes)
        assert len(to_json(page)) < MAX_LINE_BYTES
        numbers += [each.number for each in page.sessions]
        after = page.next
    assert numbers == list(range(1, 257))
