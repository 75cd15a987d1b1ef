"""Histories of a room, played to the registry: facts with their times in, one line a change out.

Owns the clock of these tests: time passes as the shell lets it pass, deadline by deadline.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sidecar.core.contract.messages import AgentSession, ConnectionState
from sidecar.core.contract.wire import IsoTime
from sidecar.core.facts import (
    ConnectionQuality,
    Joined,
    Listed,
    Moment,
    Participant,
    ParticipantKind,
    ParticipantState,
    bounded,
)
from sidecar.core.registry.changes import Change, Closed, Created
from sidecar.core.registry.comparison import Poll
from sidecar.core.registry.sessions import Sessions
from tests.written import written

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the wall clock at attended second 0."""
UPTIME_MS = 7_200_000
"""For how long the machine has been up at attended second 0."""
_TIMELESS = frozenset({"removing", "removal_failed"})
_OF_THE_LIST = frozenset({"polled", "asked"})
_MOST_DEADLINES = 10_000


def moment(now_s: float) -> Moment:
    """Attended second *now_s*, with a wall clock that runs alike."""
    now_ms = round(now_s * 1000)
    return Moment(float(now_s), START_MS + now_ms, UPTIME_MS + now_ms)


def someone(
    identity: str = "alice",
    sid: str = "",
    state: ParticipantState = ParticipantState.ACTIVE,
    *,
    joined_at_ms: int | None = START_MS - 1_000,
    kind: ParticipantKind = ParticipantKind.STANDARD,
    name: str = "",
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
) -> Participant:
    """A participant, by default an active person whose sid is `PA_{identity}`."""
    whole = Participant(
        sid=sid or f"PA_{identity}",
        identity=identity,
        state=state,
        joined_at_ms=joined_at_ms,
        kind=kind,
        name=name,
        metadata=metadata,
        attributes=attributes or {},
    )
    return bounded(whole)


def earlier(identity: str = "alice", sid: str = "", room_name: str = "den") -> AgentSession:
    """A session that an earlier process had open."""
    return AgentSession(
        session_id=f"session_{START_MS - 1_000}_{identity}",
        participant_id=identity,
        participant_sid=sid or f"PA_{identity}",
        room_name=room_name,
        start_time=IsoTime("2025-12-31T23:59:59.000Z"),
        message_count=7,
        connection_state=ConnectionState.RECONNECTING,
        name="",
        kind=ParticipantKind.STANDARD,
        metadata="",
        attributes={},
        connection_quality=ConnectionQuality.UNKNOWN,
    )


def joining(identity: str = "alice", sid: str = "") -> Participant:
    """A person who is in the room and has no media connection yet."""
    return someone(identity, sid, ParticipantState.JOINED)


def listing(*people: Participant, agent: str = "clara") -> tuple[Listed, ...]:
    """The server's list: the agent itself, and *people*."""
    own = Listed("PA_own", agent, ParticipantKind.AGENT, ParticipantState.ACTIVE)
    return (own, *(Listed(each.sid, each.identity, each.kind, each.state) for each in people))


class Registry:
    """The registry under test, and a line for each change it made."""

    def __init__(self) -> None:
        """Start at second 0 with nothing known."""
        self.sessions = Sessions()
        self.changes: list[Change] = []
        self.lines: list[str] = []
        self.now_s = 0.0

    def joined(
        self, *people: Participant, now_s: float = 0.0, server_ms: int | None = None
    ) -> Registry:
        """The agent `clara` joined room `den`, where *people* are; returns itself."""
        self.at(now_s, "joined", Joined("den", "clara", people, server_ms))
        self.at(now_s, "snapshot", people)
        return self

    def at(self, now_s: float, fact: str = "", *args: object, **named: object) -> list[str]:
        """Let time pass until *now_s*, then tell *fact*; the lines of both."""
        before = len(self.lines)
        self._let_time_pass(now_s)
        if fact:
            if fact not in _TIMELESS:
                named["at"] = moment(now_s)
            owner = self.sessions.comparison if fact in _OF_THE_LIST else self.sessions
            self._note(getattr(owner, fact)(*args, **named))
        return self.lines[before:]

    def id_of(self, sid: str) -> str:
        """The id of the open session of *sid*."""
        return self.session_of(sid).session_id

    def session_of(self, sid: str) -> AgentSession:
        """The open session of *sid*."""
        (found,) = (each for each in self.sessions.listed() if each.participant_sid == sid)
        return found

    def poll(self, now_s: float, *people: Participant, there: Collection[str] = ()) -> list[str]:
        """A poll sent and answered at *now_s*: the server lists *people*.

        Of the suspects, it knows those whose identity is *there*.
        """
        self.at(now_s)
        poll: Poll = self.sessions.comparison.begin()
        lines = self.at(now_s, "polled", poll, listing(*people))
        for each in self.sessions.comparison.suspects:
            is_there = each.participant_id in there
            lines += self.at(now_s, "asked", poll, each.session_id, is_there)
        return lines

    def _let_time_pass(self, now_s: float) -> None:
        assert now_s >= self.now_s, "histories are told in order"
        for _ in range(_MOST_DEADLINES):
            due_s = self.sessions.deadline()
            if due_s is None or due_s > now_s:
                break
            self.now_s = max(self.now_s, due_s)
            self._note(self.sessions.expire(moment(self.now_s)))
        else:
            raise AssertionError("a deadline that `expire` does not take away")
        self.now_s = now_s

    def _note(self, changes: object) -> None:
        if isinstance(changes, Iterable):
            changes = list(changes)
            self.changes += changes
            self.lines += [f"{round(self.now_s, 3):g} {_line(each)}" for each in changes]


def played(*history: tuple[object, ...]) -> list[str]:
    """The lines of a history: facts as `(second, name of the call, arguments...)`.

    `(20,)` alone lets time pass. A snapshot's room is `den`, our identity `clara`.
    """
    registry = Registry()
    lines: list[str] = []
    for second, *rest in history:
        assert isinstance(second, int | float)
        if rest and rest[0] == "snapshot":
            registry.at(second, "joined", Joined("den", "clara", ()))
        lines += registry.at(second, *rest)  # type: ignore[arg-type]
    return lines


def _line(change: Change) -> str:
    sid = change.session.participant_sid
    if isinstance(change, Created):
        return f"created {sid} {change.session.connection_state}"
    if isinstance(change, Closed):
        return f"closed {sid} {change.reason}" + (f" {change.detail}" if change.detail else "")
    shown = written(change.session)
    return f"updated {sid} " + " ".join(f"{name}={shown.get(name)}" for name in change.changed)
