"""Holds what the sidecar said against what is true.

Pure: the ledger and the hearing in, violations out. The promise it judges is the product's: each
stay that the server announces has exactly one created and one closed, in order, with a true
reason; a stay during which the agent was away for over 45 s may be closed and begin anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.soak.hearing import Hearing, Session
from tests.soak.ledger import EndKind, Ledger, Stay
from tests.soak.reasons import ASKED_TO_CLOSE, BY_SERVERS_REASON, KINDS, LATE_S
from tests.soak.windows import (
    Window,
    connected,
    covers,
    hearing,
    longest_gap_s,
    longest_s,
    total_s,
    without,
)

UNSEEN_S = 3.1
"""The server announces a silent participant at the next tick of 3 s; one who stays for less may
never be announced (measured: up to 3.05 s)."""
PUBLISHED_S = 1.0
"""A publisher is announced at once (measured: 0.12 s at most, on a machine that is not busy)."""
AWAY_S = 44.0
"""The promise's limit of 45 s, less what the harness hears late."""
GHOST_S = 50.0
"""Of connected time: two polls of the server's list, 30 s apart at most, and their answers."""
MARGIN_S = 1.0
"""Of the order of what two processes noticed."""
TOLD_S = 5.0
"""Of the order of what the server told the agent and what its webhooks tell us."""
FLUSHED_S = 1.0
"""From the SDK's word that a text is sent until it surely is: a leave does not wait for it."""
WITHOUT_WORD_S = 30.0
"""From a deed that no webhook confirmed to the end that the server surely knows of."""


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    kind: str
    at_s: float
    identity: str
    words: str


