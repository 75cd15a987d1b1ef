"""Owns a page of sessions: as many as fit into one line.

Does not know JSON-RPC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar.core.contract.messages import AgentSession
from sidecar.core.contract.protocol import MAX_LINE_BYTES

PAGE_BYTES = MAX_LINE_BYTES - 256 * 1024
"""The rest of the line is for the answer around the sessions, with the id of the request."""


def page(
    sessions: Iterable[tuple[int, AgentSession]],
    limit: int | None,
    size_bytes: Callable[[AgentSession], int],
) -> tuple[tuple[AgentSession, ...], int | None]:
    """Take *limit* of the numbered *sessions* at most, and no more than fit into a line.

    *size_bytes* returns the length of a session on the wire. Returns the sessions, and the number
    of the last one if there are more. The first session always fits.
    """
    taken: list[AgentSession] = []
    last: int | None = None
    room_bytes = PAGE_BYTES
    for number, session in sessions:
        room_bytes -= size_bytes(session) + len(",")
        if taken and (room_bytes < 0 or len(taken) == limit):
            return tuple(taken), last
        taken.append(session)
        last = number
    return tuple(taken), None
