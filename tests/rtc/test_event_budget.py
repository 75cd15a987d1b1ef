"""What one participant may put into the loop's queue: each law on the SDK's own callback and queue.

The events are the SDK's own messages, given to the function that its native threads call.
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from livekit.rtc import _ffi_client
from livekit.rtc._proto.ffi_pb2 import FfiEvent
from livekit.rtc._proto.room_pb2 import DataPacketKind, RoomEvent

from sidecar.rtc import event_budget, native
from sidecar.rtc.event_budget import CHANGES_AT_ONCE, MESSAGES_AT_ONCE, EventBudget

CHAT, OLD_CHAT = "lk.chat", "lk-chat-topic"
ROOM = 7


class Loop:
    """A loop's end of the SDK's queue, and the clock of the budget in front of it."""

    def __init__(self) -> None:
        native.load()
        self.now_s = 1000.0
        self.freed: list[int] = []
        self.dropped: dict[str, int] = {}
        self.has_report = threading.Event()
        self.sdk = _ffi_client.FfiClient.instance.queue
        self.queue = self.sdk.subscribe()
        self.budget = EventBudget(
            lambda event: type(self.sdk).put(self.sdk, event),
            self.freed.append,
            frozenset({CHAT, OLD_CHAT}),
            lambda: self.now_s,
        )
        self.budget.report_to(self._report)

    def _report(self, identity: str, count: int) -> None:
        self.dropped[identity] = self.dropped.get(identity, 0) + count
        self.has_report.set()

    def send(self, event: FfiEvent) -> None:
        """Do what a native thread does with an event."""
        self.budget.put(event)

    async def delivered(self) -> list[FfiEvent]:
        """Take all that has reached the loop."""
        await asyncio.sleep(0)
        events = []
        while not self.queue.empty():
            events.append(await self.queue.get())
        return events


@pytest_asyncio.fixture
async def loop() -> AsyncIterator[Loop]:
    made = Loop()
    yield made
    made.sdk.unsubscribe(made.queue)


def packet(who: str, topic: str = OLD_CHAT, handle: int = 1) -> FfiEvent:
    event = FfiEvent()
    received = event.room_event.data_packet_received
    received.participant_identity = who
    received.user.topic = topic
    received.user.data.handle.id = handle
    received.user.data.data.data_ptr = received.user.data.data.data_len = 0
    received.kind = DataPacketKind.KIND_RELIABLE
    event.room_event.room_handle = ROOM
    return event


def stream(who: str, handle: int, topic: str = CHAT) -> FfiEvent:
    event = FfiEvent()
    opened = event.room_event.text_stream_opened
    opened.participant_identity = who
    opened.reader.handle.id = handle
    opened.reader.info.topic = topic
    return event


def part(handle: int, content: str = "x") -> FfiEvent:
    event = FfiEvent()
    event.text_stream_reader_event.reader_handle = handle
    event.text_stream_reader_event.chunk_received.content = content
    return event


def end(handle: int) -> FfiEvent:
    event = FfiEvent()
    event.text_stream_reader_event.reader_handle = handle
    event.text_stream_reader_event.eos.SetInParent()
    return event


def name(who: str, text: str) -> FfiEvent:
    event = FfiEvent()
    event.room_event.participant_name_changed.participant_identity = who
    event.room_event.participant_name_changed.name = text
    return event


def metadata(who: str, text: str) -> FfiEvent:
    event = FfiEvent()
    event.room_event.participant_metadata_changed.participant_identity = who
    event.room_event.participant_metadata_changed.metadata = text
    return event


def joined(who: str) -> FfiEvent:
    event = FfiEvent()
    event.room_event.participant_connected.info.info.identity = who
    event.room_event.room_handle = ROOM
    return event


def left(who: str) -> FfiEvent:
    event = FfiEvent()
    event.room_event.participant_disconnected.participant_identity = who
    return event


def updated(**texts: str) -> FfiEvent:
    event = FfiEvent()
    event.room_event.room_handle = ROOM
    for who, text in texts.items():
        event.room_event.participants_updated.participants.add(identity=who, name=text)
    return event


def kinds(events: list[FfiEvent]) -> list[str | None]:
    return [each.room_event.WhichOneof("message") for each in events]


async def test_what_one_participant_sends_over_their_share_is_dropped_and_counted(loop):
    for _ in range(MESSAGES_AT_ONCE + 50):
        loop.send(packet("mallory"))
    assert len(await loop.delivered()) == MESSAGES_AT_ONCE
    loop.budget.deliver_held()
    assert loop.dropped == {"mallory": 50}
    assert len(loop.freed) == 50  # else the native library would keep each packet for ever


async def test_nobody_else_notices_a_flood(loop):
    for _ in range(10 * MESSAGES_AT_ONCE):
        loop.send(packet("mallory"))
    await loop.delivered()
    for _ in range(MESSAGES_AT_ONCE):
        loop.send(packet("alice"))
    assert len(await loop.delivered()) == MESSAGES_AT_ONCE
    loop.budget.deliver_held()
    assert set(loop.dropped) == {"mallory"}


async def test_a_share_comes_back_with_time(loop):
    for _ in range(MESSAGES_AT_ONCE + 1):
        loop.send(packet("mallory"))
    await loop.delivered()
    loop.now_s += 1.0
    for _ in range(MESSAGES_AT_ONCE):
        loop.send(packet("mallory"))
    assert len(await loop.delivered()) == event_budget.MESSAGES_PER_S


async def test_packets_without_a_sender_are_nobody_s_messages(loop):
    for _ in range(2 * MESSAGES_AT_ONCE):
        loop.send(packet(""))
    assert await loop.delivered() == []
    loop.budget.deliver_held()
    assert loop.dropped == {}


async def test_what_no_part_of_the_sidecar_reads_is_dropped_and_costs_nothing(loop):
    for number in range(1_000):
        loop.send(packet("app", topic="cursor", handle=number))
        loop.send(stream("app", number, topic="lk.transcription"))
    for _ in range(MESSAGES_AT_ONCE):
        loop.send(packet("app"))
    assert len(await loop.delivered()) == MESSAGES_AT_ONCE
    loop.budget.deliver_held()
    assert loop.dropped == {}
    assert len(loop.freed) == 2_000


@pytest.mark.parametrize("kind", sorted(event_budget._UNUSED))
async def test_each_event_that_nothing_reads_is_one_of_the_sdk_s(loop, kind):
    event = FfiEvent()
    getattr(event.room_event, kind).SetInParent()
    loop.send(event)
    assert await loop.delivered() == []


@pytest.mark.parametrize(
    "kind", sorted(event_budget._CHANGES | event_budget._TURNS | event_budget._ENDS)
)
async def test_each_event_that_is_treated_apart_is_one_of_the_sdk_s(loop, kind):
    event = FfiEvent()
    getattr(event.room_event, kind).SetInParent()
    loop.send(event)
    assert kinds(await loop.delivered()) == [kind]
    assert loop.budget._has_failed is False


async def test_a_join_or_a_leave_is_never_dropped_nor_held(loop):
    for number in range(1_000):
        loop.send(joined(f"guest-{number % 3}"))
        loop.send(left(f"guest-{number % 3}"))
    assert len(await loop.delivered()) == 2_000


async def test_an_event_of_a_kind_that_is_new_here_is_delivered(loop):
    sent = FfiEvent()
    sent.room_event.track_published.participant_identity = "alice"
    other = FfiEvent()
    other.publish_track.async_id = 3
    loop.send(sent)
    loop.send(other)
    assert await loop.delivered() == [sent, other]


async def test_of_a_long_text_parts_over_the_share_are_dropped_and_its_end_is_not(loop):
    loop.send(stream("mallory", 5))
    for _ in range(10 * MESSAGES_AT_ONCE):
        loop.send(part(5))
    loop.send(end(5))
    delivered = await loop.delivered()
    assert len(delivered) == MESSAGES_AT_ONCE + 1
    assert delivered[-1] == end(5)
    assert loop.dropped == {}  # the message itself still counts


async def test_of_changes_over_the_share_the_last_of_each_kind_is_delivered(loop):
    for number in range(500):
        loop.send(name("mallory", str(number)))
        loop.send(metadata("mallory", str(number)))
    now = await loop.delivered()
    assert len(now) == CHANGES_AT_ONCE
    loop.budget.deliver_held()
    later = await loop.delivered()
    assert later == [name("mallory", "499"), metadata("mallory", "499")]


async def test_held_changes_come_before_the_leave_of_their_participant(loop):
    for number in range(500):
        loop.send(name("mallory", str(number)))
    await loop.delivered()
    loop.send(left("alice"))
    loop.send(left("mallory"))
    assert await loop.delivered() == [left("alice"), name("mallory", "499"), left("mallory")]


async def test_held_changes_of_everybody_come_before_the_end_of_the_room(loop):
    over = FfiEvent()
    over.room_event.disconnected.reason = 3
    for who in ("mallory", "mike"):
        for number in range(500):
            loop.send(name(who, str(number)))
    await loop.delivered()
    loop.send(over)
    assert await loop.delivered() == [name("mallory", "499"), name("mike", "499"), over]


async def test_an_update_of_several_participants_costs_each_of_them_their_own_share(loop):
    for number in range(500):
        loop.send(updated(mallory=str(number)))
    await loop.delivered()
    loop.send(updated(mallory="last", alice="new"))
    assert await loop.delivered() == [updated(alice="new")]
    loop.budget.deliver_held()
    assert await loop.delivered() == [updated(mallory="last")]


async def test_held_changes_and_counts_are_told_without_a_further_event(loop):
    loop.budget.start()
    for number in range(500):
        loop.send(name("mallory", str(number)))
        loop.send(packet("mallory"))
    async with asyncio.timeout(10):
        while await loop.queue.get() != name("mallory", "499"):
            pass
        await asyncio.to_thread(loop.has_report.wait)
    assert set(loop.dropped) == {"mallory"}


async def test_an_event_that_cannot_be_read_is_delivered(loop):
    event = FfiEvent()
    event.text_stream_reader_event.reader_handle = 1

    def broken(_: str) -> bool:
        raise ZeroDivisionError

    class Unreadable:
        """An event of a later SDK."""

        WhichOneof: Callable[[str], bool] = staticmethod(broken)

    loop.send(Unreadable())
    loop.send(event)
    assert len(await loop.delivered()) == 2


async def test_the_budget_stands_in_front_of_the_pinned_sdk_s_queue():
    """The events go the way of the native threads, so that a new SDK is noticed here."""
    native.load()
    budget = event_budget.install(frozenset({CHAT, OLD_CHAT}))
    assert budget is not None
    assert event_budget.install(frozenset({CHAT, OLD_CHAT})) is budget
    sdk = _ffi_client.FfiClient.instance.queue
    queue = sdk.subscribe()
    try:
        for event in (packet("app", topic="cursor"), packet("alice"), joined("alice")):
            data = event.SerializePartialToString()
            buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
            _ffi_client.ffi_event_callback(buffer, len(data))
        await asyncio.sleep(0)
        assert [queue.get_nowait() for _ in range(queue.qsize())] == [
            packet("alice"),
            joined("alice"),
        ]
    finally:
        sdk.unsubscribe(queue)


def test_every_field_of_a_room_event_that_is_named_here_exists():
    named = event_budget._UNUSED | event_budget._CHANGES | event_budget._TURNS | event_budget._ENDS
    assert named <= set(RoomEvent.DESCRIPTOR.fields_by_name)
