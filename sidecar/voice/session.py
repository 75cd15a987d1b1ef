"""Owns the calls of a plug-in in one session: hear, speak, write, and tell the app.

Lives on the plug-ins' thread. Does not know LiveKit or the wire.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal

from sidecar import tasks
from sidecar.core.contract.messages import AgentSession, ConversationPage, Message, Role
from sidecar.core.contract.wire import EncodedJson, iso_time
from sidecar.core.conversation import Conversation, heard_part
from sidecar.core.sound import SAMPLE_BYTES, Frame, Needs
from sidecar.voice.events import Events
from sidecar.voice.microphone import KEPT_MS, Meter, Microphone
from sidecar.voice.ports import Call
from sidecar.voice.utterance import Utterance

MAX_CONTEXT_BYTES = 8 * 1024
MIN_RATE, MAX_RATE = 8_000, 48_000
"""Samples per second."""

TRANSCRIPT = "transcript"
FAILED = "failed"


class Session:
    """One session, for the plug-in that serves it. Use it on the plug-ins' thread only."""

    def __init__(
        self,
        now: AgentSession,
        call: Call,
        events: Events,
        *,
        needs: Needs,
        settings: Mapping[str, object],
        earlier: Sequence[Message],
        add_message: Callable[[], None],
        meter: Meter | None = None,
        set_context: Callable[[EncodedJson], None],
    ) -> None:
        """Serve *now*; *earlier* are the messages from before a crash of the sidecar."""
        self.now = now
        """The AgentSession at this moment; replaced at each change."""
        self.settings = settings
        """What the app gave as `voice` in `createSidecar` or `initialize`."""
        self._call = call
        self._events = events
        self._needs = needs
        self._add_message = add_message
        self._meter = meter
        self._set_context = set_context
        self._conversation = Conversation(earlier)
        self._conversation_lock = threading.Lock()
        self._utterance = Utterance()
        self._segments: dict[Role, str] = {}
        """The id of the unfinished words of each role."""
        self._interim = ""
        """The assistant's unfinished words."""
        self._last_words: tuple[int, str] = (0, "")
        """Number and segment of the assistant's last final words."""

    # Sound

    def microphone(self, rate: int = 48_000, frame_ms: int = 20) -> AsyncIterator[Frame]:
        """Iterate over the person's sound, in frames of *frame_ms* milliseconds at *rate* Hz.

        Goes on over mutes, republished tracks, reconnects and Rooms; pauses while there is no
        microphone. Keeps 1 s for a slow reader, then drops the oldest frames.

        Raises:
            ValueError: *rate* is not within 8,000 to 48,000, or *frame_ms* is no multiple of 10
                within 10 to 1,000.
            PermissionError: the plug-in's `needs` lack HEAR.
        """
        self._require(Needs.HEAR, "microphone()")
        if not MIN_RATE <= rate <= MAX_RATE:
            raise ValueError(f"rate must be {MIN_RATE} to {MAX_RATE} Hz, not {rate}")
        if frame_ms % 10 or not 10 <= frame_ms <= KEPT_MS:
            raise ValueError(f"frame_ms must be a multiple of 10 up to {KEPT_MS}, not {frame_ms}")
        return self._frames(Microphone(rate, frame_ms, self._meter))

    async def play(self, sound: Frame | bytes, rate: int | None = None) -> None:
        """Play a Frame, or 16-bit samples of *rate* Hz, to this person and to no other.

        Waits while 200 ms are queued, so it returns at most 200 ms before the sound ends. Returns
        early after `interrupt`. Waits while the agent is not in the room.

        Raises:
            ValueError: the sound has no rate, a rate out of range, or half a sample.
            PermissionError: the plug-in's `needs` lack SPEAK.
        """
        self._require(Needs.SPEAK, "play()")
        data = sound.data if isinstance(sound, Frame) else bytes(sound)
        rate = sound.rate if isinstance(sound, Frame) else rate
        if rate is None or not MIN_RATE <= rate <= MAX_RATE:
            raise ValueError(f"rate must be {MIN_RATE} to {MAX_RATE} Hz, not {rate}")
        if len(data) % SAMPLE_BYTES:
            raise ValueError("the sound ends within a sample: each sample has 2 bytes")
        self._utterance.sound(len(data) / SAMPLE_BYTES / rate)
        await self._call.say(data, rate)

    def interrupt(self) -> None:
        """Drop all queued sound, because the person speaks.

        The assistant's words are kept in the conversation as far as they were heard.
        """
        number, fraction = self._utterance.interrupted(self._call.interrupt())
        if fraction >= 1:
            return
        if self._interim:
            text, self._interim = self._interim, ""
            message = self._add(Role.ASSISTANT, heard_part(text, fraction), is_cut=True)
            self._tell_cut(message, self._segments.pop(Role.ASSISTANT, _new_segment()))
        elif number is not None:
            self._cut(number, fraction)

    # Words

    async def send_text(self, text: str, topic: str = "lk.chat") -> None:
        """Send *text* to this person and to no other.

        Raises:
            TimeoutError: the room did not take it within 5 s; the agent may be reconnecting.
            ConnectionError: the room refused it.
            PermissionError: the plug-in's `needs` lack TEXT.
        """
        self._require(Needs.TEXT, "send_text()")
        await self._call.send_text(text, topic)

    async def transcript(
        self, role: Literal["user", "assistant"], text: str, final: bool = True
    ) -> None:
        """Keep and show words: of the person (`user`), or of the plug-in (`assistant`).

        Final words are kept in the conversation; final words of the user count in messageCount.
        The app gets the event `transcript` `{role, text, final, segment, number?, timestamp?,
        interrupted?}`; words with the same `segment` replace each other. With `Needs.TEXT` the
        person sees them as LiveKit's transcription.

        Raises:
            TimeoutError: the person could not be shown the words within 5 s; they are kept.
            ConnectionError: the room refused to show them; they are kept.
        """
        who = Role(role)
        segment = self._segments.setdefault(who, _new_segment())
        if final:
            del self._segments[who]
            text = self._keep(who, text, segment)
        else:
            self._events.emit(TRANSCRIPT, _unfinished(who, text, segment))
            if who is Role.ASSISTANT:
                self._interim = text
        if Needs.TEXT in self._needs:
            is_user = who is Role.USER
            await self._call.transcribe(text, segment, is_user=is_user, is_final=final)

    @property
    def conversation(self) -> tuple[Message, ...]:
        """The messages so far, oldest first; also those from before a crash of the sidecar."""
        with self._conversation_lock:
            return self._conversation.messages

    # The app

    def emit(self, name: str, content: object) -> None:
        """Send the app a `session-event` with *name* and *content*.

        Raises:
            ValueError: JSON cannot express *content*, or it is over 64 KiB.
        """
        self._events.emit(name, content)

    def set_context(self, content: object) -> None:
        """Set the session's member `context`; None removes it.

        Raises:
            ValueError: JSON cannot express *content*, or it is over 8 KiB.
        """
        self._set_context(EncodedJson(content, MAX_CONTEXT_BYTES))

    # For the host, on any thread

    def page(self, after: int, limit: int | None) -> ConversationPage:
        """Return a page of the conversation."""
        with self._conversation_lock:
            return self._conversation.page(after, limit)

    async def _frames(self, microphone: Microphone) -> AsyncIterator[Frame]:
        self._call.hear(microphone)
        try:
            while True:
                yield await microphone.next()
        finally:
            self._call.unhear(microphone)

    def _keep(self, who: Role, text: str, segment: str) -> str:
        message = self._add(who, text)
        if who is Role.USER:
            self._add_message()
        else:
            self._interim = ""
            self._last_words = message.number, segment
            fraction = self._utterance.words(message.number)
            if fraction < 1:
                with self._conversation_lock:
                    heard = heard_part(message.content, fraction)
                    message = self._conversation.interrupt(message.number, heard) or message
        self._events.emit(TRANSCRIPT, _finished(message, segment))
        return message.content

    def _add(self, who: Role, text: str, *, is_cut: bool = False) -> Message:
        with self._conversation_lock:
            message = self._conversation.add(who, text, iso_time(round(time.time() * 1000)))
            if is_cut:
                message = self._conversation.interrupt(message.number, text) or message
        return message

    def _cut(self, number: int, fraction: float) -> None:
        with self._conversation_lock:
            found = [each for each in self._conversation.messages if each.number == number]
            heard = heard_part(found[0].content, fraction) if found else ""
            message = self._conversation.interrupt(number, heard)
        if message is not None:
            known, segment = self._last_words
            self._tell_cut(message, segment if known == number else _new_segment())

    def _tell_cut(self, message: Message, segment: str) -> None:
        self._events.emit(TRANSCRIPT, _finished(message, segment))
        if Needs.TEXT in self._needs:
            tasks.start("show the heard words", self._show_cut(message.content, segment))

    async def _show_cut(self, text: str, segment: str) -> None:
        try:
            await self._call.transcribe(text, segment, is_user=False, is_final=True)
        except (TimeoutError, ConnectionError):
            return  # the app has the words; the person's page shows the longer ones

    def _require(self, need: Needs, what: str) -> None:
        if need not in self._needs:
            raise PermissionError(f"{what} needs Needs.{need.name} in the plug-in's `needs`")


def _new_segment() -> str:
    return f"SG_{secrets.token_hex(6)}"


def _unfinished(who: Role, text: str, segment: str) -> dict[str, object]:
    return {"role": who.value, "text": text, "final": False, "segment": segment}


def _finished(message: Message, segment: str) -> dict[str, object]:
    shown: dict[str, object] = {
        "role": message.role.value,
        "text": message.content,
        "final": True,
        "segment": segment,
        "number": message.number,
        "timestamp": message.timestamp,
    }
    if message.interrupted is not None:
        shown["interrupted"] = message.interrupted
    return shown
