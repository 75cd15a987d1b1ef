"""Owns which chat messages count, and that each is read to its end: texts in, facts out.

The texts themselves are dropped as they come. Does not know sessions.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from sidecar import tasks
from sidecar.core.facts import Fact, TextReceived

if TYPE_CHECKING:
    from livekit import rtc

TOPIC = "lk.chat"
"""Text streams of livekit-client's sendText, LiveKit Components and Agents UI."""
LEGACY_TOPIC = "lk-chat-topic"
"""Data packets of older clients; newer ones send a second copy there, marked `ignoreLegacy`
(livekit/components-js #979)."""
MAX_TEXT_BYTES = 16 * 1024 * 1024
MAX_OPEN = 1_000
"""Streams that have begun and not ended; more than that is an attack, and does not count."""

_log = logging.getLogger("sidecar.rtc")


class Chat:
    """Hears the chat of one Room."""

    def __init__(self, emit: Callable[[Fact], None], now_s: Callable[[], float]) -> None:
        """*emit* takes facts; *now_s* tells attended seconds."""
        self._emit = emit
        self._now_s = now_s
        self._reading: set[asyncio.Task[None]] = set()

    def stream_opened(self, reader: rtc.TextStreamReader, identity: str) -> None:
        """A text stream began; it counts for who has the identity now, once it is complete."""
        if len(self._reading) >= MAX_OPEN:
            reader.close()
            return
        # An unread stream keeps a subscription of the SDK for as long as the process lives.
        task = tasks.start("read a text", self._read(reader, identity, self._now_s()))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def data_received(self, packet: rtc.DataPacket) -> None:
        """A data packet came; without its sender known it cannot count."""
        if packet.topic == LEGACY_TOPIC and packet.participant is not None:
            if not _is_duplicate(packet.data):
                self._emit(TextReceived(packet.participant.identity, self._now_s()))

    async def _read(self, reader: rtc.TextStreamReader, identity: str, opened_s: float) -> None:
        from livekit.rtc.data_stream import StreamError

        try:
            async for _ in reader:
                pass
        except StreamError:
            return  # its sender left, or we did, before it was complete
        except Exception:
            _log.exception("A text stream could not be read.")
            return
        self._emit(TextReceived(identity, opened_s))


def _is_duplicate(data: bytes) -> bool:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("ignoreLegacy") is True
