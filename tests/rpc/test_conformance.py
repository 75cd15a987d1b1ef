"""Where jsonrpcserver 5.0.9 leaves the JSON-RPC 2.0 specification, and we do not.

Each docstring names the clause, and what the package does by itself. Sections are those of
jsonrpc.org/specification.
"""

from __future__ import annotations

import asyncio
import builtins

import jsonrpcserver
import pytest

from sidecar.core.contract.errors import ErrorCode, SidecarError
from sidecar.core.contract.protocol import MAX_BATCH, MAX_IN_FLIGHT
from tests.rpc.peer import INVALID_REQUEST, Peer, as_async, error, request, result, spec_methods

INTERNAL_ERROR = (-32603, "Internal error")


class OddError(SidecarError):
    """An error of a method, with whatever data a test wants."""

    code = ErrorCode.API_CALL_FAILED


def styles(handlers):
    """Give the handlers once plain and once `async def`."""
    return [
        pytest.param(handlers, id="plain"),
        pytest.param(as_async(handlers), id="async"),
    ]


@pytest.mark.parametrize(
    "batch", [[1], [1, 2, 3], [[request("sum")]], [None], ["a"], [True], [1.5, {}]]
)
def test_each_invalid_member_of_a_batch_has_its_own_error_in_an_array(batch):
    """Section 6: "the Server should respond with an Array". The package: one error object."""
    peer = Peer(spec_methods([]))
    peer.say(batch)
    assert peer.answers() == [[INVALID_REQUEST] * len(batch)]


def test_an_invalid_member_does_not_keep_the_valid_ones_from_being_run():
    """Section 6, the mixed batch. The package refuses the whole batch and runs nothing."""
    peer = Peer(spec_methods([]))
    peer.say([{"foo": 1}, request("sum", [1, 2], number=8)])
    assert peer.answers() == [[INVALID_REQUEST, result(3, 8)]]


@pytest.mark.parametrize("handlers", styles({"unsayable": lambda: {1, 2}, "sum": lambda: 3}))
@pytest.mark.parametrize("batched", [False, True])
async def test_a_result_without_a_json_form_is_an_internal_error_with_its_id(handlers, batched):
    """Section 5: the Server MUST reply to a call. The package lets the TypeError out."""
    peer = Peer(handlers)
    unsayable = request("unsayable", number=4)
    peer.say([request("sum"), unsayable] if batched else unsayable)
    failed = error(*INTERNAL_ERROR, number=4)
    assert await peer.all_answers() == [[result(3), failed] if batched else failed]


@pytest.mark.parametrize(
    "value",
    [2**64, -(2**63) - 1, {1: "a"}, "\ud800", object(), ...],
    ids=["too large", "too small", "a key that is no text", "half a character", "object", "..."],
)
def test_what_orjson_cannot_write_is_an_internal_error_and_never_silence(value):
    """Section 5, as above: ints over 64 bits, keys that are no text, lone surrogates."""
    peer = Peer({"odd": lambda: value})
    peer.say(request("odd"))
    assert peer.answers() == [error(*INTERNAL_ERROR, number=1)]


@pytest.mark.parametrize("style", ["plain", "async"])
@pytest.mark.parametrize("batched", [False, True])
async def test_a_cancelled_handler_is_an_internal_error_and_takes_nothing_with_it(style, batched):
    """Section 5: the Server MUST reply. The package lets CancelledError, no Exception, out."""

    def cancelled():
        raise asyncio.CancelledError

    handlers = {"cancelled": cancelled, "sum": lambda: 3}
    peer = Peer(handlers if style == "plain" else as_async(handlers))
    one = request("cancelled", number=7)
    peer.say([request("sum"), one] if batched else one)
    failed = error(*INTERNAL_ERROR, number=7)
    assert await peer.all_answers() == [[result(3), failed] if batched else failed]


