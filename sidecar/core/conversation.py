"""Owns the messages of one session: their numbers, their limits and their pages.

Does not know the time or the wire.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from sidecar.core.contract.messages import MAX_MESSAGES, ConversationPage, Message, Role
from sidecar.core.contract.wire import IsoTime

MAX_BYTES = 1024 * 1024
"""JSON of all messages of one session. The oldest messages go first."""
MAX_MESSAGE_BYTES = 64 * 1024
"""UTF-8 of one message; a longer one is cut."""

_FRAME_BYTES = 120
"""JSON of a message without its text, at most."""


class Conversation:
    """The messages of one session, oldest first. Numbers begin at 1 and never repeat."""

    def __init__(self, earlier: Iterable[Message] = ()) -> None:
        """Start with the messages that an *earlier* process kept."""
        self._kept: deque[tuple[Message, int]] = deque()
        self._bytes = 0
        self._last = 0
        for message in sorted(earlier, key=lambda each: each.number):
            if message.number > self._last:
                self._last = message.number
                self._keep(message)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Return the kept messages, oldest first."""
        return tuple(message for message, _ in self._kept)

    def add(self, role: Role, content: str, timestamp: IsoTime) -> Message:
        """Keep a new message, and drop the oldest ones over the limits."""
        self._last += 1
        message = Message(self._last, role, _cut(content), timestamp)
        self._keep(message)
        return message

    def interrupt(self, number: int, heard: str) -> Message | None:
        """Keep only *heard* of message *number*, marked `interrupted`; None if it is gone."""
        for index, (message, size) in enumerate(self._kept):
            if message.number == number:
                now = replace(message, content=heard, interrupted=True)
                self._kept[index] = now, _size(now)
                self._bytes += self._kept[index][1] - size
                return now
        return None

    def page(self, after: int = 0, limit: int | None = None) -> ConversationPage:
        """Return at most *limit* messages with numbers above *after*, oldest first.

        `next` of the page is the `after` of the next page; None when nothing is left.
        """
        rest = [message for message, _ in self._kept if message.number > after]
        shown = rest if limit is None else rest[:limit]
        following = shown[-1].number if shown and len(shown) < len(rest) else None
        return ConversationPage(tuple(shown), following)

    def _keep(self, message: Message) -> None:
        size = _size(message)
        self._kept.append((message, size))
        self._bytes += size
        while len(self._kept) > MAX_MESSAGES or self._bytes > MAX_BYTES:
            _, dropped = self._kept.popleft()
            self._bytes -= dropped


def heard_part(text: str, fraction: float) -> str:
    """Return the first *fraction* (0 to 1) of *text*, ending with a whole word."""
    if fraction >= 1:
        return text
    length = int(len(text) * max(fraction, 0.0))
    if length >= len(text) or text[length].isspace():
        return text[:length].rstrip()
    return text[:length].rpartition(" ")[0].rstrip()


def _cut(content: str) -> str:
    encoded = content.encode("utf-8", "replace")
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return encoded.decode()
    return encoded[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")


def _size(message: Message) -> int:
    return _FRAME_BYTES + len(json.dumps(message.content, ensure_ascii=False).encode())
