"""The people of a day: they join the double, speak and leave; each stay knows what it must come to.

Owns the stays of one room of the double: whose session must be open now, how many messages it must
count, and how it may end. The people have no media and no client of their own: they live in the
double's process. Knows neither faults nor time.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from livekit.api import VideoGrants
from livekit.api.access_token import Claims
from livekit.protocol.models import DataPacket, DataStream, DisconnectReason
from livekit.protocol.rtc import SignalResponse

from sidecar.dev.embedded.access import Grants
from sidecar.dev.embedded.participant import Participant
from sidecar.dev.embedded_room import EmbeddedRoom
from tests.soak.hearing import Hearing

NAMES = 1_000
"""Identities: most people come again, after the session of their last stay has closed."""
CLIENT_PROTOCOL = 16
TOPIC = "lk.chat"
REASONS = {
    DisconnectReason.CLIENT_INITIATED: "left",
    DisconnectReason.CONNECTION_TIMEOUT: "connection-lost",
    DisconnectReason.PARTICIPANT_REMOVED: "removed",
    DisconnectReason.JOIN_FAILURE: "join-failed",
}
"""The true reason of a session, by the server's word, where the agent hears that word."""
UNHEARD = ("left-during-reconnect", "left")
"""Of an end that the agent's link was down for: the SDK leaves the reason out, unless the server's
next announcement comes first."""
RESTARTED = ("left-during-reconnect", "server-shutdown")
"""Of everybody who was there when the server stopped, and did not come back."""


class _NoLink:
    """The signalling of a person who has none: what is sent goes nowhere."""

    def send(self, message: SignalResponse) -> None:
        """Drop it."""

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Stay:
    """One stay of one person."""

    sid: str
    identity: str
    is_active: bool
    reasons: Collection[str] = ("",)
    """Those that its session may close with; the empty one while the person is there."""
    messages: int = 0


class Guests:
    """The people in one room of *server*, and everybody who was there before."""

    def __init__(self, server: EmbeddedRoom, room: str) -> None:
        """Start with nobody."""
        self.stays: dict[str, Stay] = {}
        """All of the day, by sid."""
        self._server = server
        self._room = room
        self._names = (f"h{number % NAMES}" for number in itertools.count())
        self._there: dict[str, Stay] = {}
        self._people: dict[str, Participant] = {}
        """Of the stays that are not over, by sid."""
        self._fading: set[str] = set()
        """Sids whose session may stay open for a while: the agent did not hear the end."""
        self._texts = 0

    def join(self, *, is_active: bool = True) -> Stay:
        """Let the next person join; one who is not active never connects."""
        taken = {each.identity for each in self._there.values()}
        name = next(name for name in self._names if name not in taken)
        return self._enter(name, is_active=is_active)

    def reload(self, stay: Stay) -> Stay:
        """Let the person of *stay* come again before that stay is over, as a page's reload does."""
        self._over(stay, ("replaced",))
        return self._enter(stay.identity)

    def return_to(self, stay: Stay) -> Stay:
        """Let the person of *stay*, which a restart of the server ended, come again."""
        stay.reasons = ("replaced",)
        return self._enter(stay.identity)

    def leave(
        self, stay: Stay, reason: DisconnectReason = DisconnectReason.CLIENT_INITIATED
    ) -> None:
        """End *stay* with the server's *reason*, which the agent hears."""
        person = self._over(stay, (REASONS[reason],))
        self._server.open(self._room).left(person, reason)

    def leave_unheard(self, stay: Stay) -> None:
        """End *stay* while the agent's link is down."""
        person = self._over(stay, UNHEARD)
        self._fading.add(stay.sid)
        self._server.open(self._room).left(person, DisconnectReason.CLIENT_INITIATED)

    def removed(self, stay: Stay) -> None:
        """Note that the agent had the server end *stay*."""
        self._over(stay, (REASONS[DisconnectReason.PARTICIPANT_REMOVED],))

    def leave_all(self) -> None:
        """End the stays of everybody who is there."""
        for stay in list(self._there.values()):
            self.leave(stay)

    def lost(self) -> list[Stay]:
        """Note that the server stopped with everybody in the room; give their stays."""
        gone = list(self._there.values())
        for stay in gone:
            self._over(stay, RESTARTED)
            self._fading.add(stay.sid)
        return gone

    def speak(self, stay: Stay, text: str) -> None:
        """Send *text* to the room, as livekit-client's sendText does."""
        stay.messages += 1
        self._texts += 1
        name, words = f"text-{self._texts}", text.encode()
        header = DataStream.Header(
            stream_id=name,
            topic=TOPIC,
            mime_type="text/plain",
            total_length=len(words),
            text_header=DataStream.TextHeader(),
        )
        chunk = DataStream.Chunk(stream_id=name, chunk_index=0, content=words)
        trailer = DataStream.Trailer(stream_id=name)
        for packet in (
            DataPacket(stream_header=header),
            DataPacket(stream_chunk=chunk),
            DataPacket(stream_trailer=trailer),
        ):
            packet.participant_sid = stay.sid
            packet.participant_identity = stay.identity
            self._server.open(self._room).spoke(self._people[stay.sid], packet)

    def are_shown(self, heard: Hearing) -> bool:
        """Whether *heard* has open sessions of everybody who is there, all messages counted.

        Beside them there may be the sessions whose ends the agent did not hear.
        """
        shown = {str(each["participantSid"]): each for each in heard.shown.values()}
        return self._there.keys() == shown.keys() - self._fading and all(
            shown[sid]["messageCount"] == stay.messages
            and (shown[sid]["connectionState"] == "connecting") == (not stay.is_active)
            for sid, stay in self._there.items()
        )

    def are_over(self, heard: Hearing) -> bool:
        """Whether *heard* has no open session, and nobody is there."""
        return not heard.shown and not self._there

    def broken(self, heard: Hearing) -> Iterator[str]:
        """Tell each stay whose session is missing, doubled, without an end, or ends untruly."""
        counts = Counter(each.sid for each in heard.sessions)
        yield from (f"no session for {sid}" for sid in self.stays.keys() - counts.keys())
        yield from (f"{count} sessions for {sid}" for sid, count in counts.items() if count != 1)
        for session in heard.sessions:
            stay = self.stays.get(session.sid)
            if stay is None:
                yield f"{session.id} is of {session.sid}, who never came"
                continue
            if session.reason not in stay.reasons:
                expected = " or ".join(each or "no end" for each in stay.reasons)
                told = f"{session.reason or 'no end'} ({session.detail})"
                yield f"{session.id} closed with {told}, not with {expected}"
            if session.message_count != stay.messages:
                counted, sent = session.message_count, stay.messages
                yield f"{session.id} counts {counted} messages, not {sent}"

    def _enter(self, name: str, *, is_active: bool = True) -> Stay:
        room = self._server.open(self._room)
        grants = Grants(Claims(name), VideoGrants(room=self._room, room_join=True))
        person = room.join(grants, CLIENT_PROTOCOL, _NoLink(), "")  # type: ignore[arg-type]
        if is_active:
            person.activate()
        stay = Stay(person.info.sid, name, is_active)
        self.stays[stay.sid] = self._there[stay.sid] = stay
        self._people[stay.sid] = person
        return stay

    def _over(self, stay: Stay, reasons: Collection[str]) -> Participant:
        stay.reasons = reasons
        del self._there[stay.sid]
        return self._people.pop(stay.sid)
