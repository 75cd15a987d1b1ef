"""What is true: who was in the room and when, by the webhooks, the humans' own logs and our deeds.

Owns the three accounts as one list of stays. None of the three is whole alone: a crash of the
server loses webhooks, a killed human logs nothing, and a deed is only what was tried. Times are
seconds of the machine's monotonic clock. Knows nothing of the sidecar's sessions.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EndKind(StrEnum):
    """What may have ended a stay. The first four are deeds, at the moment they were begun."""

    LEAVE = "leave"
    REMOVE = "remove"
    REPLACE = "replace"
    KILL = "kill"
    DELETE = "room deleted"
    GONE = "the human's own log"
    MOVED = "the human's SDK is in under another sid"
    LEFT = "webhook participant_left"
    ABORTED = "webhook participant_connection_aborted"
    CRASH = "the server ended"


LATEST_S = 60.0
"""A webhook that is said to be older has no time of its own."""
SERVERS_WORD = frozenset({EndKind.LEFT, EndKind.ABORTED, EndKind.CRASH})
"""The ends after which the server surely knows nobody under that sid."""


@dataclass(frozen=True)
class End:
    """Something that ended a stay; `reason` is LiveKit's own where it gave one."""

    at_s: float
    kind: EndKind
    reason: str = ""


@dataclass
class Stay:
    """One sid."""

    sid: str
    identity: str
    known_s: float
    """When it began by the server's `joined_at`, else when it was first heard of."""
    room_sid: str = ""
    """The server's name of this one life of the room; empty where no webhook told it."""
    since_s: float | None = None
    """In the room for sure from here on; None for one who never became active."""
    was_active: bool = False
    """By the server's word. The human's SDK may name a sid that the server gave up for another."""
    published_s: float | None = None
    """When the human's own publish() had succeeded."""
    texts: list[tuple[float, float]] = field(default_factory=list)
    """Chat messages: when the sending began, and when it had succeeded (infinite: never)."""
    ends: list[End] = field(default_factory=list)

    @property
    def ends_from_s(self) -> float:
        """From here on an end may be told; infinite while nothing ended it."""
        return min((end.at_s for end in self.ends), default=float("inf"))

    @property
    def over_s(self) -> float:
        """By here the server knows of the end; infinite while it said nothing."""
        words = [end.at_s for end in self.ends if end.kind in SERVERS_WORD]
        return min(words, default=float("inf"))

    @property
    def servers_reason(self) -> str:
        """LiveKit's reason in the webhook of the end; empty without one."""
        return next(
            (end.reason for end in self.ends if end.reason and end.kind in SERVERS_WORD), ""
        )


@dataclass
class Fault:
    """One disturbance; `ended_s` is infinite while it goes on."""

    kind: str
    began_s: float
    ended_s: float = float("inf")
    note: str = ""
    deafens: bool = True
    """Whether the agent may be told nothing meanwhile."""


def _end_by_webhook(kind: EndKind, reason: str, said_s: float, came_s: float) -> End:
    """*said_s*: the server's own time of it, in whole seconds; it may come much later."""
    is_known = came_s - LATEST_S < said_s < came_s
    return End(said_s if is_known else came_s, kind, reason)


