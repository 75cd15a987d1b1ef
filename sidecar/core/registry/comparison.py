"""Owns what the server's own list says of the open stays: whom it misses, and whom it still has.

Does not know when the server is asked, nor how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession
from sidecar.core.facts import Listed, Moment, ParticipantState
from sidecar.core.registry.changes import Change
from sidecar.core.registry.deadlines import Due, LinkClock
from sidecar.core.registry.stays import OpenStays, Stay

POLL_APART_S = 5.0
"""Two misses this far apart: the server's list and its announcements lag by up to 4 s."""


@dataclass(frozen=True, slots=True)
class Poll:
    """A ListParticipants under way: what its answer may be held against."""

    sids: frozenset[str]
    held: frozenset[str]
    """The sids on hold when the request was sent."""
    link_number: int


class Comparison:
    """Holds the open stays against answers of the server."""

    def __init__(self, clock: LinkClock, stays: OpenStays) -> None:
        """*clock* has the deadlines of *stays*."""
        self._clock = clock
        self._stays = stays
        self.suspects: tuple[AgentSession, ...] = ()
        """Whom the last answer missed for the second time, with nobody else of their identity.

        The server is to be asked about each alone: its list goes by room names and identities, and
        somebody's end in an earlier room of the same name takes them off this one's
        (livekit-server pkg/service/roommanager.go, DeleteParticipant).
        """

    @property
    def has_misses(self) -> bool:
        """Whether the last answer and the Room differed, so that the next one should be soon."""
        return any(stay.missed_s is not None or stay.is_disputed for stay in self._stays)

    @property
    def has_doubts(self) -> bool:
        """Whether a stay is held, so that the server's list should be asked at once."""
        return bool(self._held())

    def _held(self) -> frozenset[str]:
        return frozenset(s.sid for s in self._stays if self._clock.has(Due.HOLD, s.sid))

    def without_session(self, listed: Sequence[Listed]) -> frozenset[str]:
        """The sids of active participants whom the server lists, and who have no session.

        The agent's identity is among them where the list lacks it: the server then tells the
        agent nothing.
        """
        own_identity = self._stays.own_identity
        people = frozenset(
            each.sid
            for each in listed
            if each.is_announced
            and each.identity != own_identity
            and self._stays.of_sid(each.sid) is None
            and each.sid not in self._stays.tombstones
        )
        is_listed = any(each.identity == own_identity for each in listed)
        return people if is_listed else people | {own_identity}

    def begin(self) -> Poll:
        """The server is about to be asked."""
        sids = frozenset(stay.sid for stay in self._stays)
        return Poll(sids, self._held(), self._clock.link_number)

    def polled(self, poll: Poll, listed: Sequence[Listed], at: Moment) -> list[Change]:
        """Missed by two answers, 5 s apart: suspect, or `left` where the identity has another sid.

        An answer counts where it lists the agent and the link was up all the while. A session that
        is listed, and was held when the list was asked for, goes on: the SDK takes an earlier
        stay's late end for that of the stay now open.
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
        """The server's word of a suspect of *poll*; not there: close `left`, detail `reconcile`."""
        stay = self._stays.of_session(session_id)
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
