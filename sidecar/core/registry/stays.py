"""Owns the open sessions as stays: finds, opens, shows and closes them.

Does not know why a stay begins or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession, AudioQuality, ConnectionState, Microphone
from sidecar.core.contract.wire import EncodedJson, iso_time, wall_ms, wire_name
from sidecar.core.facts import Moment, Participant, ParticipantState
from sidecar.core.registry.changes import Change, Closed, Created, Updated
from sidecar.core.registry.deadlines import RUNS_S, Due, LinkClock
from sidecar.core.registry.texts import Texts

YEAR_10000_MS = 253_402_300_800_000
"""Milliseconds from 1970 to the first year that ISO-8601 cannot write in four digits."""
MAX_USED_IDS = 65_536
"""Remembered session ids. An id contains milliseconds, so an older id cannot be made again."""
UPDATES_PER_S = 10
"""Announced updates of one session within a second; later ones wait, and are announced as one."""
MAX_TOMBSTONES = 4_096
"""Remembered sids of closed sessions."""


@dataclass(slots=True)
class Stay:
    """One open session."""

    sid: str
    """LiveKit's id of this stay."""
    opened_s: float
    """Attended seconds of the creation."""
    shown: AgentSession
    """The session as last announced to the client."""
    number: int
    """Its place in the order of announcements, from 1."""
    start_less_steady_ms: int
    """Its start on the server's clock, less the steady clock at the creation."""
    person: Participant | None = None
    """LiveKit's newest description until it is announced; then None, and `shown` has all of it."""
    was_active: bool = False
    is_overdue: bool = False
    """Whether the participant was not active within 30 s; ignored once `was_active` is set."""
    is_being_removed: bool = False
    hold_reason: CloseReason = CloseReason.LEFT
    """The close reason if the hold ends without the participant."""
    is_disputed: bool = False
    """The Room said that the participant left, and then the server's list still had the sid."""
    context: EncodedJson | None = None
    """What the voice plug-in set; None without it."""
    microphone: Microphone | None = None
    """None without a voice plug-in, like the next three."""
    is_speaking: bool | None = None
    quality: AudioQuality | None = None
    outages: int | None = None
    """Outages that the session lived through."""
    unshown_messages: int = 0
    """Messages that no announcement counts yet."""
    updated_s: tuple[float, ...] = ()
    """Attended seconds of the last updates, at most UPDATES_PER_S. An empty deque takes 760 B."""
    missed_s: float | None = None
    """Attended seconds of the first list without this sid; None after a list with it."""

    def why_absent(self, otherwise: CloseReason) -> CloseReason:
        """Return `removed` during a removal by the agent, else *otherwise*."""
        return CloseReason.REMOVED if self.is_being_removed else otherwise


class ServerClock:
    """Estimates the LiveKit server's clock; startTime and endTime of a stay both use it."""

    def __init__(self) -> None:
        """Start with this machine's clock, until `inherit` or `joined`."""
        self._less_steady_ms: int | None = None

    def inherit(self, ahead_ms: int, at: Moment) -> None:
        """Set the clock from an earlier process, unless it is set: see `ahead_ms`."""
        if self._less_steady_ms is None:
            now_ms = believable_ms(at.wall_ms + ahead_ms, at.wall_ms)
            self._less_steady_ms = now_ms - at.steady_ms

    def joined(self, server_ms: int | None, at: Moment) -> None:
        """Set the clock from a join: *server_ms* is the server's time, None if not known."""
        self._less_steady_ms = believable_ms(server_ms, self.now_ms(at)) - at.steady_ms

    def now_ms(self, at: Moment) -> int:
        """Return the server's time, milliseconds since 1970; this machine's until it is set."""
        return at.wall_ms if self._less_steady_ms is None else at.steady_ms + self._less_steady_ms

    def ahead_ms(self, at: Moment) -> int | None:
        """Return how far it is ahead of this machine's clock; None until it is set."""
        return None if self._less_steady_ms is None else self.now_ms(at) - at.wall_ms


class Recent(dict[str, None]):
    """The *limit* strings that were added last, oldest first."""

    def __init__(self, limit: int) -> None:
        """Start empty."""
        super().__init__()
        self._limit = limit

    def add(self, text: str) -> None:
        """Keep *text* as the newest, and drop the oldest if there are more than the limit."""
        self.pop(text, None)
        self[text] = None
        if len(self) > self._limit:
            del self[next(iter(self))]


