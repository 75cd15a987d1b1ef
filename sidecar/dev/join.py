"""`join`: lets people of the real SDK join a room, and prints the events of the room.

Owns the acts of the people, their order, and the printed lines. Does not know the sidecar.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from livekit import rtc

from sidecar.core.access_token import token_claims
from sidecar.core.config import Settings
from sidecar.core.contract.failures import failure
from sidecar.dev.commands import FAILED_STATUS, WrongUsage
from sidecar.dev.person import CHAT_TOPIC, SAMPLE_RATE_HZ, Person
from sidecar.dev.tokens import person_token
from sidecar.logs import escaped
from sidecar.rtc.connect_errors import meaning_of

TONE_HZ = 440.0
TONE_LOUDNESS = 0.1
"""A fraction of full scale."""
FRAME_SAMPLES = SAMPLE_RATE_HZ // 50
"""20 ms, like frames of voice."""


@dataclass(frozen=True)
class Guest:
    """A person, before the join."""

    identity: str
    room: str
    token: str


@dataclass(frozen=True)
class Options:
    """`say`: the chat message of each guest; `for_s`: how long they stay, None until cancelled."""

    url: str
    guests: Sequence[Guest]
    say: str | None
    has_tone: bool
    for_s: float | None


def guests(settings: Settings, name: str, count: int, token: str | None) -> tuple[Guest, ...]:
    """Give the guests: *count* of them, or the guest of *token*.

    Raises WrongUsage for a malformed token.
    """
    if token is not None:
        claims = token_claims(token)
        if claims is None or not claims.identity or not claims.room:
            raise WrongUsage("--token is no access token of a person. Fix: `token` makes one.")
        return (Guest(claims.identity, claims.room, token),)
    names = [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
    return tuple(Guest(each, settings.room or "", person_token(settings, each)) for each in names)


async def main(options: Options) -> int:
    """Let all guests join, chat, stay and leave; give the exit status.

    1: a guest could not join, or lost the room for good. A cancellation lets all leave.
    """
    logging.getLogger(
        "livekit"
    ).disabled = True  # its warning about a refused token contains the token
    lines = _Lines(max(len(each.identity) for each in options.guests))
    lines.show(f"Room {options.guests[0].room} at {options.url}")
    people: list[Person] = []
    joined: list[Person] = []
    try:
        for guest in options.guests:
            person = Person(options.url, guest.token, guest.identity)
            people.append(person)
            # Prints the acts of other participants only once: as seen by the first guest.
            _tell(person, lines, others=person is people[0], ours=options.guests)
            try:
                await person.join()
            except (rtc.ConnectError, TimeoutError) as error:
                # The SDK's text of a refused token holds the whole token.
                category = meaning_of(str(error), through_proxy=False).category
                why = failure(category, options.url)
                lines.say(guest.identity, f"could not join: {why.detail} Fix: {why.fix}")
                return FAILED_STATUS
            joined.append(person)
            lines.say(guest.identity, _joined(person))
        async with _tones(people if options.has_tone else []):
            if options.say is not None:
                for person in people:
                    await person.chat(options.say)
                    lines.say(person.identity, f"says: {options.say}")
            lost = [asyncio.create_task(person.gone.wait()) for person in people]
            await asyncio.wait(lost, timeout=options.for_s)
            is_lost = all(each.done() for each in lost)
            for each in lost:
                each.cancel()
        return FAILED_STATUS if is_lost else 0
    finally:
        staying = [person for person in people if not person.gone.is_set()]
        await asyncio.gather(*(person.leave() for person in staying), return_exceptions=True)
        for person in staying:
            if person in joined:
                lines.say(person.identity, "leaves")


class _Lines:
    """Prints lines, each with the seconds since the first."""

    def __init__(self, width: int) -> None:
        self._began_s = time.monotonic()
        self._width = width

    def show(self, text: str) -> None:
        print(text, flush=True)

    def say(self, who: str, what: str) -> None:
        """Print one line; *who* and *what* may be a stranger's, with an escape of the terminal."""
        line = f"{time.monotonic() - self._began_s:7.3f} s  {who:<{self._width}}  {what}"
        self.show(escaped(line).encode("utf-8", "backslashreplace").decode())


def _joined(person: Person) -> str:
    others = ", ".join(sorted(map(_who, person.room.remote_participants.values())))
    return f"joins; also here: {others or 'no one'}"


def _who(participant: rtc.RemoteParticipant) -> str:
    is_agent = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    return f"{participant.identity} (agent)" if is_agent else participant.identity


def _tell(person: Person, lines: _Lines, *, others: bool, ours: Sequence[Guest]) -> None:
    """Print the events of *person*; with *others*, also the acts of all other participants."""
    room = person.room
    say = lines.say

    @room.on("reconnecting")
    def _() -> None:
        say(person.identity, "lost the connection, and tries to resume")

    @room.on("reconnected")
    def _() -> None:
        say(person.identity, "is connected again")

    @room.on("disconnected")
    def _(reason: rtc.DisconnectReason.ValueType) -> None:
        if reason != rtc.DisconnectReason.CLIENT_INITIATED:
            say(person.identity, f"was put out of the room: {rtc.DisconnectReason.Name(reason)}")

    if not others:
        return
    known = {each.identity for each in ours}

    @room.on("participant_connected")
    def _(participant: rtc.RemoteParticipant) -> None:
        if participant.identity not in known:
            say(_who(participant), "joins")

    @room.on("participant_disconnected")
    def _(participant: rtc.RemoteParticipant) -> None:
        if participant.identity not in known:
            say(_who(participant), "leaves")

    @room.on("track_published")
    def _(publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant) -> None:
        if participant.identity not in known:
            say(_who(participant), f"publishes {publication.name or 'a track'}")

    def heard(reader: rtc.TextStreamReader, identity: str) -> None:
        async def read() -> None:
            text = await reader.read_all()
            if identity not in known:
                say(identity, f"says: {text}")

        reading = asyncio.ensure_future(read())
        _reading.add(reading)
        reading.add_done_callback(_reading.discard)

    room.register_text_stream_handler(CHAT_TOPIC, heard)


_reading: set[asyncio.Future[None]] = set()
"""Keeps the tasks that read a text: asyncio has only weak references to them."""


@contextlib.asynccontextmanager
async def _tones(people: Sequence[Person]) -> AsyncIterator[None]:
    """Publish a microphone with a tone for each of *people*, until the end of the block."""
    playing = []
    for person in people:
        source = await person.publish()
        playing.append(asyncio.create_task(_play(source)))
    try:
        yield
    finally:
        for each in playing:
            each.cancel()
        await asyncio.gather(*playing, return_exceptions=True)


async def _play(source: rtc.AudioSource) -> None:
    step = 2 * math.pi * TONE_HZ / SAMPLE_RATE_HZ
    position = 0
    while True:
        frame = rtc.AudioFrame.create(SAMPLE_RATE_HZ, 1, FRAME_SAMPLES)
        for index in range(FRAME_SAMPLES):
            frame.data[index] = int(TONE_LOUDNESS * 32_767 * math.sin(step * (position + index)))
        position = (position + FRAME_SAMPLES) % SAMPLE_RATE_HZ  # 440 whole waves a second
        await source.capture_frame(frame)  # returns at the pace of the sound