class Judge:
    """verdict() gives all violations, in the order of KINDS."""

    def __init__(self, ledger: Ledger, heard: Hearing, until_s: float) -> None:
        """*ledger* is settled; *until_s* is when the hearing ended."""
        self._ledger = ledger
        self._heard = heard
        self._until_s = until_s
        self._connected = connected(heard.states, until_s)
        self._hearing = hearing(self._connected, ledger.faults)
        self._sessions: dict[str, list[Session]] = defaultdict(list)
        for session in heard.sessions:
            self._sessions[session.sid].append(session)
        self._stays_of: dict[str, list[Stay]] = defaultdict(list)
        for stay in sorted(ledger.stays.values(), key=lambda each: each.known_s):
            self._stays_of[stay.identity].append(stay)

    def verdict(self) -> list[Violation]:
        """All violations."""
        found = [*self._missed(), *self._doubled(), *self._disorders()]
        for session in self._heard.sessions:
            stay = self._ledger.stays.get(session.sid)
            if stay is None:
                if not self._is_unsaid(session.created_s):
                    words = f"{session.id}: nobody knows {session.sid}"
                    found.append(_violation("unknown sid", session, session.created_s, words))
                continue
            found += [
                *self._fake_end(session, stay),
                *self._ghost(session, stay),
                *self._wrong_reason(session, stay),
                *self._miscounted(session, stay),
            ]
        return sorted(found, key=lambda each: (KINDS.index(each.kind), each.at_s))

    def expected(self, stay: Stay) -> bool:
        """Whether this stay must have a session."""
        if stay.since_s is None:
            return False
        if not stay.was_active and not self._is_unsaid(stay.since_s):
            return False
        windows = self._in_hearing(stay)
        if longest_s(windows, stay.since_s, stay.ends_from_s) > UNSEEN_S:
            return True
        published_s = stay.published_s
        if published_s is None or stay.ends_from_s < published_s + PUBLISHED_S:
            return False
        return covers(windows, published_s, published_s + PUBLISHED_S)

    def _in_hearing(self, stay: Stay) -> list[Window]:
        """When the agent could hear of this stay.

        While a room is being deleted, the server lets people into the old one and into a new one
        of the same name at the same time.
        """
        rooms = sorted(self._ledger.agent_rooms)
        ends = [at_s for at_s, _ in rooms[1:]] + [float("inf")]
        elsewhere = [
            (from_s, to_s)
            for (from_s, room_sid), to_s in zip(rooms, ends, strict=False)
            if stay.room_sid and room_sid != stay.room_sid
        ]
        return without(self._hearing, elsewhere)

    def _missed(self) -> Iterator[Violation]:
        for stay in self._ledger.stays.values():
            if self.expected(stay) and stay.sid not in self._sessions:
                since_s = stay.since_s or stay.known_s
                heard_s = longest_s(self._in_hearing(stay), since_s, stay.ends_from_s)
                words = f"{stay.sid} was in the agent's hearing for {heard_s:.2f} s"
                published = "" if stay.published_s is None else ", and published"
                yield Violation("missed", since_s, stay.identity, words + published)

    def _doubled(self) -> Iterator[Violation]:
        for sessions in self._sessions.values():
            for earlier, later in zip(sessions, sessions[1:], strict=False):
                asked_for = ("agent-disconnected", "sidecar-shutdown")
                if earlier.reason not in asked_for and not self._was_away(earlier.closed_s):
                    words = f"{later.sid} has {earlier.id} and {later.id}"
                    yield _violation("doubled", later, later.created_s, words)

    def _disorders(self) -> Iterator[Violation]:
        for each in self._heard.disorders:
            yield Violation("out of order", each.at_s, each.identity, each.words)

    def _fake_end(self, session: Session, stay: Stay) -> Iterator[Violation]:
        margin_s = TOLD_S if session.detail in BY_SERVERS_REASON else MARGIN_S
        successor = self._successor(stay, session.closed_s)
        if session.reason == "replaced" and successor is not None:
            return
        if session.closed_s + margin_s >= stay.ends_from_s or self._was_away(session.closed_s):
            return
        if self._was_asked(session) or session.closed_s > self._until_s:
            return
        there_s = min(stay.ends_from_s, self._until_s) - session.closed_s
        words = (
            f"{session.id} closed ({session.reason}); {stay.sid} stayed for {there_s:.1f} s more"
        )
        yield _violation("fake end", session, session.closed_s, words)

    def _ghost(self, session: Session, stay: Stay) -> Iterator[Violation]:
        over_s = stay.over_s
        if over_s == float("inf"):
            over_s = stay.ends_from_s + WITHOUT_WORD_S
        outages = [(each.began_s, each.ended_s) for each in self._ledger.faults if each.deafens]
        clear = without(self._connected, outages)
        aged_s = total_s(clear, over_s, min(session.closed_s, self._until_s))
        if aged_s > GHOST_S:
            words = f"{session.id} is open {aged_s:.1f} s of connected time after {stay.sid} ended"
            yield _violation("ghost", session, over_s, words)

    def _wrong_reason(self, session: Session, stay: Stay) -> Iterator[Violation]:
        if session.closed_s > self._until_s or self._was_asked(session):
            return
        reason, known = session.reason, stay.servers_reason
        if not self._may_be(session, stay):
            words = f"{session.id} closed {reason} ({session.detail}), which nothing bears out"
            yield _violation("wrong reason", session, session.closed_s, words)
            return
        heard_from_s = stay.ends_from_s - MARGIN_S
        if heard_from_s > session.closed_s:
            return
        if not covers(self._hearing, heard_from_s, session.closed_s):
            return
        wanted = set(BY_SERVERS_REASON.get(known, {reason}))
        if self._successor(stay, session.closed_s) is not None or self._is_followed(session):
            wanted.add("replaced")
            if not session.detail:
                # The server keeps the end of a replaced stay to itself, and one who replaces and
                # is gone before the next tick is never announced.
                wanted.add("left")
        if reason not in wanted:
            words = f"{session.id} closed {reason} ({session.detail}); the server says {known}"
            yield _violation("wrong reason", session, session.closed_s, words)

    def _may_be(self, session: Session, stay: Stay) -> bool:
        """Whether anything that happened bears the reason out."""
        at_s, kinds, known = session.closed_s, {end.kind for end in stay.ends}, stay.servers_reason
        if session.reason == "replaced":
            return self._successor(stay, at_s) is not None or self._is_followed(session)
        if session.reason == "removed":
            return EndKind.REMOVE in kinds or known == "PARTICIPANT_REMOVED"
        if session.reason == "join-failed":
            return EndKind.ABORTED in kinds or stay.since_s is None
        if session.reason == "connection-lost":
            lost = ("CONNECTION_TIMEOUT", "STATE_MISMATCH", "SIGNAL_CLOSE")
            return known in lost or self._was_away(at_s)
        if session.reason == "room-closed":
            return known == "ROOM_CLOSED" or self._near("room deleted", at_s, LATE_S)
        if session.reason == "server-shutdown":
            faults = ("server shut down", "reconnect simulated")
            return any(self._near(each, at_s, LATE_S + AWAY_S) for each in faults)
        if session.reason == "left-during-reconnect":
            return longest_gap_s(self._connected, at_s - LATE_S, at_s) > 0.0
        return session.reason == "left"

    def _miscounted(self, session: Session, stay: Stay) -> Iterator[Violation]:
        closed_s = min(session.closed_s, stay.ends_from_s)
        surely = sum(
            session.created_s + MARGIN_S <= began_s
            and done_s + FLUSHED_S <= closed_s
            and covers(self._hearing, began_s - MARGIN_S, done_s + FLUSHED_S)
            for began_s, done_s in stay.texts
        )
        if session.message_count < surely:
            words = f"{session.id} counted {session.message_count} of {surely} messages"
            yield _violation("miscounted", session, session.closed_s, words)
            return
        if stay.since_s is None or not stay.since_s < session.closed_s <= self._until_s:
            return
        if len(self._sessions[session.sid]) > 1:
            return
        # Between a reload and its announcement a text counts for the old session.
        near = [
            each
            for each in self._stays_of[stay.identity]
            if each is not stay
            and each.known_s < session.closed_s + MARGIN_S
            and each.ends_from_s > stay.since_s - 6.0
        ]
        if near or not covers(self._hearing, stay.since_s - MARGIN_S, session.closed_s):
            return
        # What was on its way when the SDK lost the server goes out once it is back, as another sid.
        held_back = sum(
            began_s > stay.known_s - LATE_S and done_s + FLUSHED_S > each.ends_from_s
            for each in self._stays_of[stay.identity]
            if each is not stay
            for began_s, done_s in each.texts
        )
        if session.message_count > len(stay.texts) + held_back:
            words = f"{session.id} counted {session.message_count} of {len(stay.texts)} messages"
            yield _violation("miscounted", session, session.closed_s, words)

    def _successor(self, stay: Stay, by_s: float) -> Stay | None:
        """Another stay of the identity, begun after this one and known by then."""
        later = (
            each
            for each in self._stays_of[stay.identity]
            if each is not stay and stay.known_s <= each.known_s <= by_s + MARGIN_S
        )
        return next(later, None)

    def _is_followed(self, session: Session) -> bool:
        """Whether the identity's next session began at once, of another sid that was there.

        Of that one we may have heard late, or never where a crash kept it from us.
        """
        return any(
            each.identity == session.identity
            and each.sid != session.sid
            and 0.0 <= each.created_s - session.closed_s < MARGIN_S
            and (each.sid in self._ledger.stays or self._is_unsaid(each.created_s))
            for each in self._heard.sessions
        )

    def _was_asked(self, session: Session) -> bool:
        """Whether the agent was told to close it."""
        return any(
            session.reason == reason and self._near(kind, session.closed_s, within_s)
            for kind, (reason, within_s) in ASKED_TO_CLOSE.items()
        )

    def _was_away(self, at_s: float) -> bool:
        return longest_gap_s(self._connected, at_s - 10.0, at_s) >= AWAY_S

    def _near(self, kind: str, at_s: float, within_s: float) -> bool:
        return any(
            each.kind == kind and each.began_s <= at_s <= each.ended_s + within_s
            for each in self._ledger.faults
        )

    def _is_unsaid(self, at_s: float) -> bool:
        """Whether a crash of the server may have kept the webhooks of that moment from us."""
        ends = ("server killed", "server shut down")
        return any(
            each.kind in ends and each.began_s - LATE_S <= at_s <= each.ended_s
            for each in self._ledger.faults
        )


def _violation(kind: str, session: Session, at_s: float, words: str) -> Violation:
    return Violation(kind, at_s, session.identity, words)
