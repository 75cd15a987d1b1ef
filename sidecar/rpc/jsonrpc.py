"""Owns JSON-RPC 2.0: takes a line, sends its answer, writes each message as JSON.

The only importer of orjson. jsonrpcserver 5.0.9 dispatches (dispatching.py). This module corrects
the points where jsonrpcserver deviates from the specification; tests/rpc/test_conformance.py names
the clause of each. Knows no method, no thread and no stream.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sidecar import tasks
from sidecar.core.contract.errors import ErrorCode, ShuttingDown, SidecarError
from sidecar.core.contract.failures import shortage
from sidecar.core.contract.messages import AgentSession, Notification
from sidecar.core.contract.protocol import (
    MAX_BATCH,
    MAX_IN_FLIGHT,
    MAX_LINE_BYTES,
    MAX_VALUES,
    NOTIFICATIONS,
)
from sidecar.core.contract.wire import EncodedJson, KeepsJson, fields_of
from sidecar.rpc.dispatching import Error, Success, dispatch

Handler = Callable[..., object]
"""Returns the result, or an awaitable of the result. The request is answered when it is there."""

TURN_S = 0.05
"""Seconds of one turn of the loop that are spent on a batch; then other work gets its turn."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?')
"""A string, or the rest of a line with a string that has no end. It never goes back, since 20,000
escaped quotes without an end took 21 s."""

_log = logging.getLogger("sidecar.rpc")

# jsonrpcserver and decoded JSON are untyped: `Any` lives here and in `_answerable`.
_Message = dict[str, Any]
_Response = dict[str, Any]
_Answer = tuple[object, bytes]
"""The id of a response, and the response as JSON. When one has no JSON form, the others have."""


