"""What one client of the real SDK sees of a room, in order, and the wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from livekit import rtc

from sidecar.dev.person import CHAT_TOPIC

WITHIN_S = 15.0
"""The real server announces within 3 s, 3.5 s under load; the rest is for a busy machine."""


@dataclass(frozen=True)
class Seen:
    """One event; `what` is the SDK's name of it, or `text`."""

    what: str
    identity: str = ""
    sid: str = ""
    detail: object = None
    """Of a leave its reason, of a text or a packet what it says, of the rest what changed."""


class Witness:
    """Keeps all that *room* emits from now on."""

    def __init__(self, room: rtc.Room) -> None:
        """Listen; before the Room connects."""
        self.seen: list[Seen] = []
        self._news = asyncio.Event()
        self._reading: set[asyncio.Task[None]] = set()
        for name in ("participant_connected", "participant_active"):
            room.on(name, self._person(name))
        room.on("participant_disconnected", self._left)
        room.on("reconnecting", lambda: self._take(Seen("reconnecting")))
        room.on("reconnected", lambda: self._take(Seen("reconnected")))
        room.on("disconnected", self._ended)
        room.on("participant_attributes_changed", self._attributes)
        room.on("participant_metadata_changed", self._metadata)
        room.on("participant_name_changed", self._name)
        room.on("data_received", self._packet)
        room.register_text_stream_handler(CHAT_TOPIC, self._text)

    def of(self, sid: str) -> list[str]:
        """The names of what happened to this stay, in order."""
        return [each.what for each in self.seen if each.sid == sid]

    async def until(self, what: str, where: Callable[[Seen], bool] = lambda seen: True) -> Seen:
        """Give the first event of this name that matches, waiting for it. Raises TimeoutError."""
        try:
            async with asyncio.timeout(WITHIN_S):
                while True:
                    self._news.clear()
                    for each in self.seen:
                        if each.what == what and where(each):
                            return each
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"no {what} as wanted among {self.seen}") from None

    async def sees(self, what: str, sid: str) -> Seen:
        """Give the first event of this name about this stay, waiting for it."""
        return await self.until(what, lambda seen: seen.sid == sid)

    def _take(self, seen: Seen) -> None:
        self.seen.append(seen)
        self._news.set()

    def _person(self, name: str) -> Callable[[rtc.RemoteParticipant], None]:
        def take(person: rtc.RemoteParticipant) -> None:
            self._take(Seen(name, person.identity, person.sid))

        return take

    def _left(self, person: rtc.RemoteParticipant) -> None:
        number = person.disconnect_reason
        reason = None if number is None else rtc.DisconnectReason.Name(number)
        self._take(Seen("participant_disconnected", person.identity, person.sid, reason))

    def _ended(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self._take(Seen("disconnected", detail=rtc.DisconnectReason.Name(reason)))

    def _attributes(self, changed: dict[str, str], person: rtc.Participant) -> None:
        self._take(Seen("attributes", person.identity, person.sid, changed))

    def _metadata(self, person: rtc.Participant, _before: str, after: str) -> None:
        self._take(Seen("metadata", person.identity, person.sid, after))

    def _name(self, person: rtc.Participant, _before: str, after: str) -> None:
        self._take(Seen("name", person.identity, person.sid, after))

    def _packet(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant
        identity = "" if sender is None else sender.identity
        self._take(Seen("packet", identity, "" if sender is None else sender.sid, packet.data))

    def _text(self, reader: rtc.TextStreamReader, identity: str) -> None:
        async def read() -> None:
            self._take(Seen("text", identity, detail=await reader.read_all()))

        task = asyncio.get_running_loop().create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)
