"""Owns the hint for a person who typed a wrong line at the terminal: the line to type instead.

Pure. Does not know whether stdin is a terminal.
"""

from __future__ import annotations

import difflib
import json

from sidecar.core.contract.protocol import METHODS
from sidecar.core.contract.wire import fields_of

EXAMPLE = "getStatus"
"""The method of the hint when no method's name is like the typed word."""
MAX_TYPED_BYTES = 4096
"""The longest line that a terminal passes on (POSIX canonical mode); no hint for a longer line."""


def hint(line: bytes) -> str | None:
    """Return the request that *line* probably means; None when it is a JSON-RPC message.

    `closeSession session_1_anna` gives `{"jsonrpc":"2.0","id":1,"method":"closeSession",
    "params":{"sessionId":"session_1_anna"}}`. A missing param has the value `...`.
    """
    text = line.decode("utf-8", "replace").strip()
    if not text or len(line) > MAX_TYPED_BYTES:
        return None
    try:
        typed = json.loads(text)
    except (ValueError, RecursionError):
        typed = None
    if typed and isinstance(typed, list):
        return None
    if isinstance(typed, dict):
        if typed.get("jsonrpc") == "2.0" and typed.keys() & {"method", "result", "error"}:
            return None
        words = [str(typed.get("method", ""))]
        params = typed.get("params")
    else:
        words = (typed if isinstance(typed, str) else text).split()
        params = None
    method = _nearest(words[0] if words else "")
    if not isinstance(params, dict):
        params = _params(method, words[1:])
    request = {"jsonrpc": "2.0", "id": 1, "method": method} | ({"params": params} if params else {})
    return json.dumps(request, separators=(",", ":"), ensure_ascii=False)


def _nearest(word: str) -> str:
    by_lowered = {name.lower(): name for name in METHODS}
    lowered = word.lower().strip("\"'{}[]:,()")
    begun = [name for name in by_lowered if lowered and name.startswith(lowered)]
    near = begun or difflib.get_close_matches(lowered, by_lowered, n=1)
    return by_lowered[near[0]] if near else EXAMPLE


def _params(method: str, words: list[str]) -> dict[str, object]:
    """Return the required params of *method*, with *words* as their values in order."""
    required = [each for each in fields_of(METHODS[method].params) if each.required]
    given = dict(zip((each.wire_name for each in required), words, strict=False))
    return {
        each.wire_name: 1 if each.type is int else given.get(each.wire_name, "...")
        for each in required
    }
