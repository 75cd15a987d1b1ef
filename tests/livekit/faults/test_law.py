"""The law itself: each promise, broken, is noticed. No server and no sidecar."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.dev.stdio_client import JsonObject, Notification
from tests.livekit.faults.law import Law, LawBroken


def _session(number: int = 1, identity: str = "bob", /, **more: object) -> JsonObject:
    return {
        "sessionId": f"session_{number}_{identity}",
        "participantId": identity,
        "participantSid": f"PA_{number}",
        "roomName": "r",
        "startTime": "2026-01-31T12:00:00.000Z",
        "kind": "standard",
        "connectionState": "connecting",
        **more,
    }


def _closed_session(number: int = 1, identity: str = "bob", /, **more: object) -> JsonObject:
    end = {"connectionState": "closed", "endTime": "2026-01-31T12:00:01.000Z"}
    return {**_session(number, identity), **end, **more}


def _told(law: Law, method: str, seq: int, **params: object) -> None:
    law.take(Notification(method, {"epoch": "e", **params, "seq": seq}, float(seq)))


def _law() -> Law:
    law = Law()
    law.accept({"bob": ["left"]})
    _told(law, "session-created", 1, session=_session())
    return law


def _update(law: Law, changed: list[str], seq: int = 2, **more: object) -> None:
    _told(law, "session-updated", seq, session=_session(**more), changed=changed)


def test_what_keeps_the_law_passes() -> None:
    law = _law()
    _update(law, ["connectionState"], connectionState="connected")
    law.check_list({"sessions": [_session(connectionState="connected")], "seq": 2, "epoch": "e"})
    _told(law, "session-closed", 3, session=_closed_session(), reason="left", detail="X")
    _told(law, "session-created", 4, session=_session(2))
    _told(law, "agent-state-changed", 5, state="connecting", previousState="idle")
    assert law.closed("bob") == [("left", "X")]
    assert law.sids() == {"PA_2"}


BREACHES: dict[str, Callable[[Law], None]] = {
    "a gap in seq": lambda law: _update(law, [], seq=3),
    "another epoch": lambda law: _told(
        law, "session-updated", 2, session=_session(), changed=[], epoch="f"
    ),
    "an unknown notification": lambda law: _told(law, "session-moved", 2),
    "an id twice": lambda law: _told(law, "session-created", 2, session=_session()),
    "two sessions of one identity": lambda law: _told(
        law, "session-created", 2, session=_session(2)
    ),
    "created as connected": lambda law: _told(
        law,
        "session-created",
        2,
        session=_session(2, "carol", connectionState="connected"),
    ),
    "changed says too little": lambda law: _update(law, [], connectionState="connected"),
    "changed says too much": lambda law: _update(law, ["name"]),
    "another start": lambda law: _update(law, ["startTime"], startTime="2026-01-31T12:00:02Z"),
    "an update of none": lambda law: _told(
        law, "session-updated", 2, session=_session(2, "carol"), changed=[]
    ),
    "a close of none": lambda law: _told(
        law, "session-closed", 2, session=_closed_session(2, "carol"), reason="left"
    ),
    "a reason not accepted": lambda law: _told(
        law, "session-closed", 2, session=_closed_session(), reason="removed"
    ),
    "a reason not of the enum": lambda law: _told(
        law, "session-closed", 2, session=_closed_session(), reason="gone"
    ),
    "a shutdown that nobody asked for": lambda law: _told(
        law, "session-closed", 2, session=_closed_session(), reason="sidecar-shutdown"
    ),
    "closed in another state": lambda law: _told(
        law,
        "session-closed",
        2,
        session=_closed_session(connectionState="connected"),
        reason="left",
    ),
    "an end before the start": lambda law: _told(
        law,
        "session-closed",
        2,
        session=_closed_session(endTime="2026-01-31T11:00:00.000Z"),
        reason="left",
    ),
    "a state from nowhere": lambda law: _told(
        law, "agent-state-changed", 2, state="connected", previousState="connecting"
    ),
    "a list that lacks one": lambda law: law.check_list({"sessions": [], "seq": 1, "epoch": "e"}),
    "an end with an open session": lambda law: law.check_end(),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_noticed(breach: str) -> None:
    law = _law()
    with pytest.raises(LawBroken):
        BREACHES[breach](law)


def test_the_first_breach_is_the_one_that_is_told() -> None:
    law = _law()
    with pytest.raises(LawBroken, match="closed removed"):
        _told(law, "session-closed", 2, session=_closed_session(), reason="removed")
    with pytest.raises(LawBroken, match="closed removed"):
        _told(law, "session-created", 3, session=_session(2))
    with pytest.raises(LawBroken, match="closed removed"):
        law.check_list({"sessions": [], "seq": 1, "epoch": "e"})
    with pytest.raises(LawBroken, match="closed removed"):
        law.check_end()


def test_a_sid_that_closed_reopens_only_where_that_is_accepted() -> None:
    law = _law()
    _told(law, "session-closed", 2, session=_closed_session(), reason="left")
    again = {**_session(2), "participantSid": "PA_1"}
    with pytest.raises(LawBroken):
        _told(law, "session-created", 3, session=again)
    law = _law()
    law.accept_reopening("bob")
    _told(law, "session-closed", 2, session=_closed_session(), reason="left")
    _told(law, "session-created", 3, session=again)
