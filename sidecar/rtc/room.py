"""Owns one LiveKit Room: joins and leaves it, and turns the SDK's events into facts.

The event handlers are synchronous and short, and never raise into the SDK: after a BaseException
there, the Room stays connected but gets no more events. Does not know sessions, states, or the
effects of a fact.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from sidecar.core.config import Target, url_problem
from sidecar.core.contract.failures import BrokenInstall, Category
from sidecar.core.facts import (
    DisconnectReason,
    Fact,
    Joined,
    JoinFailed,
    Left,
    MessagesDropped,
    Overgrown,
    Reconnected,
    Reconnecting,
    RoomEnded,
    Seen,
    cut,
)
from sidecar.core.sound import Needs
from sidecar.rtc import event_budget, native
from sidecar.rtc.chat import LEGACY_TOPIC, MAX_TEXT_BYTES, TOPIC, Chat
from sidecar.rtc.connect_errors import may_be_clock, meaning_of
from sidecar.rtc.participants import joined_at_ms, participant, people
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.room_memory import RoomMemory
from sidecar.rtc.server_probe import http_url, look_again

if TYPE_CHECKING:
    from livekit import rtc

    from sidecar.rtc.calls import LiveKitCalls

REASON_WITHIN_S = 1.0
"""Seconds to wait for `disconnected(reason)` after the state change to disconnected. When we
disconnected, the event may never come (5 of 50)."""
MAX_ERROR_CHARS = 8_192
"""The first characters of an SDK error, which are read. The rest is a server's answer, of any
length."""

_log = logging.getLogger("sidecar.rtc")


class LiveKitRoom:
    """Implements `ports.Room`: one attempt to join. Make a new object for the next attempt."""

    def __init__(
        self,
        target: Target,
        token: str,
        emit: Callable[[Fact], None],
        *,
        now_s: Callable[[], float],
        proxies: Proxies,
        redact: Callable[[str], str],
        calls: LiveKitCalls | None = None,
        rss_bytes: Callable[[], int],
    ) -> None:
        """Prepare an attempt to join *target* with *token*; call `join` next.

        *emit* takes each fact. *now_s* returns attended seconds. *redact* removes secrets and
        tokens from a text. *rss_bytes* returns the memory of the process. *calls* has the sound of
        the people, for a voice plug-in; None without one.
        """
        self._target = target
        self._token = token
        self._emit = emit
        self._proxies = proxies
        self._redact = redact
        self._calls = calls
        self._chat = Chat(emit, now_s)
        self._room: rtc.Room | None = None
        self._memory = RoomMemory(rss_bytes, lambda: emit(Overgrown()))
        self._has_ended = False
        self._ending: asyncio.TimerHandle | None = None

    async def join(self) -> None:
        """Join the Room; emit `Joined` or `JoinFailed`. Call it once, and do not cancel it."""
        if url_problem(self._target.url) is not None or not self._is_token_sendable():
            self._emit(JoinFailed(Category.MALFORMED))
            return
        try:
            await asyncio.to_thread(native.load)
        except BrokenInstall as error:
            _log.error("%s", error)
            answer = str(error) if error.category is Category.LOCAL else ""
            self._emit(JoinFailed(error.category, answer))
            return
        from livekit import rtc

        self._limit_events()
        await self._proxies.prepare_join(self._target.url)
        room = rtc.Room()
        self._listen(room)
        if self._calls is not None:
            self._calls.listen(room, _guarded, self._emit)
        options = rtc.RoomOptions(
            auto_subscribe=self._target.auto_subscribe,
            data_stream=rtc.DataStreamOptions(max_payload_byte_length=MAX_TEXT_BYTES),
        )
        began_s = asyncio.get_running_loop().time()
        try:
            await room.connect(self._target.url, self._token, options)
        except rtc.ConnectError as error:
            self._emit(await self._failed(self._redact(error.message[:MAX_ERROR_CHARS])))
            return
        # Do not await before `Joined`: the SDK delivers events only at the loop's next turn.
        self._room = room
        granted = _granted(room.local_participant)
        if self._calls is None:
            self._memory.start()  # beside a plug-in, the memory that grows may be the plug-in's
        else:
            self._calls.joined(room, granted)
        took_s = asyncio.get_running_loop().time() - began_s
        own, name = room.local_participant, room.name or self._target.room
        there, server_ms = people(room), _server_ms(own, took_s)
        self._emit(Joined(cut(name), own.identity, there, server_ms, granted))

    async def _failed(self, text: str) -> JoinFailed:
        """Return the failure that the SDK's *text* means. May ask the server once more."""
        meaning = meaning_of(text, through_proxy=self._proxies.is_set)
        category, answer = meaning.category, meaning.answer
        is_odd = category in (Category.OTHER_SERVER, Category.UNKNOWN)
        if not is_odd and not (category is Category.UNAUTHORIZED and may_be_clock(text)):
            return JoinFailed(category, answer, is_name_unknown=meaning.is_name_unknown)
        url = self._target.url
        found = await look_again(http_url(url), await self._proxies.of(url))
        if is_odd and found.wants_tls:
            return JoinFailed(Category.USE_WSS)
        return JoinFailed(category, answer, None if is_odd else found.time_ms)

    async def leave(self) -> None:
        """Leave the Room. Never raises. Ignore every fact that it still emits."""
        self._cancel_ending()
        self._memory.stop()
        if self._room is None:
            return
        self._end_calls()
        try:
            await self._room.disconnect()
        except (AssertionError, asyncio.CancelledError):
            # AssertionError: the native room is gone. CancelledError: its listener has ended.
            _log.debug("The Room had ended before the agent left it.", exc_info=True)
        except Exception:
            _log.exception("Leaving the Room failed; the agent goes on without it.")

    def _listen(self, room: rtc.Room) -> None:
        from livekit import rtc

        def seen(person: rtc.Participant) -> None:
            if isinstance(person, rtc.RemoteParticipant):
                self._emit(Seen(participant(person)))

        def left(person: rtc.RemoteParticipant) -> None:
            sid, identity = cut(person.sid), cut(person.identity)
            self._emit(Left(sid, identity, person.disconnect_reason))

        def state_changed(state: int) -> None:
            if state == rtc.ConnectionState.CONN_DISCONNECTED and not self._has_ended:
                loop = asyncio.get_running_loop()
                self._cancel_ending()
                unknown = int(DisconnectReason.UNKNOWN_REASON)
                self._ending = loop.call_later(REASON_WITHIN_S, self._end, unknown)

        def attributes_changed(_: dict[str, str], person: rtc.Participant) -> None:
            seen(person)

        def value_changed(person: rtc.Participant, _before: str, _after: str) -> None:
            seen(person)

        def quality_changed(person: rtc.Participant, _quality: int) -> None:
            seen(person)

        handlers: dict[rtc.room.EventTypes, Callable[..., None]] = {
            "participant_connected": seen,
            "participant_active": seen,
            "participant_disconnected": left,
            "participant_name_changed": value_changed,
            "participant_metadata_changed": value_changed,
            "participant_attributes_changed": attributes_changed,
            "connection_quality_changed": quality_changed,
            "reconnecting": lambda: self._emit(Reconnecting()),
            "reconnected": lambda: self._emit(Reconnected(people(room))),
            "connection_state_changed": state_changed,
            "disconnected": lambda reason: self._end(int(reason)),
            "data_received": self._chat.data_received,
        }
        for event, handler in handlers.items():
            room.on(event, _guarded(handler))
        room.register_text_stream_handler(TOPIC, _guarded(self._chat.stream_opened))

    def _limit_events(self) -> None:
        loop = asyncio.get_running_loop()

        def report(identity: str, count: int) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
                loop.call_soon_threadsafe(self._emit, MessagesDropped(identity, count))

        budget = event_budget.install(frozenset({TOPIC, LEGACY_TOPIC}))
        if budget is not None:
            budget.report_to(report)

    def _end(self, reason: int) -> None:
        self._cancel_ending()
        if not self._has_ended:
            self._has_ended = True
            self._memory.stop()
            self._end_calls()
            self._emit(RoomEnded(reason))

    def _end_calls(self) -> None:
        if self._calls is not None and self._room is not None:
            self._calls.ended(self._room)

    def _cancel_ending(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _is_token_sendable(self) -> bool:
        if self._target.token is None:
            return True
        return self._target.claims is not None


def _guarded(handler: Callable[..., None]) -> Callable[..., None]:
    """Wrap *handler* so that it logs an Exception and never raises it.

    The SDK would raise a TypeError again and skip the other handlers.
    """

    @functools.wraps(handler)  # the SDK counts the handler's parameters
    def call(*args: object) -> None:
        try:
            handler(*args)
        except Exception:
            _log.exception("An event of the Room was skipped, by a bug.")

    return call


def _server_ms(own: rtc.LocalParticipant, took_s: float) -> int | None:
    """Estimate the server's clock at the end of a join that took *took_s* (Cristian's algorithm).

    The server set our `joined_at` at some moment of the join; this takes the middle. Returns
    milliseconds since 1970, or None without a `joined_at`.
    """
    began_ms = joined_at_ms(own)
    return None if began_ms is None else began_ms + round(took_s * 1000 / 2)


def _granted(own: rtc.LocalParticipant) -> Needs:
    """Return the needs that the agent's permissions cover."""
    given, granted = own.permissions, Needs.NOTHING
    if given.can_subscribe:
        granted |= Needs.HEAR
    if given.can_publish:
        granted |= Needs.SPEAK
    return granted | Needs.TEXT if given.can_publish_data else granted
