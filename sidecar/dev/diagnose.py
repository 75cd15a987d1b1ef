"""`diagnose`: the checks of the RPC method of that name, for a person at a terminal.

Owns how they are shown. A sidecar of its own makes them: it joins the room for a moment.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from pathlib import Path

from sidecar.core.config import Settings, missing
from sidecar.dev.child import ChildGone
from sidecar.dev.commands import FAILED_STATUS
from sidecar.dev.stdio_client import JsonObject, RpcError, SidecarClient


async def main(settings: Settings, *, as_json: bool) -> int:
    """Show the checks; give the exit status: 0 when all are well.

    The agent joins under a new identity, so that a running agent keeps its place. With
    LIVEKIT_TOKEN it joins under the identity of the token, and a running agent of that identity
    loses its place.
    """
    try:
        found = await _diagnosis(settings)
    except (ChildGone, RpcError, TimeoutError) as error:
        print(f"The sidecar could not make the checks: {error}", file=sys.stderr)
        return FAILED_STATUS
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        checks = found["checks"]
        for check in checks if isinstance(checks, list) else []:
            print(f"{'ok  ' if check['ok'] else 'FAIL'}  {check['name']:<14} {check['detail']}")
            if "fix" in check:
                print(f"      fix: {check['fix']}")
    return 0 if found["ok"] is True else FAILED_STATUS


async def _diagnosis(settings: Settings) -> JsonObject:
    params: JsonObject = {
        "url": settings.url,
        "room": settings.room,
        "identity": f"clara-diagnose-{secrets.token_hex(4)}",
        "apiKey": settings.api_key,
        "apiSecret": settings.api_secret,
        "token": None if settings.has_pair else settings.token,
    }
    # In an empty folder, so that no .env there says otherwise.
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sidecar", "--wait", "--log-level=critical"]
        async with SidecarClient(command, cwd=Path(folder)) as sidecar:
            if lacking := missing(settings):
                print(f"Not configured: {', '.join(lacking)} not set.", file=sys.stderr)
            else:
                try:
                    await sidecar.call("connect", {k: v for k, v in params.items() if v})
                except RpcError as error:
                    if error.code != CONNECT_FAILED:  # which the checks themselves explain
                        raise
            return await sidecar.call("diagnose")


CONNECT_FAILED = 1002
