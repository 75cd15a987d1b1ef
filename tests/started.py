"""Starts a sidecar by its command line, with an environment and nothing else to go by."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sidecar.dev.child import environment_without_livekit
from sidecar.dev.stdio_client import SidecarClient

ENDS_WITHIN_S = 30.0
"""For a whole run, start included: the bridge's bound for a start."""


def refusing_url() -> str:
    """Make the url of a port of this machine that refuses: what is tried is soon over."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"ws://127.0.0.1:{server.getsockname()[1]}"


def configured(url: str, room: str) -> dict[str, str]:
    """Make an environment with which the sidecar connects at once."""
    return {
        "LIVEKIT_URL": url,
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": "a-secret-of-at-least-32-characters",
        "LIVEKIT_ROOM": room,
    }


def token_for(room: str, identity: str = "agent") -> str:
    """Make what looks like an access token."""
    claims = {"sub": identity, "kind": "agent", "video": {"room": room, "roomJoin": True}}
    parts = ({"alg": "HS256"}, claims, {"not": "a signature"})
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts)
    return ".".join(part.decode().rstrip("=") for part in encoded)


def run(
    command: Sequence[str], env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end, with an empty stdin."""
    return subprocess.run(
        command,
        env=environment_without_livekit(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=ENDS_WITHIN_S,
        check=False,
    )


def client(
    command: Sequence[str], env: dict[str, str] | None = None, cwd: Path | None = None
) -> SidecarClient:
    return SidecarClient(command, env=environment_without_livekit(env), cwd=cwd)
