"""Owns which session ids were used, and which sids are closed for good.

Does not know sessions.
"""

from __future__ import annotations

MAX_USED_IDS = 65_536
"""An id holds its milliseconds, so only one as old as this many sessions could come again."""
MAX_TOMBSTONES = 4_096


class _Recent:
    """The last *limit* strings added."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[str, None] = {}

    def __contains__(self, text: str) -> bool:
        return text in self._kept

    def add(self, text: str) -> None:
        self._kept.pop(text, None)
        self._kept[text] = None
        if len(self._kept) > self._limit:
            del self._kept[next(iter(self._kept))]


class SessionIds:
    """Hands out `session_{milliseconds}_{identity}`, each once."""

    def __init__(self) -> None:
        """Start with none used."""
        self._used = _Recent(MAX_USED_IDS)

    def take(self, session_id: str) -> None:
        """An id that came from elsewhere is used."""
        self._used.add(session_id)

    def new(self, identity: str, joined_at_ms: int, now_ms: int) -> str:
        """The id of a stay since *joined_at_ms*; if that is used, the first free one from now."""
        session_id = f"session_{joined_at_ms}_{identity}"
        while session_id in self._used:
            session_id = f"session_{now_ms}_{identity}"
            now_ms += 1
        self._used.add(session_id)
        return session_id


class Tombstones:
    """The sids that the server itself said are gone; none of them opens again."""

    def __init__(self) -> None:
        """Start empty."""
        self._sids = _Recent(MAX_TOMBSTONES)

    def __contains__(self, sid: str) -> bool:
        """Whether *sid* is closed for good."""
        return sid in self._sids

    def add(self, sid: str) -> None:
        """*sid* is closed for good."""
        self._sids.add(sid)
