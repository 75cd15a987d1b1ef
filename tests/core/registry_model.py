"""What the specification says of the registry's time, reasons and changes, in another way.

Owns an oracle: the fold of the changes, and each deadline and close reason found anew from the
facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession, ConnectionState
from sidecar.core.contract.wire import fields_of, wall_ms
from sidecar.core.facts import Participant, reason_name
from sidecar.core.registry.changes import (
    Change,
    Closed,
    Created,
    Updated,
)
from tests.core.played import START_MS

HOLD_S, SNAPSHOT_HOLD_S, ACTIVE_S, REMOVAL_S, OUTAGE_S = 2.0, 3.0, 30.0, 5.0, 45.0
KEPT_S = 5.0

Why = tuple[CloseReason, str | None]
"""The reason and the detail of a close."""
NOTHING_CLOSES: Mapping[str, Collection[Why]] = {}

REASONS: dict[int, tuple[str, str]] = {
    # number: (once active, never active)
    1: ("left", "left"),
    2: ("replaced", "replaced"),
    3: ("server-shutdown", "server-shutdown"),
    4: ("removed", "removed"),
    5: ("room-closed", "room-closed"),
    6: ("connection-lost", "connection-lost"),
    7: ("join-failed", "join-failed"),
    8: ("connection-lost", "connection-lost"),
    9: ("connection-lost", "join-failed"),
    10: ("room-closed", "room-closed"),
    11: ("left", "left"),
    12: ("left", "left"),
    13: ("join-failed", "join-failed"),
    14: ("connection-lost", "connection-lost"),
    15: ("connection-lost", "connection-lost"),
    16: ("left", "left"),
}
"""Why a session closes, by LiveKit's own numbers; any other number means `left`."""


def changed_members(before: AgentSession, now: AgentSession) -> tuple[str, ...]:
    """The wire names of the members that differ, in the order of the wire."""
    return tuple(
        each.wire_name
        for each in fields_of(AgentSession)
        if getattr(before, each.name) != getattr(now, each.name)
    )


@dataclass
class Open:
    """What is known of one open sid beside how it is shown."""

    identity: str
    opened_linked_s: float
    opened_s: float
    is_active: bool = False
    is_overdue: bool = False
    hold: tuple[float, float] | None = None
    """Since when, in seconds of link, and for how long."""
    hold_reason: CloseReason = CloseReason.LEFT
    is_being_removed: bool = False
    removal_s: float | None = None
    lasted_ms: int = 0
    """How long it had lasted when it was opened, by the server's clock."""

    def why(self, otherwise: CloseReason, detail: str | None = None) -> Why:
        """Why it closes when LiveKit gave no reason: *otherwise*, unless it is being removed."""
        return (CloseReason.REMOVED if self.is_being_removed else otherwise), detail