class SessionIds(Recent):
    """Used session ids. Makes new ones, `session_{milliseconds}_{identity}`, each only once."""

    def __init__(self) -> None:
        """Start without used ids; `add` the ids that an earlier process made."""
        super().__init__(MAX_USED_IDS)

    def new(self, identity: str, joined_at_ms: int, now_ms: int) -> str:
        """Make an id from *joined_at_ms*; if it is used, from *now_ms* or the next free ms."""
        session_id = f"session_{joined_at_ms}_{identity}"
        while session_id in self:
            session_id = f"session_{now_ms}_{identity}"
            now_ms += 1
        self.add(session_id)
        return session_id


class OpenStays:
    """Holds at most one stay for each sid, each identity and each session id; oldest first.

    Look stays up in `by_sid`, `by_identity` and `by_session_id`. Only this class changes them.
    """

    def __init__(self, clock: LinkClock, texts: Texts, *, counts_outages: bool) -> None:
        """Start empty; *clock* has the stays' deadlines, *texts* the messages kept for later."""
        self._clock = clock
        self._texts = texts
        self._ids = SessionIds()
        self.tombstones = Recent(MAX_TOMBSTONES)
        """Sids that the server reported as gone; they never open again."""
        self.server_clock = ServerClock()
        self.room_name = ""
        self.own_identity = ""
        """The agent's identity."""
        self.ever_created = False
        self.counts_outages = counts_outages
        """Whether sessions show how many outages they lived through."""
        self._added = 0
        self.by_sid: dict[str, Stay] = {}
        self.by_identity: dict[str, Stay] = {}
        self.by_session_id: dict[str, Stay] = {}

    def __iter__(self) -> Iterator[Stay]:
        """Iterate over a copy, so that the caller may close stays meanwhile."""
        return iter(list(self.by_sid.values()))

    def create(self, person: Participant, at: Moment) -> tuple[Stay, Created]:
        """Open a stay for *person*. Call only if the sid and the identity have no open stay."""
        now_ms = self.server_clock.now_ms(at)
        start_ms = believable_ms(person.joined_at_ms, now_ms)
        shown = AgentSession(
            session_id=self._ids.new(person.identity, start_ms, now_ms),
            participant_id=person.identity,
            participant_sid=person.sid,
            room_name=self.room_name,
            start_time=iso_time(start_ms),
            message_count=0,
            connection_state=ConnectionState.CONNECTING,
            reconnection_attempts=0 if self.counts_outages else None,
            **described(person),
        )
        stay = self._open(shown, start_ms, at)
        stay.was_active = person.state is ParticipantState.ACTIVE
        if not stay.was_active:
            self._clock.set(Due.ACTIVE, stay.sid, at.attended_s)
        return stay, Created(shown)

    def take_ids(self, session_ids: Iterable[str]) -> None:
        """Mark session ids as used; an earlier process made them."""
        for session_id in session_ids:
            self._ids.add(session_id)

    def adopt(self, session: AgentSession, at: Moment) -> None:
        """Open a stay again that an earlier process opened; it keeps its session id."""
        self._ids.add(session.session_id)
        stay = self._open(session, wall_ms(session.start_time), at)
        self._clock.set(Due.ACTIVE, stay.sid, at.attended_s)

    def _open(self, shown: AgentSession, start_ms: int, at: Moment) -> Stay:
        self.ever_created = True
        self._added += 1
        stay = Stay(
            shown.participant_sid,
            at.attended_s,
            shown,
            number=self._added,
            start_less_steady_ms=start_ms - at.steady_ms,
            context=shown.context,
            microphone=shown.microphone,
            outages=shown.reconnection_attempts,
        )
        if not self._clock.is_up:
            if not self.by_sid and self._clock.is_outage_over(at.attended_s):
                self._clock.end_outage()  # it ended without open stays, so it closes nothing now
            self._clock.start_outage(at.attended_s)
        self.by_sid[stay.sid] = stay
        self.by_identity[shown.participant_id] = stay
        self.by_session_id[shown.session_id] = stay
        return stay

    def show(self, stay: Stay, at: Moment, new_messages: int = 0) -> list[Change]:
        """Return an `Updated` if *stay* differs from its last announcement.

        After UPDATES_PER_S of them within a second, returns nothing; then the deadline UPDATE is
        set, at which to call it again.
        """
        stay.unshown_messages += new_messages
        if self._must_wait(stay, at):
            return []
        changes = self._changes(stay)
        stay.person, stay.unshown_messages = None, 0
        return [self._updated(stay, changes, at)] if changes else []

    def show_all(self, at: Moment) -> Iterator[Change]:
        """Yield an `Updated` for each stay with a new connection state. Call after up or down."""
        for stay in self:
            state = self.state_of(stay)
            if state is not stay.shown.connection_state and not self._must_wait(stay, at):
                yield self._updated(stay, {"connection_state": state}, at)

    def _must_wait(self, stay: Stay, at: Moment) -> bool:
        times_s = stay.updated_s
        if len(times_s) < UPDATES_PER_S or at.attended_s >= times_s[0] + RUNS_S[Due.UPDATE]:
            return False
        self._clock.set(Due.UPDATE, stay.sid, times_s[0])
        return True

    def _updated(self, stay: Stay, changes: dict[str, Any], at: Moment) -> Updated:
        stay.shown = replace(stay.shown, **changes)
        stay.updated_s = (*stay.updated_s, at.attended_s)[-UPDATES_PER_S:]
        return Updated(stay.shown, tuple(map(wire_name, changes)))

    def _changes(self, stay: Stay) -> dict[str, Any]:  # Any: members of different types, by name
        """Return the members that are to be announced, by name, in the order of the wire."""
        now: dict[str, Any] = {
            "message_count": stay.shown.message_count + stay.unshown_messages,
            "connection_state": self.state_of(stay),
        }
        if stay.person is not None:
            now |= described(stay.person)
        now |= {
            "context": stay.context,
            "microphone": stay.microphone,
            "speaking": stay.is_speaking,
            "reconnection_attempts": stay.outages,
            "audio_quality": stay.quality,
        }
        return {name: value for name, value in now.items() if getattr(stay.shown, name) != value}

    def state_of(self, stay: Stay) -> ConnectionState:
        """Derive the connection state of an open stay."""
        if not self._clock.is_up:
            return ConnectionState.RECONNECTING
        if stay.was_active:
            return ConnectionState.CONNECTED
        return ConnectionState.ERROR if stay.is_overdue else ConnectionState.CONNECTING

    def close(
        self,
        stay: Stay,
        reason: CloseReason,
        detail: str | None,
        at: Moment,
        *,
        by_server: bool = False,
    ) -> list[Change]:
        """Close *stay*; with *by_server* its sid is tombstoned and never opens again.

        Set *by_server* only if the server itself said that the stay ended.
        """
        changes = self._changes(stay) if self._clock.has(Due.UPDATE, stay.sid) else {}
        del self.by_sid[stay.sid]
        del self.by_identity[stay.shown.participant_id]
        del self.by_session_id[stay.shown.session_id]
        self._ids.add(stay.shown.session_id)  # a long stay's id becomes the newest used id
        if by_server:
            self.tombstones.add(stay.sid)
        # A stay lasts at least as long as it was open here, also if its start is in our future.
        shortest_ms = stay.start_less_steady_ms + at.steady_ms
        ended_ms = max(self.server_clock.now_ms(at), shortest_ms)
        end_time = iso_time(min(ended_ms, YEAR_10000_MS - 1))
        self._clock.forget(stay.sid)
        self._texts.closed(stay.shown.participant_id, at.attended_s)
        changes |= {"connection_state": ConnectionState.CLOSED, "end_time": end_time}
        return [Closed(replace(stay.shown, **changes), reason, detail)]


def believable_ms(joined_at_ms: int | None, now_ms: int) -> int:
    """Return *joined_at_ms*, or *now_ms* if it is missing, not positive, or after 9999."""
    if joined_at_ms is None or not 0 < joined_at_ms < YEAR_10000_MS:
        return now_ms
    return joined_at_ms


def described(person: Participant) -> dict[str, Any]:  # Any: members of different types, by name
    """Return the members of a session that show *person*. Its texts must be `bounded`."""
    return {
        "name": person.name,
        "kind": person.kind,
        "metadata": person.metadata,
        "attributes": person.attributes,
        "connection_quality": person.quality,
        "truncated": True if person.is_cut else None,
    }
