"""What a line may hold that a parent would not send on purpose, and what comes back."""

from __future__ import annotations

import asyncio
import time
import tracemalloc

import pytest

from sidecar.core.contract.protocol import MAX_BATCH, MAX_LINE_BYTES, MAX_VALUES
from tests.rpc.asked import Methods
from tests.rpc.peer import INVALID_REQUEST, PARSE_ERROR, Peer, error, request, result, strictly

HUGE_NUMBERS = [2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, -(10**300)]


def anything(**params):
    """Take whatever is given."""
    return len(params)


@pytest.fixture
def peer() -> Peer:
    async def later(**params):
        return len(params)

    return Peer({"anything": anything, "later": later, "echo": lambda value: value})


@pytest.mark.parametrize("number", HUGE_NUMBERS)
@pytest.mark.parametrize("method", ["anything", "later", "absent"])
async def test_an_id_over_64_bits_comes_back_exact(peer, number, method):
    """Section 5: the same id as in the request. orjson alone makes 1.8446744073709552e+19 of it."""
    peer.say(request(method, number=number))
    peer.say([request(method, number=number), request(method, number=-number)])
    await peer.all_answers()
    single, batch = (line.decode() for line in peer.lines)
    assert f'"id":{number}}}' in single
    assert f'"id":{number}}}' in batch
    assert f'"id":{-number}}}' in batch


@pytest.mark.parametrize("number", [1.5, -0.5, 1e300, "", "ä 🎤", "\u2028", "\x00", None, 0, -1])
def test_any_valid_id_comes_back_as_it_was(peer, number):
    """Section 4: String, Number, or NULL; fractions and null are discouraged, not forbidden."""
    peer.say(request("anything", number=number))
    assert peer.answers() == [result(0, number)]


def test_an_invalid_request_with_an_id_over_64_bits_is_refused_under_it(peer):
    peer.say('{"jsonrpc":"2.0","id":18446744073709551617,"method":5}')
    assert peer.answers() == [error(-32600, "Invalid Request", 18446744073709551617)]


@pytest.mark.parametrize("depth", [900, 999, 1000, 1010, 1021, 1022, 1023, 5000, 100_000])
@pytest.mark.parametrize("number", [1, 2**64 + 1])
def test_nesting_never_costs_a_line_its_answer(peer, depth, number):
    """orjson takes more levels than json does; an id is exact or null, never about right."""
    nested = "[" * depth + "]" * depth
    peer.say(f'{{"jsonrpc":"2.0","id":{number},"method":"anything","params":{{"a":{nested}}}}}')
    (answer,) = peer.answers()
    assert answer in (result(1, number), PARSE_ERROR)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000])
def test_a_number_that_json_does_not_have_is_a_parse_error(peer, text):
    """RFC 8259 section 6. The default json takes NaN, and makes Infinity of 1e400."""
    peer.say(f'{{"jsonrpc":"2.0","id":1,"method":"echo","params":[{text}]}}')
    assert peer.answers() == [PARSE_ERROR]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_never_goes_out(value):
    """RFC 8259 section 6: one NaN makes the whole line unreadable to JSON.parse."""
    peer = Peer({"nan": lambda: {"figures": [value]}})
    peer.say(request("nan"))
    (answer,) = peer.answers()
    assert answer in (result({"figures": [None]}), error(-32603, "Internal error", 1))


def test_of_a_doubled_key_the_last_one_counts_for_small_and_huge_ids_alike(peer):
    """RFC 8259 section 4 leaves it open; both decoders must agree, or an id is mixed up."""
    peer.say('{"jsonrpc":"2.0","id":7,"id":18446744073709551616,"method":"anything"}')
    peer.say('{"jsonrpc":"2.0","id":18446744073709551616,"id":7,"method":"anything"}')
    peer.say('{"jsonrpc":"2.0","id":1,"method":"absent","method":"anything"}')
    assert peer.answers() == [result(0, 2**64), result(0, 7), result(0, 1)]


