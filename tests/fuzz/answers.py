"""What a line is to be answered with, by JSON-RPC 2.0 alone: a second mind beside the dispatcher.

Owns the reference: bytes to lines, a line to the ids of its answers. Imports nothing of the sidecar
but the limits of the wire.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

from sidecar.core.contract.protocol import MAX_BATCH

DEEP = 800
"""Levels of nesting from which decoders differ: both an answer and a parse error are right."""

Answered = tuple[str, ...]
"""`("one", id)` for a response, `("batch", id, ...)` for an array of them; each id as JSON."""
PARSE_ERROR: Answered = ("one", "null")
TOO_LONG = b""
"""Stands for a line over the limit."""


class Unclear(Exception):  # noqa: N818 - no error
    """The specification and RFC 8259 leave the answer open."""


def lines_of(stream: bytes, max_bytes: int, *, has_ended: bool) -> Iterator[bytes]:
    """Give the lines of *stream* that are not blank; TOO_LONG for each over the limit."""
    *whole, rest = stream.split(b"\n")
    for line in (*whole, rest) if has_ended else whole:
        line = line.removesuffix(b"\r")
        if len(line) > max_bytes:
            yield TOO_LONG
        elif line.strip():
            yield line


def answer_to(line: bytes) -> Answered | None:
    """Give what *line* is answered with; None for no answer. Raises Unclear."""
    if line == TOO_LONG:
        return PARSE_ERROR
    if depth(line) > DEEP:
        raise Unclear
    try:
        message = _decoded(line)
    except (ValueError, RecursionError):
        return PARSE_ERROR
    if not isinstance(message, list):
        answer = _of_message(message)
        return None if answer is None else ("one", answer)
    if not 0 < len(message) <= MAX_BATCH:
        return PARSE_ERROR
    answers = [answer for each in message if (answer := _of_message(each)) is not None]
    return ("batch", *answers) if answers else None


def given(line: bytes) -> Answered:
    """Give what an answer of the sidecar answers. Raises ValueError when it is no JSON-RPC."""
    message = _decoded(line)
    if isinstance(message, list):
        if not message:
            raise ValueError("an empty batch")
        return ("batch", *(_id_of(each) for each in message))
    return ("one", _id_of(message))


def _id_of(response: object) -> str:
    if not isinstance(response, dict) or response.get("jsonrpc") != "2.0":
        raise ValueError(f"no response: {response!r:.200}")
    if ("result" in response) == ("error" in response) or "id" not in response:
        raise ValueError(f"a response has an id, and a result or an error: {response!r:.200}")
    error = response.get("error", {"code": 0, "message": ""})
    if not isinstance(error.get("code"), int) or not isinstance(error.get("message"), str):
        raise ValueError(f"an error has a code and a message: {response!r:.200}")
    if error["code"] == -32603:
        raise ValueError(f"an internal error, a bug: {response!r:.200}")
    return _as_text(response["id"])


def _of_message(message: object) -> str | None:
    """Give the id, as JSON, under which a message of a line is answered (section 4 and 5)."""
    if not isinstance(message, dict):
        return "null"
    if "method" not in message and ("result" in message or "error" in message):
        return None
    number = message.get("id")
    is_valid_id = number is None or (
        isinstance(number, str | int | float) and not isinstance(number, bool)
    )
    is_request = (
        is_valid_id
        and message.get("jsonrpc") == "2.0"
        and isinstance(message.get("method"), str)
        and isinstance(message.get("params", []), list | dict)
    )
    if is_request and "id" not in message:
        return None
    return _as_text(number) if is_valid_id else "null"


def _as_text(number: object) -> str:
    # 1 and 1.0, 0.0 and -0.0 are the same Number.
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return json.dumps(number)


def _decoded(line: bytes) -> object:
    def refuse(name: str) -> object:
        raise ValueError(f"{name} is not JSON")

    def finite(text: str) -> float:
        number = float(text)
        if math.isinf(number):
            raise ValueError("no double")
        return number

    def whole(text: str) -> int:
        finite(text)
        return int(text)

    def is_unicode(value: object) -> None:
        if b"\\u" in line:  # RFC 8259, section 8.2: a lone surrogate is no Unicode
            json.dumps(value, ensure_ascii=False).encode("utf-8")

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        is_unicode(pairs)  # also the values that a later member of the same name replaces
        return dict(pairs)

    message = json.loads(
        line.decode("utf-8"),
        object_pairs_hook=members,
        parse_constant=refuse,
        parse_float=finite,
        parse_int=whole,
    )
    is_unicode(message)
    return message


def depth(line: bytes) -> int:
    """Give how deep *line* nests; 0 where it is less than DEEP in any case."""
    if line.count(b"[") + line.count(b"{") <= DEEP:
        return 0
    deepest = level = 0
    for each in line:
        if each in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif each in b"]}":
            level -= 1
    return deepest
