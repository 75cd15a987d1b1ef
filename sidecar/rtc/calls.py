"""Owns the sound and text of each person, over all Rooms: subscribes, streams, plays and sends.

The agent's loop has the Room's events and its tracks; the plug-ins' loop has the streams. A stream
on a person's track does not end when the track does, and would then carry the sound of the next
person who publishes: so only this module has streams, and it closes them at once. Does not know
sessions or plug-ins.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from sidecar import tasks
from sidecar.core.contract.messages import AudioQuality, Microphone
from sidecar.core.facts import Audible, Fact
from sidecar.core.sound import SAMPLE_BYTES, Needs
from sidecar.rtc.agent_label import AgentLabel
from sidecar.rtc.line_quality import LineQuality, StatsRefused
from sidecar.rtc.lines import REUSED_WAIT_S, SUBSCRIBED_WITHIN_S, Line, Lines

if TYPE_CHECKING:
    from livekit import rtc

PIECE_MS = 20
"""Milliseconds of sound given to a track at a time: a longer piece cannot be taken back."""
SENDS_AT_ONCE = 8
"""Texts to one person that the SDK sends at once; the others wait. Each looks at all events of the
SDK for its own answer: 3,000 at once delayed another person's `session-closed` by 3 to 10 s."""
SEND_WITHIN_S = 5.0
PUBLISH_AGAIN_S = 5.0
"""Seconds after a failed publish."""
TRANSCRIPTION_TOPIC = "lk.transcription"
"""The topic and the attributes below are LiveKit's own (livekit-agents, livekit components)."""
SEGMENT_ID = "lk.segment_id"
TRACK_ID = "lk.transcribed_track_id"
IS_FINAL = "lk.transcription_final"

LOOK_S = 0.25
"""Seconds between two looks at what is heard and said."""
GONE_S = 1.0
"""Seconds without a microphone after which that is told. A full reconnect of the agent takes all
tracks and participants away for a moment, before it says `reconnecting`."""
QUALITY_LOOKS = 20
"""Looks between two readings of the audio quality: 5 s."""

_log = logging.getLogger("sidecar.rtc")


class Sink(Protocol):
    """Takes the sound of a person, on the plug-ins' loop."""

    @property
    def rate(self) -> int:
        """Samples per second."""

    @property
    def frame_ms(self) -> int:
        """Milliseconds of each piece."""

    def put(self, data: bytes) -> None:
        """Take one piece."""