@pytest.mark.parametrize(
    "line",
    [
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"anything"}',
        b'{"jsonrpc":"2.0","id":"\\ud800","method":"anything"}',
        b'{"jsonrpc":"2.0","id":1,"method":"anything","params":{"a":"\\udc00\\ud800"}}',
        b'{"jsonrpc":"2.0","id":"\xff\xfe","method":"anything"}',
        b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"anything"}',
        b'{"jsonrpc":"2.0","id":"\xc0\xaf","method":"anything"}',
        b'{"jsonrpc":"2.0","id":1,"method":"anything"}{"jsonrpc":"2.0","id":2,"method":"anything"}',
        b'{"jsonrpc":"2.0","id":1,"method":"anything",}',
        b"{'jsonrpc':'2.0'}",
        b"\x00",
        b"Content-Length: 44",
        '{"jsonrpc":"2.0","id":1,"method":"anything"}'.encode("utf-16"),
    ],
    ids=[
        *("BOM", "lone surrogate id", "lone surrogates", "invalid UTF-8", "encoded surrogate"),
        *("overlong UTF-8", "two messages", "trailing comma", "Python's quotes", "NUL"),
        *("a header of LSP", "UTF-16"),
    ],
)
def test_a_line_that_is_not_json_in_utf_8_is_a_parse_error_under_null(peer, line):
    """Section 5.1: -32700; RFC 8259 section 8.1: UTF-8, no byte order mark."""
    peer.say(line)
    assert peer.answers() == [PARSE_ERROR]


@pytest.mark.parametrize("line", [b"null", b"true", b"5", b'"text"', b"1.5"])
def test_json_that_is_no_message_is_an_invalid_request(peer, line):
    """Section 4: a Request is an object."""
    peer.say(line)
    assert peer.answers() == [INVALID_REQUEST]


@pytest.mark.parametrize(
    "name", ["self", "args", "params", "handler", "request", "context", "", "é"]
)
@pytest.mark.parametrize("method", ["anything", "later"])
async def test_a_param_may_have_any_name(peer, name, method):
    """Section 4.2: by-name params; none of them collides with names of the dispatcher's own."""
    peer.say(request(method, {name: 1}))
    assert await peer.all_answers() == [result(1)]


def test_every_plane_of_unicode_goes_through_and_no_raw_line_end_comes_out(peer):
    text = 'ä 🎤 \u2028\u2029\u0085\x00\x1f\x7f\ufeff\uffff\U0010ffff \r\n " \\'
    peer.say(request("echo", [text]))
    assert peer.answers() == [result(text)]
    assert b"\n" not in peer.lines[0]


def line_with_id(length: int, rest: str) -> bytes:
    """Make a request of exactly *length* bytes, by a long id."""
    frame = f'{{"jsonrpc":"2.0","id":"","method":"{rest}"}}'
    return frame.replace('""', '"' + "A" * (length - len(frame)) + '"', 1).encode()


@pytest.mark.parametrize("rest", ["anything", "absent", "later"])
@pytest.mark.parametrize("batched", [False, True])
async def test_no_answer_is_longer_than_a_line_may_be(peer, rest, batched):
    """The limit holds in both directions, also where the id alone takes most of a line."""
    line = line_with_id(MAX_LINE_BYTES - 2 * batched, rest)
    peer.say(b"[" + line + b"]" if batched else line)
    await peer.all_answers()
    (answer,) = peer.lines
    assert len(answer) <= MAX_LINE_BYTES


def test_a_result_over_the_limit_is_an_error_that_says_so_under_its_id():
    peer = Peer({"long": lambda: "x" * MAX_LINE_BYTES, "short": lambda: 1})
    peer.say(request("long", number=5))
    peer.say([request("short"), request("long", number=2)])
    assert all(len(line) < 1000 for line in peer.lines)
    alone, batch = peer.answers()
    assert (alone["id"], alone["error"]["code"], batch[1]["id"]) == (5, -32603, 2)
    assert alone["error"]["data"]["fix"]
    assert batch[0] == result(1)


