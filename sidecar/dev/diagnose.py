"""`diagnose`: runs the checks of the RPC method `diagnose` and prints them.

Owns how the checks are printed, and whether they include a join. To join, it starts a sidecar of
its own, which is in the room for a moment.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from sidecar.core.config import Settings, Target, missing, target
from sidecar.core.contract.errors import InvalidParams
from sidecar.core.contract.failures import BrokenInstall
from sidecar.core.contract.messages import AgentState, Check
from sidecar.core.diagnosis import diagnosis
from sidecar.dev.child import ChildGone
from sidecar.dev.commands import FAILED_STATUS, NOT_SET_FIX
from sidecar.dev.stdio_client import JsonObject, RpcError, SidecarClient
from sidecar.rpc.jsonrpc import to_json
from sidecar.rtc import native
from sidecar.rtc.livekit_api import LiveKitServerApi
from sidecar.rtc.proxies import Proxies

CONNECT_FAILED = 1002


async def main(settings: Settings, *, as_json: bool, joins_with_token: bool) -> int:
    """Print the checks. Return the exit status: 0 when every check passed, else 1.

    With an API key and its secret, the checks include a join under a new identity: a running
    agent stays in the room. With a token and no secret, a join takes the token's identity, and the
    server then removes a running agent of that identity. So the join is left out unless
    *joins_with_token*; the check `room` then passes and says that it was left out.
    """
    is_join_left_out = settings.token is not None and not settings.has_pair and not joins_with_token
    try:
        if is_join_left_out and not missing(settings):
            found = await _diagnosis_without_join(target(settings))
        else:
            found = await _diagnosis_with_join(settings)
    except InvalidParams as error:
        print(f"{error.message} Fix: {error.data['fix']}", file=sys.stderr)
        return FAILED_STATUS
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
                is_not_set = check["name"] == "configuration" and missing(settings)
                print(f"      fix: {NOT_SET_FIX if is_not_set else check['fix']}")
    return 0 if found["ok"] is True else FAILED_STATUS


async def _diagnosis_without_join(where: Target) -> JsonObject:
    api = LiveKitServerApi(Proxies(os.environ))
    broken = None
    try:
        await api.check_install()
    except BrokenInstall as error:
        broken = error
    probe = await api.probe(where)
    await asyncio.to_thread(native.dispose)
    now_ms = round(time.time() * 1000)
    made = diagnosis(where, probe, now_ms, AgentState.IDLE, None, broken)
    # The check of the room is that of an idle agent here: it says nothing about the room.
    checks = tuple(_left_out(where) if each.name == "room" else each for each in made.checks)
    shown: JsonObject = json.loads(
        to_json(replace(made, ok=all(each.ok for each in checks), checks=checks))
    )
    return shown


def _left_out(where: Target) -> Check:
    detail = (
        f"Left out: a join with this token would put a running agent {where.identity!r} out of"
        f" room {where.room!r}. `--join` joins all the same."
    )
    return Check("room", True, detail)


async def _diagnosis_with_join(settings: Settings) -> JsonObject:
    params: JsonObject = {
        "url": settings.url,
        "room": settings.room,
        "identity": f"clara-diagnose-{secrets.token_hex(4)}",
        "apiKey": settings.api_key,
        "apiSecret": settings.api_secret,
        "token": None if settings.has_pair else settings.token,
    }
    # The sidecar runs in an empty folder: it must not read a .env file of this one.
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sidecar", "--wait", "--log-level=critical"]
        async with SidecarClient(command, cwd=Path(folder)) as sidecar:
            if lacking := missing(settings):
                print(f"Not configured: {', '.join(lacking)} not set.", file=sys.stderr)
            else:
                try:
                    await sidecar.call("connect", {k: v for k, v in params.items() if v})
                except RpcError as error:
                    if error.code != CONNECT_FAILED:  # the checks explain that one
                        raise
            return await sidecar.call("diagnose")