class LiveKitCalls:
    """Has the call of each person, and the Room at this moment. Make one per process."""

    def __init__(self, needs: Needs, loop: asyncio.AbstractEventLoop) -> None:
        """Start without a Room. Make it on the agent's loop; *loop* is the plug-ins'."""
        self.needs = needs
        self.loop = loop
        self.agent_loop = asyncio.get_running_loop()
        self.room: rtc.Room | None = None
        self.lines: Lines | None = None
        self.in_room = asyncio.Event()
        self._calls: list[LiveKitCall] = []
        self._granted = needs
        self._publishing: asyncio.Task[None] | None = None
        self._emit: Callable[[Fact], None] = _ignore
        self._speakers: frozenset[str] = frozenset()
        self._label: AgentLabel | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._looks = 0

    # For the host, on the agent's loop

    def open(self, participant_sid: str, identity: str) -> LiveKitCall:
        """Make the call of a participant."""
        call = LiveKitCall(self, participant_sid, identity)
        self._calls.append(call)
        self.publish()
        # Not at once: the session is being announced.
        self.agent_loop.call_soon(call.refresh)
        return call

    def missing(self) -> Needs:
        """Return what the agent's token in the present Room does not grant."""
        return self.needs & ~self._granted

    def forget(self, call: LiveKitCall) -> None:
        """Drop a closed call."""
        if call in self._calls:
            self._calls.remove(call)

    # For the Room, on the agent's loop

    def listen(
        self,
        room: rtc.Room,
        guarded: Callable[..., Callable[..., None]],
        emit: Callable[[Fact], None],
    ) -> None:
        """Listen to the tracks of *room*; *guarded* wraps each handler, *emit* takes facts."""
        self._emit = emit

        def changed(*_: object) -> None:
            self._refresh()

        def reconnecting() -> None:
            self._hold(is_held=True)

        def reconnected() -> None:
            # A request for a track that was sent before this moment is lost.
            self._renew()

        events: tuple[rtc.room.EventTypes, ...] = (
            "track_published",
            "track_unpublished",
            "track_subscribed",
            "track_unsubscribed",
            "participant_connected",
            "participant_disconnected",
            "track_subscription_failed",
            "track_muted",
            "track_unmuted",
        )
        for event in events:
            room.on(event, guarded(changed))
        room.on("active_speakers_changed", guarded(self._speakers_changed))
        room.on("reconnecting", guarded(reconnecting))
        room.on("reconnected", guarded(reconnected))
        room.on("local_track_republished", guarded(lambda _publication, _sid: self._allow()))

    def joined(self, room: rtc.Room, granted: Needs) -> None:
        """Use *room* from now on; the agent's token there has *granted* so much."""
        self._granted = granted
        self.room = room
        self._speakers = frozenset()
        self.in_room.set()
        self._label = AgentLabel(room.local_participant)
        if self._watching is None:
            self._watch()
        if Needs.SPEAK in self.needs & self._granted:
            self.lines = Lines(room, self.loop)
        self._renew()

    def ended(self, room: rtc.Room) -> None:
        """Close everything in *room*: it has ended. Safe to call twice."""
        if room is not self.room:
            return
        self.room = None
        self.in_room.clear()
        lines, self.lines = self.lines, None
        for call in self._calls:
            call.drop_line()
            call.refresh()
        if lines is not None:
            self.loop.call_soon_threadsafe(lambda: tasks.start("close the tracks", lines.close()))

    # Tracks

    def publish(self) -> None:
        """Give each call without a track its track, one after the other."""
        is_idle = self._publishing is None or self._publishing.done()
        if self.lines is not None and is_idle:
            self._publishing = tasks.start("publish tracks", self._publish(self.lines))

    async def _publish(self, lines: Lines) -> None:
        from livekit.rtc.participant import PublishTrackError

        while lines is self.lines:
            call = next((each for each in self._calls if each.line is None), None)
            if call is None:
                return
            try:
                line = await lines.take(call.identity)
            except PublishTrackError as error:
                _log.warning("A track for %s was not published: %s", call.identity, error.message)
                self.agent_loop.call_later(PUBLISH_AGAIN_S, self.publish)
                return
            if lines is not self.lines:
                return
            if call in self._calls:
                call.set_line(line)
            else:
                lines.give_back(line)

    def _allow(self) -> None:
        if self.lines is not None:
            self.lines.allow()

    def _hold(self, *, is_held: bool) -> None:
        for call in self._calls:
            call.hold(is_held=is_held)

    def _renew(self) -> None:
        for call in self._calls:
            call.forget_request()
        self._refresh()
        self._allow()
        self._hold(is_held=False)
        self.publish()

    def _speakers_changed(self, speakers: list[rtc.Participant]) -> None:
        self._speakers = frozenset(each.identity for each in speakers)
        self._refresh()

    def is_speaking(self, identity: str) -> bool:
        """Return whether *identity* is one of the server's active speakers."""
        return identity in self._speakers

    def tell(self, fact: Fact) -> None:
        """Pass *fact* on."""
        self._emit(fact)

    def _watch(self) -> None:
        """Check the sound in both directions, 4 times a second while the agent is in a Room."""
        if self.room is None:
            self._watching = None
            return
        self._looks += 1
        if self._label is not None:
            is_playing = any(
                each.line is not None and each.line.queued_s > 0 for each in self._calls
            )
            self._label.show(is_speaking=is_playing)
        if self._looks % QUALITY_LOOKS == 0:
            for call in self._calls:
                call.read_quality()
        self._watching = self.agent_loop.call_later(LOOK_S, self._watch)

    def _refresh(self) -> None:
        for call in list(self._calls):
            call.refresh()


