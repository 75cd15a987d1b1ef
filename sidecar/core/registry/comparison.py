"""Owns the comparison of the open stays with the server's list of participants.

Does not know when or how the server is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession
from sidecar.core.facts import Listed, Moment, ParticipantState
from sidecar.core.registry.changes import Change
from sidecar.core.registry.deadlines import Due, LinkClock
from sidecar.core.registry.stays import OpenStays, Stay
from sidecar.core.values import dataclass

POLL_APART_S = 5.0
"""Attended seconds between two misses. The server's list and announcements lag by up to 4 s."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A ListParticipants request in flight, with the state when it was sent."""

    sids: frozenset[str]
    """The sids of the open stays when the request was sent."""
    held: frozenset[str]
    """The sids on hold when the request was sent."""
    link_number: int


class Comparison:
    """Compares the open stays with the server's answers. Call `begin`, ask, then `polled`."""

    def __init__(self, clock: LinkClock, stays: OpenStays) -> None:
        """*clock* has the deadlines of *stays*."""
        self._clock = clock
        self._stays = stays
        self.suspects: tuple[AgentSession, ...] = ()
        """Sessions missing from two lists, with no other sid of their identity in the last list.

        Ask the server about each, and pass the answer to `asked`. The list is not proof: it is
        kept by room name and identity, so a participant's end in an earlier room of the same name
        removes them from this room's list (livekit-server pkg/service/roommanager.go,
        DeleteParticipant).
        """

    @property
    def has_misses(self) -> bool:
        """Return whether the last list and the Room differed. If so, poll again soon."""
        return any(stay.missed_s is not None or stay.is_disputed for stay in self._stays)

    @property
    def has_doubts(self) -> bool:
        """Return whether a stay is on hold. If so, poll at once."""
        return bool(self._held())

    def _held(self) -> frozenset[str]:
        return frozenset(s.sid for s in self._stays if self._clock.has(Due.HOLD, s.sid))

    def without_session(self, listed: Sequence[Listed]) -> frozenset[str]:
        """Return the sids of listed, active participants without a session.

        Includes the agent's identity if the list lacks the agent: the server then sends the agent
        no events.
        """
        own_identity = self._stays.own_identity
        people = frozenset(
            each.sid
            for each in listed
            if each.is_announced
            and each.identity != own_identity
            and each.sid not in self._stays.by_sid
            and each.sid not in self._stays.tombstones
        )
        is_listed = any(each.identity == own_identity for each in listed)
        return people if is_listed else people | {own_identity}

    def has_people(self, listed: Sequence[Listed], agents: Collection[str]) -> bool:
        """Return whether *listed* has a person, other than stays that have ended here.

        *agents* are the agent's own identities, which do not count: the server may still list the
        agent's last stay, and lists an agent with a token of another kind as a person.
        """
        return any(
            each.is_person
            and each.state is not ParticipantState.DISCONNECTED
            and each.identity not in agents
            and each.sid not in self._stays.tombstones
            for each in listed
        )

    def begin(self) -> Poll:
        """Record the state now. Call just before the request, and pass the result to `polled`."""
        sids = frozenset(stay.sid for stay in self._stays)
        return Poll(sids, self._held(), self._clock.link_number)

    def polled(self, poll: Poll, listed: Sequence[Listed], at: Moment) -> list[Change]:
        """Compare the open stays with the server's list.

        A stay missing from two lists, 5 s apart, becomes a suspect. If its identity is listed
        with another sid, it closes with `left` at once.

        Ignores the list unless it has the agent and the link stayed up since `begin`. A listed stay
        that was on hold at `begin` continues: the SDK can mistake the late end of an earlier stay
        for the end of the open one.
        """
        self.suspects = ()
        identities = {each.identity for each in listed}
        if self._stays.own_identity not in identities or not self._is_still_good(poll):
            return []
        present = {each.sid for each in listed if each.state is not ParticipantState.DISCONNECTED}
        changes: list[Change] = []
        for stay in self._stays:
            if stay.sid not in poll.sids:
                continue
            if stay.sid in present:
                stay.missed_s = None
                if stay.sid in poll.held and self._clock.has(Due.HOLD, stay.sid):
                    self._clock.cancel(Due.HOLD, stay.sid)
                    stay.is_disputed = True
            elif stay.missed_s is None:
                stay.missed_s = at.attended_s
            elif at.attended_s - stay.missed_s >= POLL_APART_S:
                if stay.shown.participant_id in identities:
                    changes += self._close(stay, at)
                else:
                    self.suspects += (stay.shown,)
        return changes

    def asked(self, poll: Poll, session_id: str, is_there: bool, at: Moment) -> list[Change]:
        """Take the server's answer about a suspect of *poll*.

        If the participant is not there, the session closes with `left`, detail `reconcile`.
        """
        stay = self._stays.by_session_id.get(session_id)
        if stay is None or stay.missed_s is None or not self._is_still_good(poll):
            return []
        if is_there:
            stay.missed_s = None
            return []
        return self._close(stay, at)

    def _is_still_good(self, poll: Poll) -> bool:
        return self._clock.is_up and self._clock.link_number == poll.link_number

    def _close(self, stay: Stay, at: Moment) -> list[Change]:
        return self._stays.close(stay, stay.why_absent(CloseReason.LEFT), "reconcile", at)
