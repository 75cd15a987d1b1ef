"""Owns which chat messages count: reads each text to its end and emits one fact for it.

Drops the text itself while it arrives. Does not know sessions.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from sidecar import tasks
from sidecar.core.facts import Fact, MessagesDropped, TextReceived

if TYPE_CHECKING:
    from livekit import rtc

TOPIC = "lk.chat"
"""The topic of text streams by livekit-client's sendText, LiveKit Components and Agents UI."""
LEGACY_TOPIC = "lk-chat-topic"
"""The topic of data packets by older clients. Newer clients also send a copy of each text there,
marked `ignoreLegacy` (livekit/components-js #979)."""
MAX_TEXT_BYTES = 256 * 1024
"""Bytes of one chat message or file, unpacked; more ends the stream, uncounted. A sender may pack a
message: with a limit of 16 MiB, 50 packets a second took 2.1 GB in 10 s."""
MAX_OPEN = 20
"""Text streams of one participant that may be open at once. One more ends the oldest, uncounted: a
browser that froze in a message must not make later messages uncounted."""

_log = logging.getLogger("sidecar.rtc")


class Chat:
    """Counts the chat messages of one Room: emits a `TextReceived` for each."""

    def __init__(self, emit: Callable[[Fact], None], now_s: Callable[[], float]) -> None:
        """Emit facts by *emit*; *now_s* returns attended seconds."""
        self._emit = emit
        self._now_s = now_s
        self._reading: dict[str, list[rtc.TextStreamReader]] = {}
        """The open text streams of each identity, oldest first."""

    def stream_opened(self, reader: rtc.TextStreamReader, identity: str) -> None:
        """Read a text stream that began; emit its fact once the text is complete.

        The fact has the time of the beginning: the message counts for the participant who had
        *identity* then.
        """
        readers = self._reading.setdefault(identity, [])
        readers.append(reader)
        tasks.start("read a text", self._read(reader, identity, self._now_s()))
        if len(readers) > MAX_OPEN:
            readers.pop(0).close()
            self._emit(MessagesDropped(identity, 1))

    def data_received(self, packet: rtc.DataPacket) -> None:
        """Emit the fact for a data packet of an older client; ignore packets of unknown senders."""
        if packet.topic == LEGACY_TOPIC and packet.participant is not None:
            if not _is_duplicate(packet.data):
                self._emit(TextReceived(packet.participant.identity, self._now_s()))

    async def _read(self, reader: rtc.TextStreamReader, identity: str, opened_s: float) -> None:
        from livekit.rtc.data_stream import StreamError

        try:
            async for _ in reader:
                pass
        except StreamError:
            return  # the sender or the agent left before the text was complete
        except Exception:
            _log.exception("A text stream could not be read.")
            return
        finally:
            is_complete = self._forget(reader, identity)
        if is_complete:
            self._emit(TextReceived(identity, opened_s))

    def _forget(self, reader: rtc.TextStreamReader, identity: str) -> bool:
        """Forget a stream that ended; False if it was ended here, to make room for a newer one."""
        readers = self._reading.get(identity, [])
        is_known = reader in readers
        if is_known:
            readers.remove(reader)
        if not readers:
            self._reading.pop(identity, None)
        return is_known


def _is_duplicate(data: bytes) -> bool:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(message, dict) and message.get("ignoreLegacy") is True
