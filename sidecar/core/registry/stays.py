"""Owns the open sessions: what is known of each, how it is found, opened, shown and closed.

Does not know why a stay begins or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession, ConnectionState
from sidecar.core.contract.wire import iso_time
from sidecar.core.facts import Moment, Participant
from sidecar.core.registry.changes import (
    Change,
    Closed,
    Created,
    Updated,
    believable_ms,
    changed_members,
    shown_session,
)
from sidecar.core.registry.deadlines import Due, LinkClock
from sidecar.core.registry.texts import Texts

MAX_USED_IDS = 65_536
"""An id holds its milliseconds, so only one as old as this many sessions could come again."""
MAX_TOMBSTONES = 4_096


@dataclass(slots=True)
class Stay:
    """One open session."""

    person: Participant | None
    """As LiveKit last described them; None until then for a stay of an earlier process."""
    opened_s: float
    """Attended seconds of the creation."""
    shown: AgentSession
    """As consumers last saw it."""
    was_active: bool = False
    is_overdue: bool = False
    """Whether it was not active in time; means nothing once it was."""
    is_being_removed: bool = False
    hold_reason: CloseReason = CloseReason.LEFT
    """Why it closes if its hold runs out."""
    is_disputed: bool = False
    """The Room said that they left, and the server's list that they did not."""
    ahead_ms: int = 0
    """By how much their `joined_at` was ahead of the server's clock as we knew it."""
    missed_s: float | None = None
    """When the server's list first missed it, while it goes on missing it."""

    @property
    def sid(self) -> str:
        """LiveKit's name of this stay."""
        return self.shown.participant_sid

    def why_absent(self, otherwise: CloseReason) -> CloseReason:
        """An absence that we asked for is a removal."""
        return CloseReason.REMOVED if self.is_being_removed else otherwise


class ServerClock:
    """The LiveKit server's clock: startTime and endTime of a stay are both read on it."""

    def __init__(self) -> None:
        """Start without knowing it."""
        self._ahead_ms: int | None = None

    def joined(self, server_ms: int | None, at: Moment) -> None:
        """The agent joined while the server's clock said *server_ms*; None where it did not say."""
        self._ahead_ms = believable_ms(server_ms, at.wall_ms) - at.steady_ms

    def now_ms(self, at: Moment) -> int:
        """What it says now, in milliseconds since 1970; until the first join, this machine's."""
        return at.wall_ms if self._ahead_ms is None else at.steady_ms + self._ahead_ms


class Recent:
    """The last *limit* strings added."""

    def __init__(self, limit: int) -> None:
        """Start empty."""
        self._limit = limit
        self._kept: dict[str, None] = {}

    def __contains__(self, text: str) -> bool:
        """Whether *text* is one of them."""
        return text in self._kept

    def add(self, text: str) -> None:
        """*text* is the newest of them."""
        self._kept.pop(text, None)
        self._kept[text] = None
        if len(self._kept) > self._limit:
            del self._kept[next(iter(self._kept))]


class SessionIds:
    """Hands out `session_{milliseconds}_{identity}`, each once."""

    def __init__(self) -> None:
        """Start with none used."""
        self._used = Recent(MAX_USED_IDS)

    def take(self, session_id: str) -> None:
        """An id that came from elsewhere is used."""
        self._used.add(session_id)

    def new(self, identity: str, joined_at_ms: int, now_ms: int) -> str:
        """The id of a stay since *joined_at_ms*; if that is used, the first free one from now."""
        session_id = f"session_{joined_at_ms}_{identity}"
        while session_id in self._used:
            session_id = f"session_{now_ms}_{identity}"
            now_ms += 1
        self._used.add(session_id)
        return session_id


