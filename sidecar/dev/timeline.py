"""The demo's lines: messages of the wire, log lines, the people's acts.

Pure: takes messages and returns lines of text. Shows only listed fields: so no key, secret or
token can reach the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from sidecar.dev.stdio_client import Direction, JsonObject

MIDDLE_WIDTH = 20


class Timeline:
    """Turns each message of a SidecarClient's trace into one line, by its method's name.

    `now_s` gives the seconds since the beginning; `show` takes the lines.
    """

    def __init__(self, now_s: Callable[[], float], show: Callable[[str], None]) -> None:
        """Begin."""
        self._now_s = now_s
        self._show = show
        self._asked: dict[object, str] = {}

    def trace(self, direction: Direction, message: JsonObject) -> None:
        """Show one message of the wire."""
        method = message.get("method")
        if direction == "->":
            self._asked[message.get("id")] = str(method)
            self._line("app -> sidecar", str(method), _request(_object(message.get("params"))))
        elif isinstance(method, str):
            self._line("app <- sidecar", method, _notification(_object(message.get("params"))))
        else:
            method = self._asked.pop(message.get("id"), "?")
            self._line("app <- sidecar", method, _answer(message))

    def log(self, text: str) -> None:
        """Show one line of the sidecar's stderr."""
        self._line("sidecar's log", text)

    def act(self, text: str) -> None:
        """Show an act of a person in the room."""
        self._line("in the room", text)

    def _line(self, who: str, what: str, details: str = "") -> None:
        middle = f"{what:<{MIDDLE_WIDTH}} {details}" if details else what
        self._show(f"{self._now_s():7.3f} s  {who:<15} {middle}")


def _request(params: JsonObject) -> str:
    shown = ("protocolVersion", "url", "room", "identity", "sessionId")
    return " ".join(f"{name}={params[name]}" for name in shown if name in params)


def _notification(params: JsonObject) -> str:
    seq = f"seq={params.get('seq')}"
    if "session" not in params:
        reason = f" ({params['reason']})" if params.get("reason") else ""
        return f"{params.get('previousState')} -> {params.get('state')}{reason} {seq}"
    session = _object(params["session"])
    if "reason" in params:
        detail = f"reason={params['reason']} messageCount={session.get('messageCount')}"
    elif "changed" in params:
        changed = params["changed"]
        names = changed if isinstance(changed, list) else []
        detail = " ".join(f"{name}={session.get(name)}" for name in names)
    else:
        detail = f"connectionState={session.get('connectionState')}"
    return f"{session.get('sessionId')} {detail} {seq}"


def _answer(message: JsonObject) -> str:
    if "error" in message:
        error = _object(message["error"])
        fix = _object(error.get("data")).get("fix", "")
        return f"error {error.get('code')} {error.get('message')} {fix}".rstrip()
    result = message.get("result")
    if not isinstance(result, dict):
        return json.dumps(result)
    if isinstance(result.get("sessions"), list):
        return _sessions(result["sessions"])
    server = _object(result.get("server"))
    shown = {"server": " ".join(str(part) for part in server.values())} if server else {}
    shown |= {name: result[name] for name in ("state", "room", "sessions", "pid") if name in result}
    return " ".join(f"{name}={value}" for name, value in shown.items())


def _sessions(sessions: list[object]) -> str:
    if not sessions:
        return "none"
    each = [_object(session) for session in sessions]
    one = ", ".join(f"{s.get('sessionId')} {s.get('connectionState')}" for s in each)
    return f"{len(each)}: {one}"


def _object(value: object) -> JsonObject:
    return dict(value) if isinstance(value, Mapping) else {}
