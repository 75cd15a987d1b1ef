"""Owns the changes of a session: created, updated, closed.

Does not know why a session changes.
"""

from __future__ import annotations

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import AgentSession
from sidecar.core.values import dataclass


@dataclass(frozen=True, slots=True)
class Created:
    """A session was created, in state `connecting`."""

    session: AgentSession


@dataclass(frozen=True, slots=True)
class Updated:
    """A session changed; `changed` has the wire names of the members that differ."""

    session: AgentSession
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """A session closed; `detail` is LiveKit's own reason, or None."""

    session: AgentSession
    reason: CloseReason
    detail: str | None


Change = Created | Updated | Closed
