"""The bridge's splitter and client, in Node: each request settles exactly once, whatever comes.

Owns the case, and what has to come of it by JSON-RPC 2.0 and by JavaScript's own JSON.parse. The
lines come from here, so one seed repeats both halves.
"""

from __future__ import annotations

import base64
import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fuzz.answers import DEEP, depth
from tests.fuzz.lines import RAW, TEXTS, Lines
from tests.fuzz.wire import Failed

PROGRAM = Path(__file__).with_name("bridge_under_fuzz.cjs")
MAX_BYTES = 2_048
LINES = 50
METHODS = ("getToken", "resolveProxy", "constructor", "__proto__", "toString", "session-created")
NAMES = ("toString", "valueOf", "__proto__", "constructor", "then", "message", "code", "data", "id")
"""Of members: those that JavaScript itself reads of an object, and those of the protocol."""


class Bridge:
    """Node, with the bridge's two parts in it; `with` ends it."""

    def __init__(self, node: Path) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [str(node), str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Bridge:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """End Node."""
        self._process.kill()
        self._process.communicate()

    def play(self, chance: random.Random) -> int:
        """Play one case; return its number of lines. Raises Failed."""
        requests = chance.randrange(6)
        stream = b"".join(_line(chance, requests) + b"\n" for _ in range(LINES))
        chunks = Lines(chance).chunks(stream)
        seen = self._ask(
            {
                "maxBytes": MAX_BYTES,
                "chunks": [base64.b64encode(each).decode() for each in chunks],
                "requests": requests,
            }
        )
        whole = list(_lines(stream))
        wanted = [each for each in whole if each is not None]
        if seen["lines"] != wanted or seen["oversized"] != whole.count(None):
            raise Failed(f"other lines than {stream[:2_000]!r}")
        self._compare(wanted, seen, requests)
        return len(whole)

    def _ask(self, case: dict[str, object]) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(case).encode() + b"\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise Failed(f"Node ended with {self._process.wait()} in the case {case!r:.2000}")
        seen: dict[str, Any] = json.loads(line)
        return seen

    def _compare(self, lines: list[str], seen: dict[str, Any], requests: int) -> None:
        settled = dict.fromkeys(range(1, requests + 1), "end")
        kinds: Counter[str] = Counter()
        for line in lines:
            kind, key = _meaning(line, requests)
            kinds[kind] += 1
            if kind in ("result", "error") and settled.get(key) == "end":
                settled[key] = kind
        got = {
            "settled": sorted(map(tuple, seen["settled"])),
            "notifications": seen["notifications"],
            "odd": seen["odd"],
            "answered": len(seen["answered"]),
        }
        expected = {
            "settled": sorted(settled.items()),
            "notifications": kinds["notification"],
            "odd": kinds["odd"],
            "answered": kinds["request"],
        }
        if got != expected:
            raise Failed(f"{got}, and not {expected}, came of {lines!r:.4000}")


def _line(chance: random.Random, requests: int) -> bytes:
    """Make a line that a sidecar may write, or should not."""
    kind = chance.randrange(10)
    made = Lines(chance, more_names=NAMES)
    if kind < 2:
        line = made.line() if kind else chance.choice(RAW)
        return line if depth(line) <= DEEP else b""
    message: dict[str, object] = {"jsonrpc": "2.0"}
    if kind < 7:
        is_asked = chance.randrange(4) > 0
        message["id"] = chance.randrange(requests + 2) if is_asked else made.value()
        message[chance.choice(("result", "result", "error"))] = made.value()
    else:
        message["method"] = chance.choice(METHODS)
        message["params"] = made.value()
        if chance.randrange(2):
            message["id"] = chance.choice((*TEXTS, None, 1, 1.5))
    if not chance.randrange(8):
        message[chance.choice(("jsonrpc", "id", "method", "error", "result"))] = made.value()
    return json.dumps(message, ensure_ascii=chance.randrange(2) == 0).encode()


def _lines(stream: bytes) -> list[str | None]:
    """Give what the splitter gives: each line that is not empty, None for one over the limit."""
    lines = [
        None if len(line) > MAX_BYTES else line.decode("utf-8", "replace").removesuffix("\r")
        for line in stream.split(b"\n")
    ]
    return [line for line in lines if line != ""]


def _meaning(line: str, requests: int) -> tuple[str, Any]:
    """Tell what the client makes of *line*, and the id that it has."""
    try:
        message = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "odd", None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return "odd", None
    if isinstance(message.get("method"), str):
        return ("request" if "id" in message else "notification"), None
    number = message.get("id")
    if isinstance(number, bool) or not isinstance(number, int | float):
        return "odd", None
    if not {"result", "error"} & message.keys() or number not in range(1, requests + 1):
        return "odd", None
    return ("error" if "error" in message else "result"), int(number)


def _refuse(name: str) -> object:
    raise ValueError(name)
