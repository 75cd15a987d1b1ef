"""Owns the check of a page's request to join the room.

Does not know how a token is made.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sidecar.core.config import MAX_NAME_BYTES
from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.messages import ConnectionParams, TokenGrants, TokenRequest
from sidecar.core.contract.protocol import AGENT_IDENTITY_PREFIX
from sidecar.core.facts import MAX_SHOWN_BYTES
from sidecar.core.values import dataclass

DEFAULT_TTL_S = 600
"""The token is needed only for the join. The server refreshes it while the page is connected."""
MIN_TTL_S = 60
MAX_TTL_S = 86_400


@dataclass(frozen=True, slots=True)
class WantedConnection:
    """A checked request for a human's connection, with the requested grants."""

    identity: str
    """Empty if the page asked for no identity."""
    name: str
    metadata: str
    attributes: Mapping[str, str]
    ttl_s: int
    can_publish: bool
    can_subscribe: bool
    can_publish_data: bool


def wanted_connection(
    params: ConnectionParams, *, agent_identities: Collection[str]
) -> WantedConnection:
    """Check *params* and return the connection that they ask for.

    Raises:
        InvalidParams: a member is empty, too long or out of range, or the identity is an agent's.
            The message names the member.
    """
    if params.identity is not None and not _is_within(params.identity, 1):
        raise _refusal("identity", f"must have 1 to {MAX_NAME_BYTES} bytes of UTF-8")
    if params.identity in agent_identities:
        raise _refusal("identity", "must not be the agent's own: it would be put out of the room")
    if (params.identity or "").startswith(AGENT_IDENTITY_PREFIX):
        raise _refusal("identity", f"must not begin with {AGENT_IDENTITY_PREFIX}: agents do")
    attributes = params.attributes or {}
    size_bytes = sum(_bytes(key) + _bytes(value) for key, value in attributes.items())
    if size_bytes > MAX_SHOWN_BYTES:
        raise _refusal("attributes", f"must not be over {MAX_SHOWN_BYTES} bytes in all")
    metadata = params.metadata or ""
    if _bytes(metadata) > MAX_SHOWN_BYTES:
        raise _refusal("metadata", f"must not be over {MAX_SHOWN_BYTES} bytes")
    name = params.name or ""
    if not _is_within(name, 0):
        raise _refusal("name", f"must not be over {MAX_NAME_BYTES} bytes of UTF-8")
    ttl_s = DEFAULT_TTL_S if params.ttl_seconds is None else params.ttl_seconds
    if not MIN_TTL_S <= ttl_s <= MAX_TTL_S:
        raise _refusal("ttlSeconds", f"must be from {MIN_TTL_S} to {MAX_TTL_S}")
    return WantedConnection(
        identity=params.identity or "",
        name=name,
        metadata=metadata,
        attributes=attributes,
        ttl_s=ttl_s,
        can_publish=params.can_publish is not False,
        can_subscribe=params.can_subscribe is not False,
        can_publish_data=params.can_publish_data is not False,
    )


def token_request(params: ConnectionParams, wanted: WantedConnection, room: str) -> TokenRequest:
    """Build the `getToken` request for *wanted*, with every option of *params*."""
    return TokenRequest(
        purpose="connection",
        room=room,
        identity=params.identity,
        name=params.name or None,
        grants=TokenGrants(
            can_publish=wanted.can_publish,
            can_subscribe=wanted.can_subscribe,
            can_publish_data=wanted.can_publish_data,
            metadata=params.metadata,
            attributes=params.attributes,
            ttl_seconds=params.ttl_seconds,
        ),
    )


def _bytes(text: str) -> int:
    return len(text.encode())


def _is_within(name: str, least_bytes: int) -> bool:
    return least_bytes <= _bytes(name) <= MAX_NAME_BYTES


def _refusal(member: str, problem: str) -> InvalidParams:
    return InvalidParams(f"Invalid params: params.{member} {problem}.", f"Correct {member}.")
