"""Owns the last closed sessions: numbers them and gives pages of them.

Does not know why a session closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import (
    AgentSession,
    ClosedSession,
    ClosedSessionList,
    ClosedSessionsParams,
)
from sidecar.core.contract.wire import wall_ms
from sidecar.core.registry.changes import Closed
from sidecar.core.registry.pages import page

MAX_CLOSED = 256
_FRAME_BYTES = 256
"""JSON of a close without its session, at most."""


class ClosedSessions:
    """The last 256 closes of this process."""

    def __init__(self) -> None:
        """Start without any."""
        self._kept: deque[Closed] = deque(maxlen=MAX_CLOSED)
        self._added = 0

    def add(self, closed: Closed) -> None:
        """Keep a close."""
        self._added += 1
        self._kept.append(closed)

    def page(
        self, params: ClosedSessionsParams, size_bytes: Callable[[AgentSession], int]
    ) -> ClosedSessionList:
        """Return the entries that *params* ask for, and no more than fit into a line.

        *size_bytes* returns the length of a session on the wire.

        Raises:
            InvalidParams: after or limit is out of range.
        """
        after, limit = params.after or 0, MAX_CLOSED if params.limit is None else params.limit
        if after < 0 or limit < 1:
            raise InvalidParams(
                "Invalid params: params.after is negative, or params.limit is below 1.",
                "Pass the `next` of the last page as `after`.",
            )
        first = self._added - len(self._kept) + 1
        rest = [each for each in enumerate(self._kept, first) if each[0] > after]
        sessions, following = page(
            ((number, closed.session) for number, closed in rest),
            limit,
            lambda session: size_bytes(session) + _FRAME_BYTES,
        )
        shown = tuple(_numbered(*each) for each in rest[: len(sessions)])
        return ClosedSessionList(shown, following)


def _numbered(number: int, closed: Closed) -> ClosedSession:
    session = closed.session
    end_time = session.end_time or session.start_time
    duration_ms = wall_ms(end_time) - wall_ms(session.start_time)
    return ClosedSession(number, session, closed.reason, duration_ms, closed.detail)
