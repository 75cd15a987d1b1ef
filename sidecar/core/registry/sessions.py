"""Owns the open sessions and why each session ends: facts in, changes out.

The table of calls is in docs/behaviour.md. Does not know asyncio, clocks, LiveKit or the wire;
the caller passes the time to each call, and calls `expire()` at the time that `deadline()` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecar.core.contract.close_reasons import CloseReason, close_reason, outage_ending
from sidecar.core.contract.messages import AgentSession, AudioQuality, Microphone
from sidecar.core.contract.wire import EncodedJson
from sidecar.core.facts import (
    PERSON_KINDS,
    Audible,
    DisconnectReason,
    Joined,
    Moment,
    Participant,
    ParticipantState,
    reason_name,
)
from sidecar.core.registry.changes import Change
from sidecar.core.registry.comparison import Comparison
from sidecar.core.registry.deadlines import SNAPSHOT_HOLD_S, Due, LinkClock, earliest
from sidecar.core.registry.resumption import Inheritance
from sidecar.core.registry.stays import OpenStays
from sidecar.core.registry.texts import Texts


class Sessions:
    """The registry. Every call returns the changes it made, in order, as frozen copies."""

    def __init__(self, *, counts_outages: bool = False) -> None:
        """Start with no session and the link down; *counts_outages* in reconnectionAttempts."""
        self._clock = LinkClock()
        self._texts = Texts()
        self._stays = OpenStays(self._clock, self._texts, counts_outages=counts_outages)
        self.comparison = Comparison(self._clock, self._stays)
        """Compares these sessions with the server's own list."""

    # Questions

    def __len__(self) -> int:
        """Count the open sessions."""
        return len(self._stays.by_sid)

    def listed(self) -> tuple[AgentSession, ...]:
        """Return the open sessions, oldest announcement first."""
        return tuple(stay.shown for stay in self._stays)

    def numbered(self, after: int = 0) -> Iterator[tuple[int, AgentSession]]:
        """Return the open sessions announced after the number *after*, each with its number."""
        return ((stay.number, stay.shown) for stay in self._stays if stay.number > after)

    def get(self, session_id: str) -> AgentSession | None:
        """Return the open session with this id, or None."""
        stay = self._stays.by_session_id.get(session_id)
        return None if stay is None else stay.shown

    def of_identity(self, identity: str) -> AgentSession | None:
        """Return the open session of this identity, or None."""
        stay = self._stays.by_identity.get(identity)
        return None if stay is None else stay.shown

    def server_ahead_ms(self, at: Moment) -> int | None:
        """Return how far the server's clock is ahead of this machine's; None until it is known."""
        return self._stays.server_clock.ahead_ms(at)

    # Facts

    def resume(self, inherited: Inheritance, at: Moment) -> bool:
        """Continue the sessions of an earlier process; False after the first session or join.

        They stay `reconnecting` until the next snapshot. The outage of the earlier process counts
        towards the 45 s after which they close.
        """
        if self._stays.ever_created or self._stays.by_sid or self._clock.is_up:
            return False
        self._stays.take_ids(inherited.used_ids)
        if inherited.server_ahead_ms is not None:
            self._stays.server_clock.inherit(inherited.server_ahead_ms, at)
        for session in inherited.sessions:
            self._stays.adopt(session, at)
        if inherited.sessions and inherited.outage_s:
            self._clock.outage_began(at.attended_s - inherited.outage_s)
        return True

    def joined(self, joined: Joined, at: Moment) -> None:
        """Take over the room, the agent's identity and the server's clock; `snapshot` follows."""
        self._stays.room_name = joined.room_name
        self._stays.own_identity = joined.own_identity
        self._stays.server_clock.joined(joined.server_ms, at)

    def snapshot(self, people: Sequence[Participant], at: Moment) -> list[Change]:
        """Apply a full list of the room: mark the link up and call `seen` for all of *people*.

        An open session absent from *people* gets a hold of 3 s, and closes with
        `left-during-reconnect` when the hold ends.
        """
        if self._stays.counts_outages:
            for stay in self._stays:
                stay.outages = (stay.outages or 0) + (not self._clock.is_up)
        self._clock.up(at.attended_s)
        changes: list[Change] = []
        for stay in self._stays:
            if stay.shown.room_name != self._stays.room_name:
                changes += self._stays.close(stay, CloseReason.AGENT_DISCONNECTED, None, at)
        present = {each.sid for each in people if each.state is not ParticipantState.DISCONNECTED}
        for stay in self._stays:
            if stay.sid not in present:
                stay.hold_reason = CloseReason.LEFT_DURING_RECONNECT
                self._clock.set(Due.HOLD, stay.sid, at.attended_s, SNAPSHOT_HOLD_S)
        for person in people:
            changes += self.seen(person, at)
        changes += self._stays.show_all(at)
        return changes

    def seen(self, person: Participant, at: Moment) -> list[Change]:
        """Open or update the session of this sid, and end its hold.

        If the identity has a session with another sid, that session closes first, `replaced`.
        Ignores the agent, participants that are not humans, and sids in the tombstones.
        """
        if person.kind not in PERSON_KINDS or person.identity == self._stays.own_identity:
            return []
        if person.state is ParticipantState.DISCONNECTED or person.sid in self._stays.tombstones:
            return []
        changes: list[Change] = []
        new_messages = 0
        stay = self._stays.by_sid.get(person.sid)
        if stay is not None and stay.shown.participant_id != person.identity:
            return []  # a session never changes its identity, even if the server reuses a sid
        if stay is None:
            earlier = self._stays.by_identity.get(person.identity)
            if earlier is not None:
                why = earlier.why_absent(CloseReason.REPLACED)
                changes += self._stays.close(earlier, why, None, at, by_server=True)
            stay, created = self._stays.create(person, at)
            changes.append(created)
            if self._texts.kept:
                new_messages = self._texts.claim(person.identity, at.attended_s)
        else:
            stay.person = person
            stay.missed_s = None
            stay.is_disputed = False
            self._clock.cancel(Due.HOLD, person.sid)
            if person.state is ParticipantState.ACTIVE and not stay.was_active:
                stay.was_active = True
                self._clock.cancel(Due.ACTIVE, person.sid)
        changes += self._stays.show(stay, at, new_messages)
        return changes

    def left(self, sid: str, reason: int | None, at: Moment) -> list[Change]:
        """Close the session by the reason table; without a *reason*, hold it for 2 s.

        The SDK reports every participant as gone, without a reason, while it reconnects fully.
        """
        stay = self._stays.by_sid.get(sid)
        if stay is None:
            return []
        if reason is None or reason == DisconnectReason.UNKNOWN_REASON:
            if not self._clock.has(Due.HOLD, sid):
                stay.hold_reason = CloseReason.LEFT
                self._clock.set(Due.HOLD, sid, at.attended_s)
            return []
        why = close_reason(reason, was_active=stay.was_active)
        return self._stays.close(stay, why, reason_name(reason), at, by_server=True)

    def link_lost(self, reason: int, at: Moment) -> list[Change]:
        """Mark the link down and start the 45 s outage; holds and active deadlines pause.

        *reason* is LiveKit's if the Room ended, else 0. After SERVER_SHUTDOWN the outage closes the
        sessions with `server-shutdown`.
        """
        self._clock.start_outage(at.attended_s, reason)
        self._clock.down(at.attended_s)
        for stay in self._stays:
            stay.missed_s = None
        return list(self._stays.show_all(at))

    def text(self, identity: str, opened_s: float, at: Moment) -> list[Change]:
        """Count a message for the session that was open at *opened_s*, attended seconds.

        If the identity has no session yet, the message is kept for 5 s.
        """
        stay = self._stays.by_identity.get(identity)
        session_opened_s = None if stay is None else stay.opened_s
        if not self._texts.take(identity, opened_s, at.attended_s, session_opened_s):
            return []
        return [] if stay is None else self._stays.show(stay, at, new_messages=1)

    def say(
        self,
        session_id: str,
        at: Moment,
        *,
        new_messages: int = 0,
        context: EncodedJson | None = None,
    ) -> list[Change]:
        """Count messages for a session, or set its `context`: a voice plug-in says so."""
        stay = self._stays.by_session_id.get(session_id)
        if stay is None:
            return []
        if context is not None:
            stay.context = None if context.text == b"null" else context
        return self._stays.show(stay, at, new_messages)

    def audible(self, audible: Audible, at: Moment) -> list[Change]:
        """Set the microphone, speech and sound quality of a participant's session."""
        stay = self._stays.by_sid.get(audible.sid)
        if stay is None:
            return []
        stay.microphone = Microphone(audible.microphone)
        stay.is_speaking = audible.is_speaking
        stay.quality = audible.quality if isinstance(audible.quality, AudioQuality) else None
        return self._stays.show(stay, at)

    def removing(self, session_id: str) -> None:
        """Note that the server is being asked to remove this participant.

        From now on the session closes with `removed` when it leaves without a reason, when the
        server's list misses it, or when its identity comes back with another sid.
        """
        stay = self._stays.by_session_id.get(session_id)
        if stay is not None:
            stay.is_being_removed = True

    def removal_agreed(self, session_id: str, at: Moment) -> list[Change]:
        """Note that the server agreed to the removal; without a leave in 5 s, close `removed`."""
        stay = self._stays.by_session_id.get(session_id)
        if stay is not None:
            self._clock.set(Due.REMOVAL, stay.sid, at.attended_s)
        return []

    def removal_moot(self, session_id: str, reason: CloseReason, at: Moment) -> list[Change]:
        """Close the session: its participant was gone before the removal.

        Pass `left`, or `replaced` when the identity has another sid.
        """
        stay = self._stays.by_session_id.get(session_id)
        if stay is None:
            return []
        return self._stays.close(stay, reason, None, at, by_server=reason is CloseReason.REPLACED)

    def removal_failed(self, session_id: str) -> None:
        """Undo `removing`: the server did not remove the participant."""
        stay = self._stays.by_session_id.get(session_id)
        if stay is not None:
            stay.is_being_removed = False

    def close_all(self, reason: CloseReason, detail: str | None, at: Moment) -> Iterator[Change]:
        """Close every session and mark the link down: the agent left, or the room is gone.

        Each session closes when its change is taken. Take them all before the next fact.
        """
        self._clock.down(at.attended_s)
        self._clock.end_outage()
        return self._close_each(reason, detail, at)

    # Time

    def deadline(self) -> float | None:
        """Return the attended seconds at which to call `expire`; None if no deadline is set."""
        due_s = self._clock.earliest() if self._stays.by_sid else None
        return earliest(due_s, self._texts.deadline()) if self._texts.kept else due_s

    def expire(self, at: Moment) -> Iterator[Change]:
        """Close, or update, each session with a deadline that has passed. Call at `deadline()`.

        Each session changes when its change is taken. Take them all before the next fact.
        """
        self._texts.expire(at.attended_s)
        return self._expire_each(at)

    def _expire_each(self, at: Moment) -> Iterator[Change]:
        for due, sid in self._clock.take_passed(at.attended_s):
            yield from self._expired(due, sid, at)

    def _expired(self, due: Due, sid: str, at: Moment) -> Iterator[Change]:
        stay = self._stays.by_sid.get(sid)
        if due is Due.OUTAGE:
            why, detail = outage_ending(self._clock.outage_reason)
            yield from self._close_each(why, detail, at)
        elif stay is None:
            return
        elif due is Due.HOLD:
            yield from self._stays.close(stay, stay.why_absent(stay.hold_reason), None, at)
        elif due is Due.REMOVAL:
            yield from self._stays.close(stay, CloseReason.REMOVED, None, at, by_server=True)
        elif due is Due.ACTIVE:
            stay.is_overdue = True
            yield from self._stays.show(stay, at)
        elif due is Due.UPDATE:
            yield from self._stays.show(stay, at)

    def _close_each(self, reason: CloseReason, detail: str | None, at: Moment) -> Iterator[Change]:
        by_server = reason is CloseReason.ROOM_CLOSED
        for stay in self._stays:
            if self._stays.by_sid.get(stay.sid) is stay:  # else it closed since the call
                yield from self._stays.close(stay, reason, detail, at, by_server=by_server)
