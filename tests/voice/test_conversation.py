"""The laws of a conversation's limits and pages, and of interrupted words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.contract.messages import Message, Role
from sidecar.core.contract.wire import IsoTime
from sidecar.core.conversation import MAX_BYTES, MAX_MESSAGES, Conversation, heard_part
from sidecar.voice.utterance import Utterance

AT = IsoTime("2026-01-01T00:00:00.000Z")


def filled(*texts: str) -> Conversation:
    """A conversation of the user's *texts*."""
    conversation = Conversation()
    for text in texts:
        conversation.add(Role.USER, text, AT)
    return conversation


def numbers(messages: tuple[Message, ...]) -> list[int]:
    return [each.number for each in messages]


def test_the_oldest_messages_go_first_over_a_thousand():
    conversation = filled(*map(str, range(MAX_MESSAGES + 5)))
    assert numbers(conversation.messages) == list(range(6, MAX_MESSAGES + 6))


def test_the_oldest_messages_go_first_over_one_mebibyte():
    conversation = filled(*("é" * 30_000 for _ in range(30)))
    kept = numbers(conversation.messages)
    assert kept == list(range(31 - len(kept), 31))
    assert 0 < sum(len(each.content.encode()) for each in conversation.messages) <= MAX_BYTES


def test_a_message_over_64_kib_is_cut():
    (message,) = filled("é" * 100_000).messages
    assert len(message.content.encode()) == 64 * 1024


@given(st.integers(0, 12), st.integers(1, 12))
def test_pages_join_to_the_whole_conversation(after: int, limit: int):
    conversation = filled(*map(str, range(10)))
    found: list[int] = []
    following: int | None = after
    while following is not None:
        page = conversation.page(following, limit)
        found += numbers(page.messages)
        following = page.next
    assert found == list(range(after + 1, 11))


def test_an_interrupted_message_keeps_its_number_and_says_so():
    conversation = filled("one", "two words", "three")
    message = conversation.interrupt(2, "two")
    assert message is not None
    assert (message.number, message.content, message.interrupted) == (2, "two", True)
    assert [each.content for each in conversation.messages] == ["one", "two", "three"]
    assert conversation.interrupt(9, "x") is None


@pytest.mark.parametrize(
    ("fraction", "heard"),
    [
        (0.0, ""),
        (0.2, ""),
        (0.5, "one"),
        (0.6, "one two"),
        (0.99, "one two"),
        (1.0, "one two three"),
    ],
)
def test_the_heard_part_ends_with_a_whole_word(fraction: float, heard: str):
    assert heard_part("one two three", fraction) == heard


def test_words_before_their_sound_are_cut_by_its_unheard_rest():
    utterance = Utterance()
    assert utterance.words(1) == 1.0
    utterance.sound(2.0)
    utterance.sound(2.0)
    assert utterance.interrupted(1.0) == (1, 0.75)
    assert utterance.interrupted(0.0) == (None, 1.0)


def test_words_after_their_interrupted_sound_are_cut_as_well():
    utterance = Utterance()
    utterance.sound(4.0)
    assert utterance.interrupted(3.0) == (None, 0.25)
    assert utterance.words(1) == 0.25


def test_words_after_their_sound_do_not_own_the_next_sound():
    utterance = Utterance()
    utterance.sound(4.0)
    assert utterance.words(1) == 1.0
    utterance.sound(2.0)
    assert utterance.interrupted(1.0) == (None, 0.5)


def test_the_next_words_before_their_sound_begin_anew():
    utterance = Utterance()
    utterance.words(1)
    utterance.sound(10.0)
    utterance.words(2)
    utterance.sound(2.0)
    assert utterance.interrupted(1.0) == (2, 0.5)
