"""Access tokens for tests: claims in, a JSON web token out, signed by nobody."""

from __future__ import annotations

import base64
import json


def token(claims: object, *, raw: bytes | None = None) -> str:
    """A token that says *claims*, or whose middle part is *raw*."""
    body = json.dumps(claims).encode() if raw is None else raw
    return f"{_part(b'{}')}.{_part(body)}.{_part(b'signature')}"


def agent_claims(room: str = "den", identity: str = "clara", **more: object) -> dict[str, object]:
    """What a LiveKit token for an agent holds."""
    return {"sub": identity, "kind": "agent", "video": {"room": room, "roomJoin": True}, **more}


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