@pytest.mark.parametrize("batched", [False, True])
def test_a_handler_whose_signature_cannot_be_read_is_answered_with_its_id(batched):
    """Section 5: the id "MUST be the same as the value of the id member in the Request Object".

    The package answers -32000 with id null, and takes the whole batch with it.
    """
    peer = Peer({"max": builtins.max, "sum": lambda: 3})
    one = request("max", [1, 2], number=6)
    peer.say([request("sum"), one] if batched else one)
    (answer,) = peer.answers()
    members = answer if batched else [answer]
    assert [member["id"] for member in members] == ([1, 6] if batched else [6])
    if batched:
        assert members[0] == result(3)


@pytest.mark.parametrize("handlers", styles({"odd": lambda: jsonrpcserver.Error("oops", 5)}))
async def test_an_error_on_the_wire_has_a_whole_number_as_code_and_text_as_message(handlers):
    """Section 5.1: code "MUST be an integer", message "SHOULD be ... a concise single sentence".

    The package sends `Error("oops", 5)` of a method as it is; here a method raises.
    """
    peer = Peer(handlers)
    peer.say(request("odd"))
    assert await peer.all_answers() == [error(*INTERNAL_ERROR, number=1)]


def test_an_error_whose_data_has_no_json_form_is_still_answered_with_its_id():
    """Section 5: the Server MUST reply."""

    def fail():
        raise OddError("It failed.", "Mend it.", odd={1, 2})

    peer = Peer({"fail": fail})
    peer.say(request("fail", number=3))
    (answer,) = peer.answers()
    assert (answer["id"], answer["error"]["code"]) == (3, -32603)


@pytest.mark.parametrize("handlers", styles(spec_methods([])))
async def test_a_method_may_be_a_plain_def_or_an_async_one(handlers):
    """Section 4 knows no such difference. The package: "object Right can't be used in 'await'"."""
    peer = Peer(handlers)
    peer.say([request("sum", [1, 2]), request("subtract", [3, 2], number=2)])
    assert await peer.all_answers() == [[result(3), result(1, 2)]]


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "1.0", "id": 7, "method": "sum"},
        {"id": 7, "method": "sum"},
        {"jsonrpc": 2.0, "id": 7, "method": "sum"},
        {"jsonrpc": "2.0", "id": 7},
        {"jsonrpc": "2.0", "id": 7, "method": None},
        {"jsonrpc": "2.0", "id": 7, "method": "sum", "params": "bar"},
        {"jsonrpc": "2.0", "id": 7, "method": "sum", "params": 0},
        {"jsonrpc": "2.0", "id": 7, "method": "sum", "params": None},
    ],
)
@pytest.mark.parametrize("number", [7, "seven", 0, "", 1.5])
def test_an_invalid_request_is_refused_under_its_own_id_where_that_can_be_read(message, number):
    """Section 5: id is Null only "if there was an error in detecting the id".

    The package answers every Invalid Request with id null, and the caller waits for ever.
    """
    peer = Peer(spec_methods([]))
    peer.say({**message, "id": number})
    assert peer.answers() == [error(-32600, "Invalid Request", number)]


@pytest.mark.parametrize("number", [True, False, [], [1], {}, {"id": 1}])
def test_an_id_that_is_no_id_is_refused_under_null(number):
    """Section 4: an id "MUST contain a String, Number, or NULL value"."""
    peer = Peer(spec_methods([]))
    peer.say({"jsonrpc": "2.0", "id": number, "method": "get_data"})
    assert peer.answers() == [INVALID_REQUEST]


def test_members_that_the_specification_does_not_name_do_no_harm():
    """Section 4 does not forbid them. The package answers -32600."""
    peer = Peer(spec_methods([]))
    peer.say({**request("sum", [1]), "meta": {"trace": 1}, "result": 5, "error": None})
    assert peer.answers() == [result(1)]


@pytest.mark.parametrize(
    "response",
    [
        result(5, 9),
        result(None, 9),
        error(-32600, "Invalid Request"),
        {"jsonrpc": "2.0", "id": 9, "result": 1, "error": {}},
        {"error": "nonsense"},
    ],
)
@pytest.mark.parametrize("batched", [False, True])
def test_a_response_object_is_never_answered(response, batched):
    """Section 5: a Response answers a call. The package answers it with an error.

    Two such peers would answer each other for ever.
    """
    peer = Peer(spec_methods([]))
    peer.say([response, response] if batched else response)
    assert peer.answers() == []


