"""The least sidecar: asyncio and orjson, dicts for sessions, and the same lines on the wire.

Answers what the bench asks of the sidecar, and knows no LiveKit. `python floor.py`.
"""

from __future__ import annotations

import asyncio
import sys

import orjson

sessions: dict[str, object] = {}
numbers = iter(range(1, 1 << 60))


def initialize(params: dict[str, list[dict[str, str]]]) -> object:
    """Take over the sessions of `resume`."""
    sessions.update({each["sessionId"]: each for each in params.get("resume", ())})
    return {"protocolVersion": 1, "pid": 1, "epoch": "floor"}


def list_sessions(_: object) -> object:
    """List them as they came."""
    return {"sessions": list(sessions.values()), "seq": 0, "epoch": "floor"}


def close_all(_: object) -> object:
    """Close each session: its line on stderr, its notification."""
    for session_id, session in sessions.items():
        sys.stderr.write(f"closing {session_id}\n")
        params = {"session": session, "reason": "agent-disconnected", "seq": next(numbers)}
        write({"jsonrpc": "2.0", "method": "session-closed", "params": params})
    sessions.clear()
    return {"state": "idle"}


def write(message: object) -> None:
    """Write a line into stdout's buffer."""
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")


METHODS = {
    "initialize": initialize,
    "ping": lambda _: "pong",
    "listSessions": list_sessions,
    "disconnect": close_all,
}


async def main() -> None:
    """Answer line by line."""
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        request = orjson.loads(line)
        result = METHODS[request["method"]](request.get("params", {}))
        write({"jsonrpc": "2.0", "id": request["id"], "result": result})
        sys.stdout.flush()


asyncio.run(main())
