"""Which text streams count while one participant opens many: laws of Chat on scripted streams."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.facts import Fact, MessagesDropped, TextReceived
from sidecar.rtc.chat import MAX_OPEN, Chat


class Text:
    """A text stream that ends when the test says so, or when it is closed, like the SDK's."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def __aiter__(self) -> Text:
        return self

    async def __anext__(self) -> str:
        await self._over.wait()
        raise StopAsyncIteration

    def close(self) -> None:
        self._over.set()

    end = close


@pytest.fixture
def facts() -> list[Fact]:
    return []


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_streams_that_never_end_do_not_keep_later_messages_from_counting(facts):
    chat = Chat(facts.append, lambda: 1.0)
    for _ in range(10 * MAX_OPEN):
        chat.stream_opened(Text(), "mallory")
        await turns()
    last = Text()
    chat.stream_opened(last, "mallory")
    last.end()
    await turns()
    assert facts.count(TextReceived("mallory", 1.0)) == 1
    assert facts.count(MessagesDropped("mallory", 1)) == 9 * MAX_OPEN + 1
    assert len(facts) == 9 * MAX_OPEN + 2


async def test_open_streams_of_one_participant_end_no_stream_of_another(facts):
    chat = Chat(facts.append, lambda: 1.0)
    alice = Text()
    chat.stream_opened(alice, "alice")
    for _ in range(10 * MAX_OPEN):
        chat.stream_opened(Text(), "mallory")
        await turns()
    alice.end()
    await turns()
    assert facts.count(TextReceived("alice", 1.0)) == 1


async def test_a_stream_that_ended_makes_room(facts):
    chat = Chat(facts.append, lambda: 1.0)
    for _ in range(10 * MAX_OPEN):
        text = Text()
        chat.stream_opened(text, "alice")
        text.end()
        await turns()
    assert facts == [TextReceived("alice", 1.0)] * (10 * MAX_OPEN)
    assert chat._reading == {}