class Dispatcher:
    """Takes lines and sends answers: one for each request, none for a notification."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        send: Callable[[bytes], None],
        take_response: Callable[[Mapping[str, object]], None] | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Answer the methods of *handlers*, a map from method name to handler.

        *send* takes each answer as one line without its newline. *take_response* takes each
        Response object that the peer sends to a request of ours; None ignores them. *now_s* gives
        seconds, by which a long batch is divided.
        """
        self._now_s = now_s
        self._methods = {name: self._answerable(handler) for name, handler in handlers.items()}
        self._send = send
        self._take_response = take_response
        self._awaited: Awaitable[object] | None = None
        """The awaitable that the latest handler returned, until `_one` takes it; else None."""
        self._in_flight = 0
        self._open: dict[asyncio.Task[None] | None, Callable[[], bytes | None]] = {}
        """The line that refuses each line that is not answered yet, by the task that answers it.

        A removal from this dict gives the right to answer the line. `dict.pop` is atomic, so each
        line is answered once, although `refuse_open` may run on another thread.
        """

    def receive(self, line: bytes) -> None:
        """Answer *line* before returning, unless its handler returned an awaitable.

        Then the answer is sent once the awaitable is done; see `answered`. A batch that takes
        longer than TURN_S is answered later, too.
        """
        if _has_too_many_values(line):
            data = {"fix": f"Keep each line within {MAX_VALUES} values."}
            self._answer(_error(None, ErrorCode.INVALID_REQUEST, "Invalid Request", data))
            return
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
        if isinstance(response, Coroutine):
            self._answer_later(self._line_when_done(response), lambda: _refusal_line(decoded))
        elif response is not None:
            self._answer(response)

    def refuse_long_line(self) -> None:
        """Answer a line that was over the limit and dropped: Invalid Request, with id null."""
        self._answer(
            _error(
                None,
                ErrorCode.INVALID_REQUEST,
                "Invalid Request",
                {"fix": f"Keep each line within {MAX_LINE_BYTES} bytes."},
            )
        )

    async def answered(self) -> None:
        """Wait until every request received so far is answered."""
        while self._open:
            await asyncio.wait({each for each in list(self._open) if each is not None})

    def refuse_open(self) -> None:
        """Answer each open request with ShuttingDown, now; drop its result if it comes later.

        Safe to call from any thread: the loop may hang.
        """
        for task in list(self._open):
            refusal = self._open.pop(task, None)
            line = None if refusal is None else refusal()
            if line is not None:
                self._send(line)

    def _batch(self, members: list[Any]) -> None:
        if not members or len(members) > MAX_BATCH:
            data = {"fix": f"Send 1 to {MAX_BATCH} members in a batch."} if members else None
            self._answer(_error(None, ErrorCode.INVALID_REQUEST, "Invalid Request", data))
            return
        batch = _Batch(members)
        is_over = self._take_turn(batch)
        if not is_over or batch.has_awaited:
            self._answer_later(self._batch_line_when_done(batch, is_over), batch.refusal_line)
        elif (line := batch.line()) is not None:
            self._send(line)

    def _take_turn(self, batch: _Batch) -> bool:
        """Answer members of *batch* for TURN_S; True when there is no more."""
        until_s = self._now_s() + TURN_S
        for member in batch.rest:
            response = self._one(member)
            if isinstance(response, Coroutine):
                batch.await_answer(member, response)
            elif response is not None:
                batch.add(response)
            if self._now_s() >= until_s:
                return False
        return True

    def _one(self, message: Any) -> _Response | Coroutine[Any, Any, _Response | None] | None:
        if _is_response(message):
            if self._take_response is not None:
                self._take_response(message)
            return None  # no answer to a Response: two peers would answer each other for ever
        problem = _problem(message)
        if problem is not None:
            return problem
        response = dispatch(message, self._methods)
        awaited, self._awaited = self._awaited, None
        if awaited is None:
            return _cleaned(response)
        if self._in_flight >= MAX_IN_FLIGHT:
            if isinstance(awaited, Coroutine):
                awaited.close()
            return _too_many(message)
        self._in_flight += 1
        return self._done(message, awaited)

    def _answerable(self, handler: Handler) -> Callable[..., Any]:
        def call(*args: object, **params: object) -> Any:
            try:
                result = handler(*args, **params)
            except (Exception, asyncio.CancelledError) as error:
                code, text, data = _failed(error)
                return Error(int(code), text, data)
            if not isinstance(result, Awaitable):
                return Success(result)
            self._awaited = result
            return Success(None)  # a placeholder: `_done` makes the answer

        call.__signature__ = _signature(handler)  # type: ignore[attr-defined]  # inspect reads it
        return call

    async def _done(self, message: _Message, awaited: Awaitable[object]) -> _Response | None:
        # CancelledError is not an Exception; if it were not caught, no answer would be sent.
        response: _Response
        try:
            response = {"jsonrpc": "2.0", "result": await awaited, "id": message.get("id")}
        except (Exception, asyncio.CancelledError) as error:
            response = _error(message.get("id"), *_failed(error))
        finally:
            self._in_flight -= 1
        return response if "id" in message else None

    async def _line_when_done(self, response: Awaitable[_Response | None]) -> bytes | None:
        answer = await response
        return None if answer is None else _encode_response(answer)

    async def _batch_line_when_done(self, batch: _Batch, is_over: bool) -> bytes | None:
        while not is_over:
            await asyncio.sleep(0)
            is_over = self._take_turn(batch)
        await batch.awaited()
        return batch.line()

    def _answer_later(
        self, answering: Coroutine[Any, Any, bytes | None], refusal: Callable[[], bytes | None]
    ) -> None:
        """Send the line of *answering* when it is there; *refusal* makes the line at the end."""
        task = tasks.start("answer", self._send_when_done(answering))
        self._open[task] = refusal
        task.add_done_callback(lambda done: self._open.pop(done, None))

    async def _send_when_done(self, answering: Awaitable[bytes | None]) -> None:
        line = await answering
        if self._open.pop(asyncio.current_task(), None) is not None and line is not None:
            self._send(line)

    def _answer(self, response: _Response) -> None:
        self._send(_encode_response(response))


@dataclass(slots=True, eq=False)
class _Later:
    """A member of a batch whose answer comes later."""

    request: _Message
    response: Coroutine[Any, Any, _Response | None]
    answer: _Answer | None = None
    is_done: bool = False
    """Whether `answer` is the answer; None is that of a notification."""