@dataclass
class Model:
    """The fold of all changes, and the clocks."""

    now_s: float = 0.0
    is_up: bool = False
    times_up: int = 0
    linked_base_s: float = 0.0
    up_since_s: float = 0.0
    server_ahead_ms: int = 0
    """By how much the server's clock is ahead of this machine's."""
    is_clock_known: bool = False
    """Whether the server's clock is, by a join or from an earlier process."""
    lost_s: float | None = None
    lost_reason: int = 0
    """LiveKit's number for the end of our Room with which the outage began."""
    shown: dict[str, AgentSession] = field(default_factory=dict)
    """Open sessions by sid, oldest announcement first."""
    open: dict[str, Open] = field(default_factory=dict)
    used_ids: set[str] = field(default_factory=set)
    closed_ids: set[str] = field(default_factory=set)
    gone_for_good: set[str] = field(default_factory=set)
    """Sids closed by the server's own word, or whose creation failed."""
    closed_s: dict[str, float] = field(default_factory=dict)
    """When an identity's last session closed."""
    kept: list[tuple[str, float]] = field(default_factory=list)
    """Whose message waits for a session, and since when."""
    claimed: int = 0
    """Messages that the session created last is to have with its first update."""

    # Time

    def linked_s(self) -> float:
        """Seconds that the link was up, so far."""
        return self.linked_base_s + (self.now_s - self.up_since_s if self.is_up else 0.0)

    def server_now_ms(self) -> int:
        """What the server's clock says."""
        return START_MS + round(self.now_s * 1000) + self.server_ahead_ms

    def goes_up(self) -> None:
        """A snapshot came."""
        if not self.is_up:
            self.is_up, self.up_since_s = True, self.now_s
            self.times_up += 1
        self.lost_s = None

    def goes_down(self, reason: int = 0, *, is_outage: bool = True) -> None:
        """The link is shaky or down; *is_outage* unless we closed it ourselves."""
        self.linked_base_s = self.linked_s()
        self.is_up = False
        if not is_outage:
            self.lost_s = None
        else:
            self._outage_begins(reason)

    def deadline(self) -> float | None:
        """When something comes about, as things stand."""
        found = [
            each.removal_s + REMOVAL_S for each in self.open.values() if each.removal_s is not None
        ]
        if self.is_up:
            to_linked = self.up_since_s - self.linked_base_s
            for each in self.open.values():
                if each.hold is not None:
                    found.append(to_linked + sum(each.hold))
                if not each.is_active and not each.is_overdue:
                    found.append(to_linked + each.opened_linked_s + ACTIVE_S)
        elif self.lost_s is not None and self.open:
            found.append(self.lost_s + OUTAGE_S)
        found += [since_s + KEPT_S for _, since_s in self.kept]
        return min(found, default=None)

    def texted(self, identity: str, opened_s: float) -> int:
        """A message of *identity* is complete: how many count for the session that is open."""
        sid = next((sid for sid, each in self.open.items() if each.identity == identity), None)
        if sid is not None and self.open[sid].opened_s <= opened_s:
            return 1
        if opened_s <= self.closed_s.get(identity, float("-inf")):
            return 0
        if sid is not None:
            return 1
        self.kept.append((identity, self.now_s))
        return 0

    def drops_what_was_kept_for_too_long(self) -> None:
        """Time passed, and somebody looked."""
        self.kept = [each for each in self.kept if each[1] + KEPT_S > self.now_s]

    def state_of(self, sid: str) -> ConnectionState:
        """The derived state."""
        stay = self.open[sid]
        if not self.is_up:
            return ConnectionState.RECONNECTING
        if stay.is_active:
            return ConnectionState.CONNECTED
        return ConnectionState.ERROR if stay.is_overdue else ConnectionState.CONNECTING

    # Reasons

    def why_left(self, sid: str, number: int) -> Why:
        """Why the session of *sid* closes on a leave with LiveKit's reason *number*."""
        active, never_active = REASONS.get(number, ("left", "left"))
        why = active if self.open[sid].is_active else never_active
        return CloseReason(why), reason_name(number)

    def why_outage(self) -> Why:
        """Why sessions close that the outage lasted too long for."""
        detail = reason_name(self.lost_reason) if self.lost_reason else None
        is_shutdown = self.lost_reason == 3
        return (CloseReason.SERVER_SHUTDOWN if is_shutdown else CloseReason.CONNECTION_LOST), detail

    def whys_replaced(self, crowd: Iterable[Participant]) -> dict[str, list[Why]]:
        """Why each stay closes of whose identity *crowd* shows another sid."""
        found: dict[str, list[Why]] = {}
        for person in crowd:
            for sid, stay in self.open.items():
                if stay.identity == person.identity and sid != person.sid:
                    found[sid] = [stay.why(CloseReason.REPLACED)]
            # A crowd that the server mixed up may hold one identity several times.
            found.setdefault(person.sid, [(CloseReason.REPLACED, None)])
        return found

    # Changes

    def fold(
        self, changes: Iterable[Change], may_close: Mapping[str, Collection[Why]] = NOTHING_CLOSES
    ) -> None:
        """Take *changes* over; hold each against the laws, and each close against *may_close*.

        *may_close* gives, by sid, every reason and detail that a close may have.
        """
        for change in changes:
            if isinstance(change, Created):
                self._created(change.session)
            elif isinstance(change, Updated):
                self._updated(change)
            else:
                why = (change.reason, change.detail)
                allowed = may_close.get(change.session.participant_sid, ())
                assert why in allowed, f"closed {why}, where {allowed} is true"
                self._closed(change)

    def adopted(self, session: AgentSession) -> None:
        """*session* was resumed."""
        self.used_ids.add(session.session_id)
        self._began_without_a_link()
        self._opened(session)

    def _created(self, session: AgentSession) -> None:
        sid = session.participant_sid
        assert session.session_id not in self.used_ids, "an id used twice"
        assert sid not in self.shown, "a sid opened twice"
        assert sid not in self.gone_for_good, "a sid that is closed for good came back"
        assert all(each.identity != session.participant_id for each in self.open.values())
        assert session.session_id.startswith("session_")
        assert session.session_id.endswith(f"_{session.participant_id}")
        assert session.connection_state is ConnectionState.CONNECTING
        assert (session.message_count, session.end_time) == (0, None)
        self.used_ids.add(session.session_id)
        self._began_without_a_link()
        self._opened(session)
        self._claims(session.participant_id)

    def _claims(self, identity: str) -> None:
        self.drops_what_was_kept_for_too_long()
        self.claimed = sum(1 for who, _ in self.kept if who == identity)
        self.kept = [each for each in self.kept if each[0] != identity]

    def _began_without_a_link(self) -> None:
        if self.is_up:
            return
        if not self.open and self.lost_s is not None and self.lost_s + OUTAGE_S <= self.now_s:
            self.lost_s = None  # it ended without open sessions: it closes nothing now
        self._outage_begins(0)

    def _outage_begins(self, reason: int) -> None:
        if self.lost_s is None:
            self.lost_s, self.lost_reason = self.now_s, reason

    def _opened(self, session: AgentSession) -> None:
        opened = Open(session.participant_id, self.linked_s(), self.now_s)
        # A start that is ahead is the word of another node or process: it lasts from now on.
        opened.lasted_ms = max(0, self.server_now_ms() - wall_ms(session.start_time))
        self.shown[session.participant_sid] = session
        self.open[session.participant_sid] = opened

    def _updated(self, change: Updated) -> None:
        before = self.shown[change.session.participant_sid]
        assert change.changed, "an update of nothing"
        assert change.changed == changed_members(before, change.session)
        fixed = {"sessionId", "participantId", "participantSid", "roomName", "startTime", "endTime"}
        assert not fixed & set(change.changed)
        assert change.session.message_count >= before.message_count
        if before.message_count == 0 and self.claimed:
            assert change.session.message_count == self.claimed, "kept messages that do not count"
        self.claimed = 0
        self.shown[change.session.participant_sid] = change.session

    def _closed(self, change: Closed) -> None:
        session, sid = change.session, change.session.participant_sid
        before = self.shown.pop(sid)
        assert session.session_id == before.session_id
        assert session.session_id not in self.closed_ids, "closed twice"
        assert session.connection_state is ConnectionState.CLOSED
        assert session.end_time is not None
        assert session.end_time >= session.start_time
        assert set(changed_members(before, session)) <= {"connectionState", "endTime"}
        opened = self.open[sid]
        if self.is_clock_known:
            lasted_ms = wall_ms(session.end_time) - wall_ms(session.start_time)
            expected_ms = opened.lasted_ms + (self.now_s - opened.opened_s) * 1000
            assert abs(lasted_ms - expected_ms) <= 2, "a duration that is no time that passed"
        self.closed_ids.add(session.session_id)
        self.closed_s[session.participant_id] = self.now_s
        del self.open[sid]