class LiveKitCall:
    """The sound and text of one person."""

    def __init__(self, calls: LiveKitCalls, participant_sid: str, identity: str) -> None:
        """Start silent and deaf; `LiveKitCalls.open` makes it."""
        self._calls = calls
        self._sid = participant_sid
        self.identity = identity
        # The agent's loop
        self.line: Line | None = None
        self._wants_sound = False
        self._asked: rtc.RemoteTrackPublication | None = None
        self._track: rtc.Track | None = None
        self._is_closed = False
        self._quality: LineQuality | None = None
        self._last_quality: AudioQuality | None = None
        self._told: Audible | None = None
        self._missing: asyncio.TimerHandle | None = None
        self._sends = asyncio.Semaphore(SENDS_AT_ONCE)
        # The plug-ins' loop
        self._streams: dict[Sink, _Stream | None] = {}
        self._heard: rtc.Track | None = None
        self._line: Line | None = None
        self._is_held = False
        self._may_play = asyncio.Event()
        self._turn = asyncio.Lock()
        self._interruptions = 0
        self._unplayed_s = 0.0

    # For the plug-in, on the plug-ins' loop

    def hear(self, sink: Sink) -> None:
        """Feed *sink* with the person's sound, from now on."""
        self._streams[sink] = _Stream(self._heard, sink) if self._heard is not None else None
        self._on_agent_loop(self._want_sound)

    def unhear(self, sink: Sink) -> None:
        """Stop feeding *sink*."""
        if (stream := self._streams.pop(sink, None)) is not None:
            stream.close()

    async def say(self, data: bytes, rate: int) -> None:
        """Play samples of *rate* Hz; wait while 200 ms are queued, return early after `interrupt`.

        Waits while the agent is not in the room or has no track for this person.
        """
        begun = self._interruptions
        self._unplayed_s += len(data) / SAMPLE_BYTES / rate
        piece_bytes = rate * PIECE_MS // 1000 * SAMPLE_BYTES
        async with self._turn:
            for start in range(0, len(data), piece_bytes):
                while not self._may_play.is_set():
                    await self._may_play.wait()
                if begun != self._interruptions or self._line is None:
                    return
                piece = data[start : start + piece_bytes]
                await self._line.play(piece, rate)
                if begun != self._interruptions:
                    return
                self._unplayed_s = max(0.0, self._unplayed_s - len(piece) / SAMPLE_BYTES / rate)

    def interrupt(self) -> float:
        """Drop the queued sound; return its length in seconds."""
        unplayed_s, self._unplayed_s = self._unplayed_s, 0.0
        self._interruptions += 1
        if self._line is None:
            return unplayed_s
        unplayed_s += self._line.queued_s
        self._line.interrupt()
        return unplayed_s

    async def send_text(self, text: str, topic: str) -> None:
        """Send *text* to the person.

        Raises:
            TimeoutError: the room did not take it within 5 s.
            ConnectionError: the room refused it.
        """
        await self._sent(functools.partial(self._send_text, text, topic))

    async def transcribe(self, text: str, segment: str, *, is_user: bool, is_final: bool) -> None:
        """Show words to the person, as the user's or as the agent's. Raises like `send_text`."""
        show = functools.partial(self._transcribe, text, segment, is_user, is_final)
        await self._sent(show)

    # On the agent's loop

    def close(self) -> None:
        """Stop hearing and playing, and let the next person have the track."""
        self._is_closed = True
        self._calls.forget(self)
        line = self.line
        self.drop_line()
        if line is not None and self._calls.lines is not None:
            self._calls.lines.give_back(line)
            self._calls.publish()
        self.refresh()

    def set_line(self, line: Line) -> None:
        """Play on *line* once the person's page has subscribed to it."""
        self.line = line
        tasks.start("wait for a listener", self._begin_on(line))

    async def _begin_on(self, line: Line) -> None:
        if line.was_used:
            await asyncio.sleep(REUSED_WAIT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                await line.publication.wait_for_subscription()
        if line is self.line:
            self._calls.loop.call_soon_threadsafe(self._take_line, line)

    def drop_line(self) -> None:
        """Stop playing: the track is gone, or the session is."""
        self.line = None
        self._calls.loop.call_soon_threadsafe(self._take_line, None)

    def hold(self, *, is_held: bool) -> None:
        """Let the sound wait while the Room reconnects: a new connection allows all listeners."""
        self._calls.loop.call_soon_threadsafe(self._take_hold, is_held)

    def forget_request(self) -> None:
        """Ask for the person's track again, at the next `refresh`."""
        self._asked = None

    def refresh(self) -> None:
        """Compare with the Room: ask for the microphone, and change or close the streams."""
        publication = None if self._is_closed else self._microphone()
        if self._wants_sound and publication is not None and publication is not self._asked:
            self._asked = publication
            publication.set_subscribed(True)
        track = publication.track if publication is not None and self._wants_sound else None
        if track is not self._track:
            self._track = track
            for stream in list(self._streams.values()):
                if stream is not None:
                    stream.silence()  # at once, even if the plug-ins' loop is busy
            self._calls.loop.call_soon_threadsafe(self._take_track, track)
            self._quality = None if track is None else LineQuality(track)
            self._last_quality = None
        if not self._is_closed:
            self._tell(publication)

    def read_quality(self) -> None:
        """Read the quality of the person's track, and tell it as a fact."""
        if self._quality is not None:
            tasks.start("read a track's quality", self._read_quality(self._quality))

    async def _read_quality(self, quality: LineQuality) -> None:
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                found = await quality.read()
        except (TimeoutError, StatsRefused):
            _log.debug("The quality of a track could not be read.", exc_info=True)
            return
        if quality is self._quality and not self._is_closed:
            self._last_quality = found
            self._tell(self._microphone())

    def _tell(self, publication: rtc.RemoteTrackPublication | None) -> None:
        """Tell the person's sound as a fact. Tells that the microphone is gone a little later."""
        was_there = self._told is not None and self._told.microphone is not Microphone.NONE
        if publication is None and was_there:
            if self._missing is None:
                self._missing = self._calls.agent_loop.call_later(GONE_S, self._tell_gone)
            return
        if self._missing is not None:
            self._missing.cancel()
            self._missing = None
        self._tell_now(publication)

    def _tell_gone(self) -> None:
        self._missing = None
        if not self._is_closed and self._person() is not None:
            self._tell_now(self._microphone())

    def _tell_now(self, publication: rtc.RemoteTrackPublication | None) -> None:
        if self._person() is None:
            return
        if publication is None:
            microphone = Microphone.NONE
        else:
            microphone = Microphone.MUTED if publication.muted else Microphone.ON
        is_heard = self._track is not None
        is_speaking = self._calls.is_speaking(self.identity) if is_heard else None
        audible = Audible(self._sid, microphone, is_speaking, self._last_quality)
        if audible != self._told:
            self._told = audible
            self._calls.tell(audible)

    def _want_sound(self) -> None:
        if not self._wants_sound:
            self._wants_sound = True
            self.refresh()

    def _person(self) -> rtc.RemoteParticipant | None:
        room = self._calls.room
        person = None if room is None else room.remote_participants.get(self.identity)
        return person if person is not None and person.sid == self._sid else None

    def _microphone(self) -> rtc.RemoteTrackPublication | None:
        """Return the person's microphone: the newest one, or an audio track without a source."""
        from livekit import rtc

        person = self._person()
        if person is None:
            return None
        found: rtc.RemoteTrackPublication | None = None
        for each in person.track_publications.values():
            if each.kind == rtc.TrackKind.KIND_AUDIO and (
                each.source == rtc.TrackSource.SOURCE_MICROPHONE
                or (each.source == rtc.TrackSource.SOURCE_UNKNOWN and found is None)
            ):
                found = each
        return found

    async def _send_text(self, text: str, topic: str) -> None:
        local = await self._local()
        await local.send_text(text, topic=topic, destination_identities=[self.identity])

    async def _transcribe(self, text: str, segment: str, is_user: bool, is_final: bool) -> None:
        local = await self._local()
        microphone = self._microphone()
        line_sid = "" if self.line is None else self.line.publication.sid
        user_sid = "" if microphone is None else microphone.sid
        attributes = {SEGMENT_ID: segment, IS_FINAL: "true" if is_final else "false"}
        if track_sid := user_sid if is_user else line_sid:
            attributes[TRACK_ID] = track_sid
        writer = await local.stream_text(
            topic=TRANSCRIPTION_TOPIC,
            attributes=attributes,
            destination_identities=[self.identity],
            sender_identity=self.identity if is_user else local.identity,
        )
        await writer.write(text)
        await writer.aclose()

    async def _in_turn(self, send: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async with self._sends:
            await send()

    async def _local(self) -> rtc.LocalParticipant:
        while self._calls.room is None:
            await self._calls.in_room.wait()
        return self._calls.room.local_participant

    # On the plug-ins' loop

    async def _sent(self, send: Callable[[], Coroutine[Any, Any, None]]) -> None:
        from livekit.rtc.data_stream import StreamError

        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await tasks.run_on(self._calls.agent_loop, self._in_turn(send))
        except TimeoutError:
            raise TimeoutError(f"the room did not take the text in {SEND_WITHIN_S:.0f} s") from None
        except StreamError as error:
            raise ConnectionError(f"the room refused the text: {error}") from None

    def _take_track(self, track: rtc.Track | None) -> None:
        self._heard = track
        for sink, stream in self._streams.items():
            if stream is not None:
                stream.close()
            self._streams[sink] = None if track is None else _Stream(track, sink)

    def _take_line(self, line: Line | None) -> None:
        self._line = line
        self._admit()

    def _take_hold(self, is_held: bool) -> None:
        self._is_held = is_held
        self._admit()

    def _admit(self) -> None:
        if self._line is not None and not self._is_held:
            self._may_play.set()
        else:
            self._may_play.clear()

    def _on_agent_loop(self, call: Callable[[], None]) -> None:
        self._calls.agent_loop.call_soon_threadsafe(call)


class _Stream:
    """A native stream on one track into one sink, on the plug-ins' loop."""

    def __init__(self, track: rtc.Track, sink: Sink) -> None:
        from livekit import rtc

        self._native = rtc.AudioStream(
            track, sample_rate=sink.rate, num_channels=1, frame_size_ms=sink.frame_ms
        )
        self._is_open = True
        tasks.start("read a microphone", self._read(sink))

    def silence(self) -> None:
        """Stop the native side. Safe on any thread; `close` follows."""
        self._native._ffi_handle.dispose()

    def close(self) -> None:
        """End the stream; no sound follows."""
        self._is_open = False
        tasks.start("close a microphone", self._native.aclose())

    async def _read(self, sink: Sink) -> None:
        async for event in self._native:
            if not self._is_open:
                return
            sink.put(bytes(event.frame.data))


def _ignore(_: Fact) -> None:
    """Take a fact before there is a Room."""
