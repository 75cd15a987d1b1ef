"""When a room tells its participants of a change: at once, or with the next batch.

Pure: infos in, infos out. As livekit-server does it (pkg/rtc/room.go, PushAndDequeueUpdates): who
publishes, or changes metadata or attributes, is told of at once, all others every 3 s; one who
came and went in between is told of as gone alone, which the SDK takes for nothing.
"""

from __future__ import annotations

from livekit.protocol.models import DisconnectReason, ParticipantInfo

UNTOLD = DisconnectReason.DUPLICATE_IDENTITY
"""Clients of protocol 12 and newer see for themselves that an identity came back."""


class Announcements:
    """What waits for the next batch: at most one info for each identity."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._waiting: dict[str, ParticipantInfo] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def push(
        self, info: ParticipantInfo, newest: ParticipantInfo | None, *, at_once: bool
    ) -> list[ParticipantInfo]:
        """Take a change; give what is to be told at once.

        *newest* is the one who has this identity in the room now, if anybody has.
        """
        now = at_once or info.is_publisher
        waiting = self._waiting.get(info.identity)
        if waiting is not None and waiting.sid != info.sid:
            if _older(info, waiting):
                return []
            now = True  # the pair of old and new; the old one goes unsaid
        elif waiting is None and newest is not None and _older(info, newest):
            return []
        if not now:
            self._waiting[info.identity] = info
            return []
        self._waiting.pop(info.identity, None)
        return _told([info])

    def take(self) -> list[ParticipantInfo]:
        """Take the batch."""
        batch, self._waiting = list(self._waiting.values()), {}
        return _told(batch)


def _older(info: ParticipantInfo, other: ParticipantInfo) -> bool:
    """Whether *info* is of an earlier stay than *other*."""
    return (info.joined_at_ms, info.sid) < (other.joined_at_ms, other.sid)


def _told(infos: list[ParticipantInfo]) -> list[ParticipantInfo]:
    return [info for info in infos if info.disconnect_reason != UNTOLD]