class Ledger:
    """All accounts. The order in which they come does not matter."""

    def __init__(self) -> None:
        """Start empty."""
        self._monotonic_at_epoch_s = time.monotonic() - time.time()
        self.stays: dict[str, Stay] = {}
        self.agent_rooms: list[tuple[float, str]] = []
        """When the agent joined, and the sid of the room that it found there."""
        self.faults: list[Fault] = []
        self.notes: list[tuple[float, str]] = []
        """Everything in words, for the evidence."""
        self._crashes_s: list[float] = []
        self._deletions_s: list[float] = []
        self._webhook_ids: set[str] = set()

    # The webhooks

    def webhook(self, at_s: float, event: Mapping[str, object]) -> None:
        """Take one; the server repeats those it could not deliver."""
        event_id, name = str(event.get("id")), str(event.get("event"))
        if event_id in self._webhook_ids:
            return
        self._webhook_ids.add(event_id)
        participant, room = event.get("participant"), event.get("room")
        room_sid = str(room.get("sid", "")) if isinstance(room, dict) else ""
        if not isinstance(participant, dict):
            self.note(at_s, f"webhook {name} {room_sid}")
            return
        sid, identity = str(participant["sid"]), str(participant["identity"])
        reason = str(participant.get("disconnectReason", ""))
        self.note(at_s, f"webhook {name} {identity} {sid} {room_sid} {reason}".rstrip())
        said_s = int(str(event.get("createdAt", 0))) + self._monotonic_at_epoch_s
        joined_ms = int(participant.get("joinedAtMs", 0))
        began_s = joined_ms / 1000 + self._monotonic_at_epoch_s if joined_ms else at_s
        if participant.get("kind") == "AGENT":
            if name == "participant_joined":
                self.agent_rooms.append((began_s, room_sid))
            return
        stay = self._stay(min(began_s, at_s), sid, identity)
        stay.room_sid = room_sid or stay.room_sid
        if name == "participant_joined":
            stay.was_active = True
            stay.since_s = min(at_s, stay.since_s or at_s)
        elif name == "participant_left":
            stay.was_active = True
            stay.since_s = min(at_s, stay.since_s or at_s)
            stay.ends.append(_end_by_webhook(EndKind.LEFT, reason, said_s, at_s))
        elif name == "participant_connection_aborted":
            stay.ends.append(_end_by_webhook(EndKind.ABORTED, reason, said_s, at_s))

    # The humans' own logs

    def joined(self, at_s: float, identity: str, sid: str) -> None:
        """The human's own join() succeeded, or its SDK came back under a new sid."""
        self.note(at_s, f"human   {identity} is in as {sid}")
        stay = self._stay(at_s, sid, identity)
        stay.since_s = min(at_s, stay.since_s or at_s)

    def moved(self, at_s: float, sid: str, to_sid: str) -> None:
        """The human's SDK was in as *sid*, and is in as *to_sid* now."""
        self.note(at_s, f"human   {self.stays[sid].identity} is {sid} no more, but {to_sid}")
        self.stays[sid].ends.append(End(at_s, EndKind.MOVED))

    def mistaken(self, at_s: float, sid: str, for_sid: str) -> None:
        """The human's SDK took *for_sid* back: it was told of another's *sid* of its identity.

        An attempt of its own to join that came to nothing is one. What the human said and did
        meanwhile was done as *for_sid*.
        """
        self.note(at_s, f"human   {self.stays[sid].identity} never was {sid}, but {for_sid}")
        wrong, right = self.stays[sid], self.stays[for_sid]
        if not wrong.was_active:
            wrong.since_s = None
        right.texts += wrong.texts
        right.ends = [end for end in right.ends if end.kind is not EndKind.MOVED]
        right.ends += [end for end in wrong.ends if end.kind not in {*SERVERS_WORD, EndKind.MOVED}]
        wrong.texts = []
        if wrong.published_s is not None:
            right.published_s = min(wrong.published_s, right.published_s or wrong.published_s)
            wrong.published_s = None

    def published(self, at_s: float, sid: str) -> None:
        """The human's own publish() succeeded."""
        stay = self.stays.get(sid)
        if stay is not None:
            self.note(at_s, f"human   {stay.identity} published as {sid}")
            stay.published_s = min(at_s, stay.published_s or at_s)

    def chatted(self, began_s: float, done_s: float, sid: str) -> None:
        """The human's own chat(); *done_s* is infinite where it failed, which proves nothing."""
        stay = self.stays.get(sid)
        if stay is not None:
            failed = " and it failed" if done_s == float("inf") else ""
            self.note(began_s, f"human   {stay.identity} chatted as {sid}{failed}")
            stay.texts.append((began_s, done_s))

    def gone(self, at_s: float, identity: str, sid: str, reason: str) -> None:
        """The human's SDK says that the room is lost for good."""
        self.note(at_s, f"human   {identity} lost the room as {sid or '?'}: {reason}")
        if sid in self.stays:
            self.stays[sid].ends.append(End(at_s, EndKind.GONE))

    # Our deeds

    def deed(self, at_s: float, kind: EndKind, identity: str, sid: str) -> None:
        """We began what should end this stay."""
        self.note(at_s, f"deed    {kind} {identity} {sid}")
        if sid in self.stays:
            self.stays[sid].ends.append(End(at_s, kind))

    def server_ended(self, at_s: float) -> None:
        """The server's process is gone, and every sid it had with it."""
        self._crashes_s.append(at_s)

    def room_deletion(self, at_s: float) -> None:
        """We began to delete the room."""
        self._deletions_s.append(at_s)

    def fault(self, fault: Fault) -> None:
        """A disturbance began; the caller sets its end."""
        self.faults.append(fault)

    def note(self, at_s: float, words: str) -> None:
        """Keep what happened in words."""
        self.notes.append((at_s, words))

    def settle(self, created_s: Mapping[str, float]) -> None:
        """Give each stay the ends that came over all; once, when all is over.

        *created_s*: when each sid had its session first. The server makes sids up, and nobody else
        does: it was known by then. A human who is frozen may say so long after the server is gone.
        """
        for kind, times in (
            (EndKind.CRASH, self._crashes_s),
            (EndKind.DELETE, self._deletions_s),
        ):
            for stay in self.stays.values():
                begun_s = min(stay.known_s, created_s.get(stay.sid, stay.known_s))
                after = [at_s for at_s in times if begun_s < at_s < stay.over_s]
                if after:
                    stay.ends.append(End(min(after), kind))

    def _stay(self, at_s: float, sid: str, identity: str) -> Stay:
        stay = self.stays.get(sid)
        if stay is None:
            stay = self.stays[sid] = Stay(sid, identity, at_s)
        stay.known_s = min(stay.known_s, at_s)
        return stay