def test_a_batch_over_the_limit_is_refused_as_a_whole_and_runs_nothing():
    """Section 6 sets no limit; the package takes 2,000 members at once."""
    heard = []
    peer = Peer(spec_methods(heard))
    peer.say([{"jsonrpc": "2.0", "method": "update"}] * (MAX_BATCH + 1))
    ((answer,), ran) = peer.answers(), list(heard)
    assert (answer["error"]["code"], answer["id"], ran) == (-32600, None, [])
    assert str(MAX_BATCH) in answer["error"]["data"]["fix"]
    peer.say([request("get_data")] * MAX_BATCH)
    assert len(peer.answers()[1]) == MAX_BATCH


async def test_no_more_requests_are_in_flight_than_the_limit_says_batches_included():
    """Section 6 lets a batch be run "with any width of parallelism"; memory does not."""
    go_on, running = asyncio.Event(), []

    async def wait():
        running.append(1)
        await go_on.wait()

    peer = Peer({"wait": wait})
    count = 0
    for _ in range(2):
        peer.say([request("wait", number=count + index) for index in range(MAX_BATCH)])
        count += MAX_BATCH
    for _ in range(3):  # turns of the loop: a task's first step comes with the next one
        await asyncio.sleep(0)
    at_once = len(running)
    go_on.set()
    answers = await peer.all_answers()
    assert sorted(each["id"] for batch in answers for each in batch) == list(range(count))
    assert at_once <= MAX_IN_FLIGHT


async def test_a_request_over_the_limit_in_flight_is_refused_with_its_id_and_its_fix():
    """Section 5: the Server MUST reply, also where it cannot take more."""
    go_on = asyncio.Event()

    async def wait():
        await go_on.wait()

    peer = Peer({"wait": wait})
    for number in range(MAX_IN_FLIGHT + 1):
        peer.say(request("wait", number=number))
    peer.say({"jsonrpc": "2.0", "method": "wait"})
    (refusal,) = peer.answers()
    assert (refusal["id"], refusal["error"]["code"]) == (MAX_IN_FLIGHT, -32600)
    assert refusal["error"]["data"]["fix"]
    go_on.set()
    answers = await peer.all_answers()
    assert sorted(each["id"] for each in answers) == list(range(MAX_IN_FLIGHT + 1))


@pytest.mark.parametrize("style", ["plain", "async"])
@pytest.mark.parametrize("batched", [False, True])
async def test_a_handlers_bug_says_nothing_of_itself_on_the_wire(style, batched, caplog):
    """Section 5.1: -32603. The package sends str(exception) as error.data."""

    def boom():
        raise RuntimeError("secret: /home/me/.key pw=hunter2")

    peer = Peer({"boom": boom} if style == "plain" else as_async({"boom": boom}))
    peer.say([request("boom")] if batched else request("boom"))
    failed = error(*INTERNAL_ERROR, number=1)
    assert await peer.all_answers() == [[failed] if batched else failed]
    assert b"hunter2" not in b"".join(peer.lines)
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("params", [[1], [1, 2, 3], {"minuend": 1}, {"a": 1, "b": 2}])
@pytest.mark.parametrize("handlers", styles({"subtract": lambda minuend, subtrahend: 0}))
async def test_params_that_do_not_fit_say_nothing_of_the_function_behind(params, handlers):
    """Section 5.1: -32602. The package sends Python's text about the signature."""
    peer = Peer(handlers)
    peer.say(request("subtract", params))
    (answer,) = await peer.all_answers()
    assert b"argument" not in peer.lines[0]
    assert "data" not in answer["error"] or set(answer["error"]["data"]) == {"fix"}


def test_the_dispatcher_needs_no_running_loop_for_plain_handlers():
    """So that a build can be tested by one round trip (`--self-test`)."""
    peer = Peer({"ping": lambda: "pong"})
    peer.say(request("ping"))
    assert peer.lines == [b'{"jsonrpc":"2.0","result":"pong","id":1}']