class OpenStays:
    """At most one stay a sid, an identity and a session id; oldest first."""

    def __init__(self, clock: LinkClock, texts: Texts) -> None:
        """Start empty; *clock* has their deadlines, *texts* the messages they wait for."""
        self._clock = clock
        self._texts = texts
        self._ids = SessionIds()
        self.tombstones = Recent(MAX_TOMBSTONES)
        """The sids that the server itself said are gone; none of them opens again."""
        self.server_clock = ServerClock()
        self.room_name = ""
        self.own_identity = ""
        """The agent's."""
        self.ever_created = False
        self._by_sid: dict[str, Stay] = {}
        self._by_identity: dict[str, Stay] = {}
        self._by_session_id: dict[str, Stay] = {}

    def __len__(self) -> int:
        """How many are open."""
        return len(self._by_sid)

    def __iter__(self) -> Iterator[Stay]:
        """A copy, so that stays can close on the way."""
        return iter(list(self._by_sid.values()))

    def of_sid(self, sid: str) -> Stay | None:
        """The stay of this sid."""
        return self._by_sid.get(sid)

    def of_identity(self, identity: str) -> Stay | None:
        """The stay of this identity."""
        return self._by_identity.get(identity)

    def of_session(self, session_id: str) -> Stay | None:
        """The stay of this session id."""
        return self._by_session_id.get(session_id)

    def create(self, person: Participant, at: Moment) -> tuple[Stay, Created]:
        """A stay begins; nobody with this sid or identity has one."""
        now_ms = self.server_clock.now_ms(at)
        joined_at_ms = believable_ms(person.joined_at_ms, now_ms)
        shown = shown_session(
            person,
            session_id=self._ids.new(person.identity, joined_at_ms, now_ms),
            room_name=self.room_name,
            start_time=iso_time(joined_at_ms),
            message_count=0,
            connection_state=ConnectionState.CONNECTING,
        )
        stay = Stay(person, at.attended_s, shown, ahead_ms=max(0, joined_at_ms - now_ms))
        self.ever_created = True
        self._add(stay, at)
        self._clock.set(Due.ACTIVE, person.sid, at.attended_s)
        return stay, Created(shown)

    def take_ids(self, session_ids: Iterable[str]) -> None:
        """Session ids that an earlier process used."""
        for session_id in session_ids:
            self._ids.take(session_id)

    def adopt(self, session: AgentSession, at: Moment) -> None:
        """A stay that an earlier process opened goes on."""
        stay = Stay(None, at.attended_s, session)
        stay.shown = replace(session, connection_state=self.state_of(stay))
        self.ever_created = True
        self._ids.take(session.session_id)
        self._add(stay, at)
        self._clock.set(Due.ACTIVE, stay.sid, at.attended_s)

    def show(self, stay: Stay, new_messages: int = 0) -> Iterator[Change]:
        """What consumers do not know yet of *stay*."""
        message_count = stay.shown.message_count + new_messages
        state = self.state_of(stay)
        if stay.person is None:
            now = replace(stay.shown, message_count=message_count, connection_state=state)
        else:
            now = shown_session(
                stay.person,
                session_id=stay.shown.session_id,
                room_name=stay.shown.room_name,
                start_time=stay.shown.start_time,
                message_count=message_count,
                connection_state=state,
            )
        if now != stay.shown:
            changed = changed_members(stay.shown, now)
            stay.shown = now
            yield Updated(now, changed)

    def show_all(self) -> Iterator[Change]:
        """What the link's state changed."""
        for stay in self:
            state = self.state_of(stay)
            if state is not stay.shown.connection_state:
                stay.shown = replace(stay.shown, connection_state=state)
                yield Updated(stay.shown, ("connectionState",))

    def state_of(self, stay: Stay) -> ConnectionState:
        """The state of an open stay, derived."""
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
        """A stay ended; *by_server*: the server's own word, so its sid never opens again."""
        self.forget(stay)
        self._ids.take(stay.shown.session_id)  # used last now, however long ago it was new
        self._texts.closed(stay.shown.participant_id, at.attended_s)
        if by_server:
            self.tombstones.add(stay.sid)
        ended_ms = self.server_clock.now_ms(at) + stay.ahead_ms
        end_time = max(iso_time(ended_ms), stay.shown.start_time)
        closed = replace(stay.shown, connection_state=ConnectionState.CLOSED, end_time=end_time)
        return [Closed(closed, reason, detail)]

    def forget(self, stay: Stay) -> None:
        """A stay is not open any more."""
        del self._by_sid[stay.sid]
        del self._by_identity[stay.shown.participant_id]
        del self._by_session_id[stay.shown.session_id]
        self._clock.forget(stay.sid)

    def _add(self, stay: Stay, at: Moment) -> None:
        if not self._clock.is_up:
            if not self and self._clock.is_outage_over(at.attended_s):
                self._clock.end_outage()  # with nobody there to close
            self._clock.start_outage(at.attended_s)
        self._by_sid[stay.sid] = stay
        self._by_identity[stay.shown.participant_id] = stay
        self._by_session_id[stay.shown.session_id] = stay
