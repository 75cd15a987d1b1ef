"""Owns what a page may ask of a connection of its own to the room, checked.

Does not know how a token is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.core.config import MAX_NAME_CHARS
from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import ConnectionParams
from sidecar.core.contract.protocol import MAX_SHOWN_BYTES

DEFAULT_TTL_S = 600
"""The token counts only at the join; the server refreshes it while the page is connected."""
MIN_TTL_S = 60
MAX_TTL_S = 86_400


@dataclass(frozen=True, slots=True)
class WantedConnection:
    """A connection for a person; no grant wider than asked for."""

    identity: str
    name: str
    metadata: str
    attributes: Mapping[str, str]
    ttl_s: int
    can_publish: bool
    can_subscribe: bool
    can_publish_data: bool


def wanted_connection(
    params: ConnectionParams, *, agent_identity: str, generated_identity: str
) -> WantedConnection:
    """The connection that *params* ask for.

    Raises:
        InvalidParams: names the member that is empty, too long, out of range, or the agent's.
    """
    identity = generated_identity if params.identity is None else params.identity
    if not identity or len(identity) > MAX_NAME_CHARS:
        raise _refusal("identity", f"must have 1 to {MAX_NAME_CHARS} characters")
    if identity == agent_identity:
        raise _refusal("identity", "must not be the agent's own: it would be put out of the room")
    attributes = params.attributes or {}
    size_bytes = sum(len(k.encode()) + len(v.encode()) for k, v in attributes.items())
    if size_bytes > MAX_SHOWN_BYTES:
        raise _refusal("attributes", f"must not be over {MAX_SHOWN_BYTES} bytes in all")
    metadata = params.metadata or ""
    if len(metadata.encode()) > MAX_SHOWN_BYTES:
        raise _refusal("metadata", f"must not be over {MAX_SHOWN_BYTES} bytes")
    name = params.name or ""
    if len(name) > MAX_NAME_CHARS:
        raise _refusal("name", f"must not be over {MAX_NAME_CHARS} characters")
    ttl_s = DEFAULT_TTL_S if params.ttl_seconds is None else params.ttl_seconds
    if not MIN_TTL_S <= ttl_s <= MAX_TTL_S:
        raise _refusal("ttlSeconds", f"must be from {MIN_TTL_S} to {MAX_TTL_S}")
    return WantedConnection(
        identity=identity,
        name=name,
        metadata=metadata,
        attributes=attributes,
        ttl_s=ttl_s,
        can_publish=params.can_publish is not False,
        can_subscribe=params.can_subscribe is not False,
        can_publish_data=params.can_publish_data is not False,
    )


def _refusal(member: str, problem: str) -> InvalidParams:
    return InvalidParams(f"Invalid params: params.{member} {problem}.", f"Correct {member}.")
