"""A Dispatcher whose answers are kept, and the methods of the specification's examples.

Owns no law. Reads every answer as strictly as JavaScript's JSON.parse does: NaN is no JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

from sidecar.rpc.jsonrpc import Dispatcher, Handler

Json = object
"""What json.loads gives."""


def strictly(line: bytes) -> Json:
    """Decode one line; ValueError for what JSON does not have: NaN, Infinity, a bad UTF-8 byte."""

    def refuse(name: str) -> Json:
        raise ValueError(f"{name} is not JSON")

    return json.loads(line.decode("utf-8"), parse_constant=refuse)


class Peer:
    """Says messages to a Dispatcher, one line each, and keeps what is answered.

    Time stands still, so that a batch takes one turn on a busy machine too; *now_s* changes that.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        take_response: Callable[[Mapping[str, object]], None] | None = None,
        *,
        now_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.lines: list[bytes] = []
        self.dispatcher = Dispatcher(handlers, self._keep, take_response, now_s)
        self._news = asyncio.Event()

    def say(self, message: bytes | str | Json) -> None:
        """Receive one line: bytes and text as they are, anything else as JSON."""
        if isinstance(message, str):
            message = message.encode()
        if not isinstance(message, bytes):
            message = json.dumps(message).encode()
        self.dispatcher.receive(message)

    def answers(self) -> list[Json]:
        """Give every answer so far, in order."""
        return [strictly(line) for line in self.lines]

    async def first_answers(self, count: int) -> list[Json]:
        """Wait for the first *count* lines, then give every answer; TimeoutError after 5 s."""
        async with asyncio.timeout(5):
            while len(self.lines) < count:
                self._news.clear()
                await self._news.wait()
        return self.answers()

    async def all_answers(self) -> list[Json]:
        """Wait until everything is answered, then give every answer."""
        await self.dispatcher.answered()
        return self.answers()

    def _keep(self, line: bytes) -> None:
        self.lines.append(line)
        self._news.set()


def request(method: str, params: Json = None, *, number: Json = 1) -> dict[str, Json]:
    """Make a Request object; without `params` where they are None."""
    message = {"jsonrpc": "2.0", "id": number, "method": method}
    return message if params is None else {**message, "params": params}


def encoded(*messages: Json) -> bytes:
    """Make a line of each message."""
    return b"".join(json.dumps(message).encode() + b"\n" for message in messages)


def result(value: Json, number: Json = 1) -> dict[str, Json]:
    """Make the Response object of a success."""
    return {"jsonrpc": "2.0", "result": value, "id": number}


def error(code: int, message: str, number: Json = None) -> dict[str, Json]:
    """Make the Response object of an error without data."""
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": number}


PARSE_ERROR = error(-32700, "Parse error")
INVALID_REQUEST = error(-32600, "Invalid Request")


def spec_methods(heard: list[tuple[Json, ...]]) -> dict[str, Handler]:
    """Make the methods of the specification's section 7; `heard` keeps what was notified."""

    def subtract(minuend: int, subtrahend: int) -> int:
        return minuend - subtrahend

    def sum_(*numbers: int) -> int:
        return sum(numbers)

    def notified(*values: Json) -> None:
        heard.append(values)

    return {
        "subtract": subtract,
        "sum": sum_,
        "update": notified,
        "notify_hello": notified,
        "notify_sum": notified,
        "get_data": lambda: ["hello", 5],
    }


def as_async(handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """Make the same handlers as `async def`."""

    def later(handler: Callable[..., Json]) -> Handler:
        async def call(*args: Json, **params: Json) -> Json:
            return handler(*args, **params)

        return call

    return {name: later(handler) for name, handler in handlers.items()}
