"""When requests are answered: exactly once, plain ones at once, slow ones beside the others."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.contract.errors import ErrorCode, SidecarError
from tests.rpc.peer import INVALID_REQUEST, Peer, error, request, result, spec_methods


def refused(number):
    """Make the answer to a request that is open when the process ends."""
    fix = {"fix": "Start a new sidecar, then send the request again."}
    answer = error(1005, "The sidecar is shutting down.", number)
    return {**answer, "error": {**answer["error"], "data": fix}}


class NoSuch(SidecarError):
    """What a method of these tests refuses with."""

    code = ErrorCode.UNKNOWN_SESSION


def test_a_plain_handler_is_answered_before_receive_comes_back():
    """So the reply of `listSessions` is queued before any notification that comes after it."""
    sent = []
    peer = Peer({"listSessions": lambda: {"seq": len(sent)}})
    sent.append("a notification")
    peer.say(request("listSessions"))
    assert peer.answers() == [result({"seq": 1})]


def test_a_batch_of_plain_handlers_is_answered_before_receive_comes_back():
    peer = Peer(spec_methods([]))
    peer.say([request("get_data"), request("sum", [1], number=2)])
    assert peer.answers() == [[result(["hello", 5]), result(1, 2)]]


async def test_a_slow_handler_delays_no_other_request():
    go_on, entered = asyncio.Event(), asyncio.Event()

    async def slow():
        entered.set()
        await go_on.wait()
        return "slow"

    async def quick():
        return "quick"

    peer = Peer({"slow": slow, "quick": quick, "plain": lambda: "plain"})
    peer.say(request("slow", number=1))
    async with asyncio.timeout(5):
        await entered.wait()
    peer.say(request("plain", number=2))
    peer.say([request("plain", number=3), request("quick", number=4)])
    peer.say(request("quick", number=5))
    seen = await peer.first_answers(3)
    assert result("plain", 2) in seen
    assert result("quick", 5) in seen
    assert [result("plain", 3), result("quick", 4)] in seen
    go_on.set()
    assert (await peer.all_answers())[3:] == [result("slow", 1)]


async def test_a_batch_with_a_slow_member_is_answered_once_in_the_order_of_its_members():
    go_on = asyncio.Event()

    async def slow():
        await go_on.wait()
        return "slow"

    peer = Peer({"slow": slow, "plain": lambda: "plain"})
    peer.say([request("slow"), request("plain", number=2), {"jsonrpc": "2.0", "method": "slow"}])
    await asyncio.sleep(0)
    assert peer.answers() == []
    go_on.set()
    assert await peer.all_answers() == [[result("slow"), result("plain", 2)]]


async def test_every_request_is_answered_once_and_a_notification_never():
    async def later(value):
        await asyncio.sleep(0)
        return value

    async def refuse():
        raise NoSuch("None has this id.", "List them.")

    def break_down():
        raise ZeroDivisionError

    methods = {
        "later": later,
        "refuse": refuse,
        "break": break_down,
        "unsayable": lambda: object(),
        "now": lambda value: value,
    }
    names = [*methods, "absent"]
    peer = Peer(methods)
    for number in range(300):
        method = names[number % len(names)]
        params = [number] if method in ("later", "now") else None
        message = request(method, params, number=number)
        if number % 5 == 0:
            del message["id"]
        peer.say([message, 1] if number % 7 == 0 else message)
    answers = []
    for answer in await peer.all_answers():
        answers += answer if isinstance(answer, list) else [answer]
    numbers = sorted(each["id"] for each in answers if each["id"] is not None)
    assert numbers == [number for number in range(300) if number % 5]
    assert all(("result" in each) != ("error" in each) for each in answers)


async def test_answered_comes_back_only_when_the_last_request_is_answered():
    go_on = asyncio.Event()

    async def slow():
        await go_on.wait()

    peer = Peer({"slow": slow})
    for number in range(3):
        peer.say(request("slow", number=number))
    waiting = asyncio.create_task(peer.dispatcher.answered())
    await asyncio.sleep(0)
    assert not waiting.done()
    peer.say(request("slow", number=3))
    go_on.set()
    async with asyncio.timeout(5):
        await waiting
    assert len(peer.lines) == 4


async def test_a_request_that_is_open_at_the_end_is_refused_once_and_its_result_dropped():
    go_on = asyncio.Event()

    async def slow():
        await go_on.wait()
        return "slow"

    peer = Peer({"slow": slow, "plain": lambda: "plain"})
    peer.say(request("slow", number=1))
    peer.say({"jsonrpc": "2.0", "method": "slow"})
    await asyncio.sleep(0)
    peer.say(request("slow", number=2))
    for _ in range(2):
        peer.dispatcher.refuse_open()
    go_on.set()
    peer.say(request("plain", number=3))
    answers = await peer.all_answers()
    assert answers == [refused(1), refused(2), result("plain", 3)]


async def test_a_batch_that_is_open_at_the_end_keeps_the_answers_that_are_there():
    go_on, now_s = asyncio.Event(), itertools.count()

    async def slow():
        await go_on.wait()

    async def quick():
        return "quick"

    methods = {"slow": slow, "quick": quick, "plain": lambda: "plain"}
    peer = Peer(methods, now_s=lambda: float(next(now_s)))  # each member takes a turn
    batch = [
        request("quick"),
        request("slow", number=2),
        {"jsonrpc": "2.0", "method": "slow"},
        request("plain", number=3),
    ]
    peer.say(batch)
    peer.say([{"jsonrpc": "2.0", "method": "slow"}])
    for _ in range(20):
        await asyncio.sleep(0)
    peer.say([request("plain", number=4), request("plain", number=5), {"id": 6, "result": 0}, 7])
    peer.dispatcher.refuse_open()
    go_on.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert await peer.all_answers() == [
        [result("quick"), refused(2), result("plain", 3)],
        [result("plain", 4), refused(5), INVALID_REQUEST],
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "", "self"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
NEARLY = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(["sum", "get_data", "absent", ""])},
    optional={"id": JSON, "params": JSON},
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.one_of(JSON, NEARLY, st.lists(NEARLY | JSON, max_size=5)))
def test_no_json_value_raises_and_each_has_at_most_one_answer_that_is_a_response(value):
    """Section 5: jsonrpc, id, and one of result and error."""
    peer = Peer(spec_methods([]))
    peer.say(value)
    assert len(peer.lines) <= 1
    for answer in peer.answers():
        for each in answer if isinstance(answer, list) else [answer]:
            assert set(each) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
            assert each["jsonrpc"] == "2.0"
            if "error" in each:
                assert isinstance(each["error"]["code"], int)
                assert isinstance(each["error"]["message"], str)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_no_bytes_raise_and_each_line_of_them_has_at_most_one_answer(line):
    peer = Peer(spec_methods([]))
    peer.say(line)
    assert len(peer.lines) <= 1
    peer.answers()
