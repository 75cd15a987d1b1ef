"""Owns the last closed sessions: numbers them and gives pages of them.

Does not know why a session closed.
"""

from __future__ import annotations

from collections import deque

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import ClosedSession, ClosedSessionList, ClosedSessionsParams
from sidecar.core.contract.wire import wall_ms
from sidecar.core.registry.changes import Closed

MAX_CLOSED = 256


class ClosedSessions:
    """The last 256 closes of this process."""

    def __init__(self) -> None:
        """Start without any."""
        self._kept: deque[ClosedSession] = deque(maxlen=MAX_CLOSED)
        self._last = 0

    def add(self, closed: Closed) -> None:
        """Keep a close."""
        self._last += 1
        session = closed.session
        end_time = session.end_time or session.start_time
        duration_ms = wall_ms(end_time) - wall_ms(session.start_time)
        self._kept.append(
            ClosedSession(self._last, session, closed.reason, duration_ms, closed.detail)
        )

    def page(self, params: ClosedSessionsParams) -> ClosedSessionList:
        """Return the entries that *params* ask for.

        Raises:
            InvalidParams: after or limit is out of range.
        """
        after, limit = params.after or 0, MAX_CLOSED if params.limit is None else params.limit
        if after < 0 or limit < 1:
            raise InvalidParams(
                "Invalid params: params.after is negative, or params.limit is below 1.",
                "Pass the `next` of the last page as `after`.",
            )
        rest = [each for each in self._kept if each.number > after]
        shown = rest[:limit]
        following = shown[-1].number if len(shown) < len(rest) else None
        return ClosedSessionList(tuple(shown), following)