def test_a_long_line_is_refused_with_the_limit_as_its_fix(peer):
    peer.dispatcher.refuse_long_line()
    (answer,) = peer.answers()
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    assert str(MAX_LINE_BYTES) in answer["error"]["data"]["fix"]


def test_the_reader_of_these_tests_would_see_a_nan():
    with pytest.raises(ValueError, match="NaN is not JSON"):
        strictly(b'{"result":NaN}')


@pytest.mark.parametrize("value", ["[]", "{}", "0", '""', "[[[[[]]]]]"])
def test_a_line_of_more_values_than_a_client_needs_is_refused_and_not_decoded(peer, value):
    """16 MiB of empty lists would hold the loop for 2.5 s and take 700 MB."""
    many = ",".join([value] * (MAX_VALUES + 1))
    peer.say(f'{{"jsonrpc":"2.0","id":1,"method":"anything","params":{{"a":[{many}]}}}}')
    (answer,) = peer.answers()
    assert answer["error"]["code"] == -32600
    assert str(MAX_VALUES) in answer["error"]["data"]["fix"]


def test_commas_and_brackets_within_texts_are_no_values(peer):
    text = ',[{\\"' * (MAX_VALUES // 3 + 1)
    peer.say(f'{{"jsonrpc":"2.0","id":1,"method":"anything","params":{{"a":"{text}"}}}}')
    assert peer.answers() == [result(1, 1)]


def test_a_text_without_an_end_is_searched_once(peer):
    """20,000 escaped quotes took 21 s, and the watchdog ends a process after 30 s."""
    peer.say("[" + "," * (MAX_VALUES + 1) + '"' + '\\"' * 1_000_000)
    (answer,) = peer.answers()
    assert answer["error"]["code"] == -32600


async def test_a_batch_of_slow_requests_leaves_the_loop_to_others_meanwhile():
    def slow() -> str:
        until_s = time.monotonic() + 0.01
        while time.monotonic() < until_s:
            pass
        return "done"

    turns, peer = 0, Peer({"slow": slow}, now_s=time.monotonic)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    peer.say([request("slow", number=number) for number in range(100)])
    (answers,) = await peer.all_answers()
    beside.cancel()
    assert answers == [result("done", number) for number in range(100)]
    assert turns >= 10


async def test_the_answers_of_a_long_batch_keep_the_order_of_its_requests():
    async def later(number: int) -> int:
        return number

    def now(number: int) -> int:
        time.sleep(0.001)
        return number

    peer = Peer({"later": later, "now": now}, now_s=time.monotonic)
    methods = ["later", "now"] * (MAX_BATCH // 2)
    peer.say([request(each, {"number": n}, number=n) for n, each in enumerate(methods)])
    (answers,) = await peer.all_answers()
    assert answers == [result(number, number) for number in range(MAX_BATCH)]


async def test_the_answers_of_a_batch_take_no_more_memory_than_a_line_may_have():
    """A thousand pages of `listSessions` would take 16 GB, to be told as too long afterwards."""
    text = "x" * 1024 * 1024
    peer = Peer({"page": lambda: text})
    tracemalloc.start()
    try:
        peer.say([request("page", number=number) for number in range(100)])
        (answers,) = await peer.all_answers()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # orjson reserves 16 MiB for each line of over 1 MiB.
    assert peak < 40 * MAX_LINE_BYTES
    assert {each["error"]["code"] for each in answers} == {-32603}
    assert [each["id"] for each in answers] == list(range(100))


def test_the_text_of_the_openrpc_document_is_made_once():
    """A batch of a thousand `rpc.discover` took 32 s on a busy machine, and takes 0.05 s."""
    discover = Methods().handlers["rpc.discover"]
    assert discover() is discover()
