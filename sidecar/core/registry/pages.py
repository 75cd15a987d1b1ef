"""Owns a page of the open sessions: as many as fit into one line.

Does not know JSON-RPC.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sidecar.core.contract.messages import AgentSession
from sidecar.core.contract.protocol import MAX_LINE_BYTES

PAGE_BYTES = MAX_LINE_BYTES - 256 * 1024
"""The rest of the line is for the answer around the sessions, with the id of the request."""
_FRAME_BYTES = 1_024
"""More than the names and the short members of a session take."""

_ENCODER = json.JSONEncoder(ensure_ascii=False)


def page(
    sessions: Iterable[tuple[int, AgentSession]], limit: int | None
) -> tuple[tuple[AgentSession, ...], int | None]:
    """Take *limit* of the numbered *sessions* at most, and no more than fit into a line.

    Returns them, and the number of the last one if there are more. The first session always fits.
    """
    taken: list[AgentSession] = []
    room_bytes, last = PAGE_BYTES, 0
    for number, session in sessions:
        room_bytes -= _size_bytes(session)
        if taken and (room_bytes < 0 or len(taken) == limit):
            return tuple(taken), last
        taken.append(session)
        last = number
    return tuple(taken), None


def _size_bytes(session: AgentSession) -> int:
    """Return at least the length of *session* in JSON."""
    texts = [
        session.session_id,
        session.participant_id,
        session.participant_sid,
        session.room_name,
        session.name,
        session.metadata,
        *(text for pair in session.attributes.items() for text in pair),
    ]
    context_bytes = 0 if session.context is None else len(session.context.text)
    # One call for all texts: a character takes the same bytes wherever it stands. In JSON, quotes
    # and control characters take more bytes.
    text_bytes = len(_ENCODER.encode("".join(texts)).encode("utf-8", "replace"))
    return _FRAME_BYTES + context_bytes + text_bytes + len('""') * len(texts)
