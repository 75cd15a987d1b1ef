"""Owns JSON-RPC 2.0: a line in, its answer out. The only importer of jsonrpcserver and orjson.

jsonrpcserver 5.0.9 dispatches. Where it deviates from the specification, the deviation is closed
here, in front of it or behind it; tests/rpc/test_conformance.py names the clause of each.
Knows no method, no thread and no stream.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import jsonrpcserver
import orjson

from sidecar.core.contract.errors import ErrorCode, SidecarError
from sidecar.core.contract.protocol import MAX_LINE_BYTES

Handler = Callable[..., object]
"""Plain: answered at once. `async def`: answered when it is done, other requests meanwhile."""

MAX_BATCH = 1_000
"""Members of one batch; the specification sets no limit, memory does."""
MAX_IN_FLIGHT = 1_024
"""Requests not answered yet."""

_log = logging.getLogger("sidecar.rpc")

# jsonrpcserver and decoded JSON are untyped: `Any` lives between these two lines and `_call`.
_Message = dict[str, Any]
_Response = dict[str, Any]


class Dispatcher:
    """Takes lines and sends answers; a request is answered once, a notification never."""

    def __init__(self, handlers: Mapping[str, Handler], send: Callable[[bytes], None]) -> None:
        """*handlers* by method name; *send* takes each answer, one line without its newline."""
        self._plain = {
            name: _plain(handler)
            for name, handler in handlers.items()
            if not inspect.iscoroutinefunction(handler)
        }
        self._async = {
            name: _async(handler)
            for name, handler in handlers.items()
            if inspect.iscoroutinefunction(handler)
        }
        self._send = send
        self._running: set[asyncio.Future[_Response | None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, line: bytes) -> None:
        """Answer *line*: before this returns where the handler is a plain one."""
        try:
            decoded = orjson.loads(line)
            _restore_ids(decoded, line)
        except (ValueError, RecursionError):
            self._answer(_error(None, ErrorCode.PARSE_ERROR, "Parse error"))
            return
        if isinstance(decoded, list):
            self._batch(decoded)
            return
        response = self._one(decoded)
        if isinstance(response, asyncio.Future):
            self._start(self._answer_later(response))
        elif response is not None:
            self._answer(response)

    def refuse_long_line(self) -> None:
        """Answer a line over the limit, which was skipped."""
        self._answer(
            _error(
                None,
                ErrorCode.INVALID_REQUEST,
                "Invalid Request",
                {"fix": f"Keep each line within {MAX_LINE_BYTES} bytes."},
            )
        )

    async def answered(self) -> None:
        """Return when every request received so far is answered."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _batch(self, members: list[Any]) -> None:
        if not members or len(members) > MAX_BATCH:
            data = {"fix": f"Send 1 to {MAX_BATCH} members in a batch."} if members else None
            self._answer(_error(None, ErrorCode.INVALID_REQUEST, "Invalid Request", data))
            return
        responses = [self._one(member) for member in members]
        ready = [each for each in responses if isinstance(each, dict)]
        if any(isinstance(each, asyncio.Future) for each in responses):
            self._start(self._answer_batch_later(responses))
        else:
            self._answer_batch(ready)

    def _one(self, message: Any) -> _Response | asyncio.Future[_Response | None] | None:
        if isinstance(message, dict) and "method" not in message:
            if "result" in message or "error" in message:
                return None  # a Response, of which we wait for none: two peers must not echo
        problem = _problem(message)
        if problem is not None:
            return problem
        if message["method"] in self._async:
            if len(self._running) >= MAX_IN_FLIGHT:
                return _too_many(message)
            running = asyncio.ensure_future(self._dispatch_async(message))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
            return running
        response = jsonrpcserver.dispatch_to_serializable(
            message, self._plain, deserializer=_as_is, validator=_as_is
        )
        return _cleaned(response)

    async def _dispatch_async(self, message: _Message) -> _Response | None:
        response = await jsonrpcserver.async_dispatch_to_serializable(
            message, self._async, deserializer=_as_is, validator=_as_is
        )
        return _cleaned(response)

    async def _answer_later(self, response: asyncio.Future[_Response | None]) -> None:
        answer = await response
        if answer is not None:
            self._answer(answer)

    async def _answer_batch_later(
        self, responses: list[_Response | asyncio.Future[_Response | None] | None]
    ) -> None:
        answers = [await each if isinstance(each, asyncio.Future) else each for each in responses]
        self._answer_batch([each for each in answers if each is not None])

    def _answer(self, response: _Response) -> None:
        self._send(_encode_response(response))

    def _answer_batch(self, responses: list[_Response]) -> None:
        # Joined by hand: one answer that cannot be written must not take the others with it.
        if not responses:
            return
        line = b"[" + b",".join(map(_encode_response, responses)) + b"]"
        if len(line) > MAX_LINE_BYTES:
            line = b"[" + b",".join(_encode(_too_long(each)) for each in responses) + b"]"
        self._send(line)

    def _start(self, answering: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def encode_notification(method: str, params: object) -> bytes:
    """One line, without its newline; *params* as `wire.to_wire` makes them."""
    return _encode({"jsonrpc": "2.0", "method": method, "params": params})


def _plain(handler: Handler) -> Callable[..., Any]:
    @functools.wraps(handler)
    def call(*args: object, **params: object) -> Any:
        try:
            return jsonrpcserver.Success(handler(*args, **params))
        except (Exception, asyncio.CancelledError) as error:
            return _failed(error)

    call.__signature__ = _signature(handler)  # type: ignore[attr-defined]  # inspect reads it
    return call


def _async(handler: Handler) -> Callable[..., Any]:
    # CancelledError is no Exception: uncaught it would leave the dispatcher, and no answer.
    @functools.wraps(handler)
    async def call(*args: object, **params: object) -> Any:
        try:
            result: Any = handler(*args, **params)
            return jsonrpcserver.Success(await result)
        except (Exception, asyncio.CancelledError) as error:
            return _failed(error)

    call.__signature__ = _signature(handler)  # type: ignore[attr-defined]  # inspect reads it
    return call


def _failed(error: BaseException) -> Any:
    if isinstance(error, SidecarError):
        return jsonrpcserver.Error(int(error.code), error.message, error.data)
    _log.error("A request failed by a bug.", exc_info=error)
    return jsonrpcserver.Error(int(ErrorCode.INTERNAL_ERROR), "Internal error")


def _problem(message: Any) -> _Response | None:
    """The answer to what is no valid Request object (section 4), its id where it has one."""
    if not isinstance(message, dict):
        return _error(None, ErrorCode.INVALID_REQUEST, "Invalid Request")
    request_id = message.get("id")
    has_valid_id = request_id is None or (
        isinstance(request_id, (str, int, float)) and not isinstance(request_id, bool)
    )
    is_valid = (
        has_valid_id
        and message.get("jsonrpc") == "2.0"
        and isinstance(message.get("method"), str)
        and isinstance(message.get("params", {}), (list, dict))
    )
    if is_valid:
        return None
    return _error(
        request_id if has_valid_id else None, ErrorCode.INVALID_REQUEST, "Invalid Request"
    )


def _cleaned(response: Any) -> _Response | None:
    """*response* without the texts that jsonrpcserver puts into `data` of its own errors."""
    if response is None:
        return None
    cleaned: _Response = dict(response)
    error = cleaned.get("error")
    if error is not None and not isinstance(error.get("data"), dict):
        cleaned["error"] = {"code": error["code"], "message": error["message"]}
    return cleaned


def _error(
    request_id: object, code: ErrorCode, message: str, data: Mapping[str, object] | None = None
) -> _Response:
    error: dict[str, object] = {"code": int(code), "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "error": error, "id": request_id}


def _too_many(message: _Message) -> _Response | None:
    if "id" not in message:
        return None
    fix = {"fix": f"Wait for answers: at most {MAX_IN_FLIGHT} requests at a time."}
    return _error(message["id"], ErrorCode.INVALID_REQUEST, "Too many requests in flight", fix)


def _too_long(response: _Response) -> _Response:
    fix = {"fix": "Ask for less at a time."}
    message = f"The answer is over {MAX_LINE_BYTES} bytes."
    return _error(response["id"], ErrorCode.INTERNAL_ERROR, message, fix)


def _encode_response(response: _Response) -> bytes:
    try:
        line = _encode(response)
    except TypeError:
        _log.exception("A result has no JSON form.")
        line = _encode(_error(response["id"], ErrorCode.INTERNAL_ERROR, "Internal error"))
    if len(line) <= MAX_LINE_BYTES:
        return line
    line = _encode(_too_long(response))
    return line if len(line) <= MAX_LINE_BYTES else _encode(_too_long({"id": None}))


def _encode(message: _Message) -> bytes:
    request_id = message.get("id")
    if isinstance(request_id, int) and not -(2**63) <= request_id < 2**64:
        message = {**message, "id": orjson.Fragment(str(request_id).encode())}
    return orjson.dumps(message)


def _restore_ids(decoded: Any, line: bytes) -> None:
    """Undo orjson's rounding of ids over 64 bits, which their senders would never match.

    Raises:
        RecursionError: *line* nests deeper than `json` goes.
    """
    members = decoded if isinstance(decoded, list) else [decoded]
    rounded = [index for index, each in enumerate(members) if _has_rounded_id(each)]
    if not rounded:
        return
    exact = json.loads(line)
    for index in rounded:
        members[index]["id"] = (exact if isinstance(exact, list) else [exact])[index]["id"]


def _has_rounded_id(message: Any) -> bool:
    request_id = message.get("id") if isinstance(message, dict) else None
    return isinstance(request_id, float) and abs(request_id) >= 2.0**63


def _signature(handler: Handler) -> inspect.Signature:
    """The handler's; jsonrpcserver answers one that cannot be read without the request's id."""
    try:
        return inspect.signature(handler)
    except ValueError:
        return inspect.signature(lambda *args, **params: None)


def _as_is(value: Any) -> Any:
    return value
