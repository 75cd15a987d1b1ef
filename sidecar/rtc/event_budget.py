"""Owns each participant's budget: refuses the SDK's events before they reach the loop.

The SDK's native threads hand every event to the loop, one by one and without a limit (livekit 1.2.1
livekit/rtc/_ffi_client.py: ffi_event_callback, FfiQueue.put). A participant can send 70,000 data
packets a second; the loop handles about 5,000 events a second. `FfiQueue.put` is the last place
where an event costs microseconds. Does not know sessions, nor the content of a message.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sidecar import tasks

MESSAGES_PER_S = 100.0
"""Messages a second of one participant: a chat message of LiveKit's useChat costs three, its text
stream, one part of 15,000 bytes, and its copy for older clients."""
MESSAGES_AT_ONCE = 200
CHANGES_PER_S = 10.0
"""Changes a second of one participant: attributes, metadata, name, mute. Faster ones are held, and
the last of each kind is delivered."""
CHANGES_AT_ONCE = 40
HOLD_S = 0.1
"""Seconds between two deliveries of held changes, and between two reports of dropped messages."""
MAX_STREAMS = 10_000
"""Remembered senders of open text streams; parts of a forgotten stream have no budget."""
MAX_KNOWN = 4_096
"""Participants with a running account, before idle accounts are forgotten."""

_UNUSED = frozenset(
    {
        "byte_stream_opened",
        "chat_message",
        "data_track_published",
        "data_track_unpublished",
        "stream_chunk_received",
        "stream_header_received",
        "stream_trailer_received",
        "transcription_received",
    }
)
"""Room events that no handler of the sidecar takes: never delivered."""
_CHANGES = frozenset(
    {
        "connection_quality_changed",
        "participant_attributes_changed",
        "participant_encryption_status_changed",
        "participant_metadata_changed",
        "participant_name_changed",
        "participant_permission_changed",
        "track_muted",
        "track_unmuted",
    }
)
"""Room events of which only the last counts, for each participant (and track)."""
_TURNS = frozenset({"participant_active", "participant_connected", "participant_disconnected"})
"""Room events before which held changes of the participant must be delivered. Never dropped."""
_ENDS = frozenset({"disconnected", "eos", "reconnected"})
"""Room events before which all held changes must be delivered."""

_log = logging.getLogger("sidecar.rtc")

Event = Any
"""livekit.rtc._proto.ffi_pb2.FfiEvent; the generated class has no types."""


class Account:
    """Lets each participant spend *per_s* units a second, and up to *at_once* after a pause."""

    def __init__(self, per_s: float, at_once: int) -> None:
        """Start with full budgets."""
        self._unit_s = 1 / per_s
        self._ahead_s = at_once / per_s
        self._spent_until_s: dict[str, float] = {}

    def spend(self, identity: str, now_s: float) -> bool:
        """Take one unit from the budget of *identity*; False when it is used up."""
        until_s = max(self._spent_until_s.get(identity, now_s), now_s) + self._unit_s
        if until_s - now_s > self._ahead_s + self._unit_s / 2:  # the sums are not exact
            return False
        self._spent_until_s[identity] = until_s
        if len(self._spent_until_s) > MAX_KNOWN:
            running = {who: s for who, s in self._spent_until_s.items() if s > now_s}
            self._spent_until_s = running
        return True


class EventBudget:
    """Stands in front of the SDK's queue: delivers, holds or drops each event."""

    def __init__(
        self,
        deliver: Callable[[Event], None],
        drop_handle: Callable[[int], object],
        wanted_topics: frozenset[str],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Pass events on to *deliver*, and free the native memory of dropped ones by *drop_handle*.

        Data packets and text streams of other topics than *wanted_topics* are never delivered.
        """
        self._deliver = deliver
        self._drop_handle = drop_handle
        self._wanted_topics = wanted_topics
        self._now_s = now_s
        self._messages = Account(MESSAGES_PER_S, MESSAGES_AT_ONCE)
        self._changes = Account(CHANGES_PER_S, CHANGES_AT_ONCE)
        self._held: dict[str, dict[object, Event]] = {}
        self._senders: dict[int, str] = {}
        """The sender of each open text stream, by the handle of its reader."""
        self._dropped: dict[str, int] = {}
        self._has_failed = False
        self._has_given_up = False
        """Whether a bug ended the thread: nobody delivers what would be held."""
        self._on_dropped: Callable[[str, int], None] = _ignore
        self._changed = threading.Condition(threading.RLock())

    def report_to(self, on_dropped: Callable[[str, int], None]) -> None:
        """Call *on_dropped* with an identity and the number of messages dropped since.

        It is called on a thread of its own, at most each 0.1 s for each identity.
        """
        self._on_dropped = on_dropped

    def start(self) -> None:
        """Start the thread that delivers held changes and reports dropped messages."""
        tasks.start_thread("event budget", self._run, self._give_up)

    def put(self, event: Event) -> None:
        """Take *event* from a native thread. An event that cannot be read is delivered."""
        if self._has_given_up:
            self._deliver(event)
            return
        try:
            with self._changed:
                for each in self._passed(event):
                    self._deliver(each)
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                _log.exception("Events of the LiveKit SDK cannot be limited, by a bug.")
            self._deliver(event)

    def _passed(self, event: Event) -> Iterator[Event]:
        """Yield the events to deliver now because of *event*."""
        message = event.WhichOneof("message")
        if message == "text_stream_reader_event":
            if self._take_part(event.text_stream_reader_event):
                yield event
            return
        if message != "room_event":
            yield event
            return
        kind = event.room_event.WhichOneof("message")
        content: Any = getattr(event.room_event, kind) if kind else None
        if kind == "data_packet_received":
            if self._take_packet(content):
                yield event
        elif kind == "text_stream_opened":
            if self._take_stream(content):
                yield event
        elif kind in _UNUSED:
            self._free(content)
        elif kind in _CHANGES:
            key = (kind.replace("unmuted", "muted"), getattr(content, "track_sid", ""))
            yield from self._change(content.participant_identity, key, event)
        elif kind == "participants_updated":
            yield from self._updated(event)
        else:
            if kind in _TURNS:
                yield from self._released(_identity(content))
            elif kind in _ENDS:
                for identity in list(self._held):
                    yield from self._released(identity)
            yield event

    # Messages: dropped over the budget

    def _take_packet(self, packet: Any) -> bool:
        """Spend the sender's budget for *packet*; if it is over, free it and return False."""
        # Without an identity: the server itself, or a sender who is not announced yet.
        sender = packet.participant_identity
        is_wanted = packet.HasField("user") and packet.user.topic in self._wanted_topics
        if sender and is_wanted and self._spend(sender):
            return True
        self._free(packet)
        return False

    def _take_stream(self, opened: Any) -> bool:
        """Spend the sender's budget for a text stream; if it is over, free it, return False."""
        if opened.reader.info.topic in self._wanted_topics:
            if self._spend(opened.participant_identity):
                self._senders[opened.reader.handle.id] = opened.participant_identity
                if len(self._senders) > MAX_STREAMS:
                    del self._senders[next(iter(self._senders))]
                return True
        self._free(opened)
        return False

    def _take_part(self, part: Any) -> bool:
        """Spend the sender's budget for *part* of a text stream; False if it is over."""
        if part.HasField("eos"):  # without its end, the reader would wait for ever
            self._senders.pop(part.reader_handle, None)
            return True
        sender = self._senders.get(part.reader_handle)
        return sender is None or self._messages.spend(sender, self._now_s())

    def _spend(self, identity: str) -> bool:
        if self._messages.spend(identity, self._now_s()):
            return True
        self._dropped[identity] = self._dropped.get(identity, 0) + 1
        self._changed.notify()
        return False

    def _free(self, content: Any) -> None:
        """Free the native memory that *content* owns."""
        for owner in ("user", "reader", "track"):
            if owner in content.DESCRIPTOR.fields_by_name and content.HasField(owner):
                owned = getattr(content, owner)
                owned = owned.data if owner == "user" else owned
                self._drop_handle(owned.handle.id)

    # Changes: held over the budget, the last of each kind is delivered

    def _change(self, identity: str, key: object, event: Event) -> Iterator[Event]:
        held = self._held.get(identity)
        if held is None:
            if self._changes.spend(identity, self._now_s()):
                yield event
                return
            held = self._held[identity] = {}
        held.pop(key, None)  # the newest goes last
        held[key] = event
        self._changed.notify()

    def _updated(self, event: Event) -> Iterator[Event]:
        people = event.room_event.participants_updated.participants
        if len(people) == 1:
            yield from self._change(people[0].identity, "updated", event)
            return
        for info in people:
            one = type(event)()
            one.room_event.room_handle = event.room_event.room_handle
            one.room_event.participants_updated.participants.append(info)
            yield from self._change(info.identity, "updated", one)

    def _released(self, identity: str) -> Iterator[Event]:
        yield from self._held.pop(identity, {}).values()

    # The thread

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                while not self._held and not self._dropped:
                    self._changed.wait()
            pause.wait(HOLD_S)
            self.deliver_held()

    def _give_up(self) -> None:
        self._has_given_up = True

    def deliver_held(self) -> None:
        """Deliver all held changes, and report all dropped messages."""
        with self._changed:
            for identity in list(self._held):
                for event in self._released(identity):
                    self._deliver(event)
            dropped, self._dropped = self._dropped, {}
        for identity, count in dropped.items():
            self._on_dropped(identity, count)


def _identity(content: Any) -> str:
    if "info" in content.DESCRIPTOR.fields_by_name:
        return str(content.info.info.identity)
    return str(content.participant_identity)


def _ignore(identity: str, count: int) -> None:
    """Take a report that nothing listens to."""


def install(wanted_topics: frozenset[str]) -> EventBudget | None:
    """Put a budget in front of the SDK's queue, once; call `native.load` before.

    Returns None, and changes nothing, when this SDK has no such queue: then nothing is limited.
    """
    from livekit.rtc import _ffi_client

    client: Any = _ffi_client.FfiClient.instance
    try:
        queue, drop_handle = client.queue, client._ffi_lib.livekit_ffi_drop_handle
        put = queue.put
    except AttributeError:
        _log.warning(
            "This version of the LiveKit SDK cannot be limited: one participant may flood."
        )
        return None
    installed = getattr(put, "__self__", None)
    if isinstance(installed, EventBudget):
        return installed

    def drop(handle: int) -> None:
        if not _ffi_client.FfiClient._ffi_disposed:
            drop_handle(handle)

    budget = EventBudget(put, drop, wanted_topics)
    budget.start()
    queue.put = budget.put
    return budget