class _Batch:
    """The answers of one batch, in the order of its requests."""

    def __init__(self, members: list[Any]) -> None:
        self.rest = iter(members)
        """The members that were not taken yet."""
        self._answers: list[_Answer | _Later] = []
        self._bytes = 0

    def add(self, response: _Response) -> None:
        self._answers.append(self._encoded(response))

    def await_answer(
        self, request: _Message, response: Coroutine[Any, Any, _Response | None]
    ) -> None:
        self._answers.append(_Later(request, response))

    @property
    def has_awaited(self) -> bool:
        return any(isinstance(each, _Later) for each in self._answers)

    async def awaited(self) -> None:
        """Wait for the answers that are not there yet."""
        await asyncio.gather(*(self._finish(x) for x in self._answers if isinstance(x, _Later)))

    def line(self) -> bytes | None:
        """Return the array of all answers; None without an answer."""
        return self._array([each for each in self._given() if each is not None])

    def refusal_line(self) -> bytes | None:
        """Return the array of the answers that are there, and of a refusal for each other one."""
        rest = (each for each in self.rest if not _is_response(each))
        refusals = [_problem(each) or _refusal(each) for each in rest]
        refused = [self._encoded(each) for each in refusals if each is not None]
        return self._array([each for each in self._given() if each is not None] + refused)

    def _given(self) -> Iterator[_Answer | None]:
        """Yield the answer of each member that was taken; None for a notification."""
        for each in self._answers:
            if not isinstance(each, _Later):
                yield each
            elif each.is_done:
                yield each.answer
            elif (refusal := _refusal(each.request)) is not None:
                yield self._encoded(refusal)

    def _array(self, answers: list[_Answer]) -> bytes | None:
        if not answers:
            return None
        if self._is_too_long:
            answers = [(each, _encode(_too_long({"id": each}))) for each, _ in answers]
        return b"[" + b",".join(line for _, line in answers) + b"]"

    async def _finish(self, later: _Later) -> None:
        response = await later.response
        later.answer = None if response is None else self._encoded(response)
        later.is_done = True

    @property
    def _is_too_long(self) -> bool:
        return self._bytes >= MAX_LINE_BYTES

    def _encoded(self, response: _Response) -> _Answer:
        # A thousand answers of 16 MiB would take 16 GB, only to be replaced in `line`.
        answer = response["id"], b"" if self._is_too_long else _encode_response(response)
        self._bytes += len(answer[1]) + 1
        return answer


def encode_notification(notification: Notification) -> bytes:
    """Return *notification* as one line of JSON without its newline.

    Raises:
        TypeError: the notification holds a value that JSON has no form for.
    """
    method = NOTIFICATIONS[type(notification)]
    return to_json({"jsonrpc": "2.0", "method": method, "params": notification})


def to_json(value: object) -> bytes:
    """Return *value* as JSON. Its dataclasses must come from `core/contract/`.

    Raises:
        TypeError: *value* holds a value that JSON has no form for.
    """
    return orjson.dumps(value, default=_part, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def _part(value: object) -> object:
    """Return *value* in a form that orjson knows; orjson asks for each value that it does not."""
    if isinstance(value, KeepsJson):
        return orjson.Fragment(_kept_json(value))
    if isinstance(value, EncodedJson):
        return orjson.Fragment(value.text)
    if isinstance(value, Mapping):
        return dict(value)
    return _members(value)


def _kept_json(value: KeepsJson) -> bytes:
    """Return *value* as JSON, which is made once."""
    try:
        return value.kept_json
    except AttributeError:
        made = to_json(_members(value))
        # A copy, since orjson reserves 4 KiB for each result.
        object.__setattr__(value, "kept_json", bytes(memoryview(made)))
        return value.kept_json


def _members(value: object) -> dict[str, object]:
    """Return the members of a dataclass by their names on the wire.

    Raises:
        TypeError: *value* is no dataclass.
    """
    members = {}
    for each in fields_of(type(value)):  # type: ignore[arg-type]  # as in wire.parse
        inner = getattr(value, each.name)
        if inner is not None or not each.optional:
            members[each.wire_name] = inner
    return members


def size_bytes(session: AgentSession) -> int:
    """Return the length of *session* as JSON, which is made once."""
    return len(_kept_json(session))


def encode_request(request_id: str, method: str, params: object) -> bytes:
    """Return a request as one line of JSON without its newline."""
    return to_json({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})


def _failed(error: BaseException) -> tuple[ErrorCode, str, Mapping[str, object] | None]:
    """Return the code, message and data of the answer to a request that failed with *error*.

    Any error but a `SidecarError` and a shortage of the system is a bug: the log has the traceback,
    the answer only says "Internal error".
    """
    if isinstance(error, SidecarError):
        return error.code, error.message, error.data
    if (lacked := shortage(error)) is not None:
        _log.error("A request failed: %s.", error)
        fix = {"fix": "Close files, or raise the system's limit of open files and of memory."}
        return ErrorCode.INTERNAL_ERROR, f"The system refused the sidecar: {lacked}.", fix
    _log.error("A request failed, by a bug.", exc_info=error)
    return ErrorCode.INTERNAL_ERROR, "Internal error", None


def _is_response(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and "method" not in message
        and ("result" in message or "error" in message)
    )


def _problem(message: Any) -> _Response | None:
    """Return the error answer when *message* is not a valid Request object; None when it is.

    Section 4 of the specification defines Request objects. The answer repeats a valid id.
    """
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
    """Remove the texts that jsonrpcserver puts into `data` of its own errors."""
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


def _refusal(message: _Message) -> _Response | None:
    """Return the answer to a request that is open when the process ends; None: a notification."""
    return _error(message["id"], *_failed(ShuttingDown())) if "id" in message else None


def _refusal_line(message: _Message) -> bytes | None:
    refusal = _refusal(message)
    return None if refusal is None else _encode_response(refusal)


def _too_many(message: _Message) -> _Response | None:
    if "id" not in message:
        return None
    fix = {"fix": f"Wait for answers: at most {MAX_IN_FLIGHT} requests at a time."}
    return _error(message["id"], ErrorCode.INVALID_REQUEST, "Too many requests in flight", fix)


def _too_long(response: _Response) -> _Response:
    fix = {"fix": "Ask for less at a time."}
    message = f"The answer is over {MAX_LINE_BYTES} bytes."
    return _error(response["id"], ErrorCode.INTERNAL_ERROR, message, fix)


def _has_too_many_values(line: bytes) -> bool:
    """Whether *line* has more than MAX_VALUES values; costs milliseconds, unlike decoding."""
    if len(line) <= MAX_VALUES or _values(line) <= MAX_VALUES:
        return False
    return _values(_STRING.sub(b"", line)) > MAX_VALUES


def _values(line: bytes) -> int:
    """Count at least the values in *line*; marks within strings count, too."""
    return line.count(b",") + line.count(b"[") + line.count(b"{")


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
    return to_json(message)


def _restore_ids(decoded: Any, line: bytes) -> None:
    """Put exact ids into *decoded*: orjson rounds integers over 64 bits.

    A sender could not match a rounded id with its request.

    Raises:
        RecursionError: *line* nests deeper than `json` can read.
    """
    exact: Any = None
    for index, each in enumerate(decoded if isinstance(decoded, list) else [decoded]):
        request_id = each.get("id") if isinstance(each, dict) else None
        if isinstance(request_id, float) and abs(request_id) >= 2.0**63:
            exact = exact or json.loads(line)
            each["id"] = (exact[index] if isinstance(exact, list) else exact)["id"]


def _signature(handler: Handler) -> inspect.Signature:
    """Return the signature of *handler*; if Python cannot read it, one for any arguments.

    Without a signature, jsonrpcserver would answer the request without its id.
    """
    try:
        return inspect.signature(handler)
    except ValueError:
        return inspect.signature(lambda *args, **params: None)
