"""The sidecar as a process, over pipes: what it answers, and that it always ends in time.

Source and frozen alike. No LiveKit server is needed here.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys

import pytest

from sidecar.core.contract.protocol import MAX_LINE_BYTES
from sidecar.dev.stdio_client import RpcError, SidecarClient
from tests.rpc.peer import INVALID_REQUEST, PARSE_ERROR, encoded, request, result, strictly
from tests.rpc.raw_sidecar import ANSWERS_WITHIN_S, ENDS_WITHIN_S

SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"]


@pytest.fixture
def command(sidecar_command) -> list[str]:
    return [*sidecar_command, "--wait"]


def params_for(server: socket.socket) -> dict[str, object]:
    """Make the params of a `connect` to a server that accepts and never answers."""
    url = f"ws://127.0.0.1:{server.getsockname()[1]}"
    return {"url": url, "apiKey": "key", "apiSecret": "s" * 32, "room": "room"}


def converse(command: list[str], said: bytes) -> tuple[int, list[object]]:
    """Say it all, end the input; give the status and what was answered until the end."""
    done = subprocess.run(
        command, input=said, capture_output=True, timeout=ANSWERS_WITHIN_S, check=False
    )
    messages = [strictly(line) for line in done.stdout.splitlines()]
    return done.returncode, [each for each in messages if "id" in each]


def test_requests_before_the_end_of_input_are_answered_and_the_status_is_0(command):
    said = encoded(*(request("ping", number=number) for number in range(100)))
    pongs = [result("pong", number) for number in range(100)]
    assert converse(command, said) == (0, pongs)
    assert converse(command, said.removesuffix(b"\n")) == (0, pongs)
    assert converse(command, b"") == (0, [])


def test_slow_requests_before_the_end_of_input_are_answered_too(command):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connect = request("connect", params_for(silent), number=1)
        said = encoded(connect, request("disconnect", number=2), request("ping", number=3))
        status, answers = converse(command, said)
    assert (status, sorted(each["id"] for each in answers)) == (0, [1, 2, 3])


async def test_the_end_of_input_ends_it_with_0_in_time(command):
    async with SidecarClient(command) as sidecar:
        assert await sidecar.request("ping") == "pong"
        sidecar.close_stdin()
        assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0


@pytest.mark.parametrize("name", SIGNALS)
async def test_a_signal_ends_it_with_0_in_time_while_stdin_is_open(command, name):
    async with SidecarClient(command) as sidecar:
        assert await sidecar.request("ping") == "pong"
        os.kill(sidecar.pid, signal.Signals[name])
        assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0


async def test_shutdown_is_answered_and_ends_it_with_0_in_time_while_stdin_is_open(command):
    async with SidecarClient(command) as sidecar:
        assert await sidecar.request("shutdown") is None
        assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0


async def test_asked_to_end_in_every_way_at_once_it_ends_once_with_0(command):
    async with SidecarClient(command) as sidecar:
        assert await sidecar.request("ping") == "pong"
        await sidecar.send_raw(encoded(request("shutdown"), request("shutdown", number=2)))
        for name in SIGNALS * 3:
            sidecar.signal_group(name)
        sidecar.close_stdin()
        assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0


async def test_what_follows_shutdown_in_the_same_breath_is_answered_once_each(command):
    connect = request("connect", {"room": "room"}, number=4)
    async with SidecarClient(command) as sidecar:
        await sidecar.send_raw(
            encoded(request("shutdown", number=2), request("ping", number=3), connect)
        )
        assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0
        answers = [strictly(line) for line in sidecar.lines]
    by_number = {each["id"]: each for each in answers if "id" in each}
    assert len(by_number) == len([each for each in answers if "id" in each]) == 3
    assert (by_number[2], by_number[3]) == (result(None, 2), result("pong", 3))
    assert by_number[4]["error"]["code"] == 1005


async def test_a_connect_in_flight_delays_nothing_and_is_answered_at_shutdown(command):
    """A server that accepts and never answers; a `connect` to it is decided after 15 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with SidecarClient(command) as sidecar:
            await sidecar.send_raw(encoded(request("connect", params_for(silent), number=900)))
            await sidecar.notified("agent-state-changed", lambda p: p["state"] == "connecting")
            silent.settimeout(ANSWERS_WITHIN_S)
            connection, _ = silent.accept()
            with connection:
                assert await sidecar.request("ping") == "pong"
                assert (await sidecar.call("getStatus"))["state"] == "connecting"
                assert await sidecar.request("shutdown") is None
                assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0
    (answer,) = [strictly(line) for line in sidecar.strays]
    assert (answer["id"], answer["error"]["code"]) == (900, 1005)


@pytest.mark.parametrize("end", ["shutdown", "the end of stdin", "SIGTERM"])
async def test_requests_that_are_open_at_the_end_are_answered_once_with_1005_in_time(command, end):
    """`diagnose` waits 5 s for a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with SidecarClient(command) as sidecar:
            connect = request("connect", params_for(silent), number=900)
            await sidecar.send_raw(encoded(connect))
            await sidecar.notified("agent-state-changed", lambda p: p["state"] == "connecting")
            slow = [request("diagnose", number=number) for number in (901, 902, 903)]
            ping = request("ping", number=904)
            unanswered = {"jsonrpc": "2.0", "method": "diagnose"}
            await sidecar.send_raw(encoded(slow[0], [slow[1], ping, unanswered], slow[2]))
            assert await sidecar.request("ping") == "pong"
            if end == "shutdown":
                assert await sidecar.request("shutdown") is None
            elif end == "SIGTERM":
                os.kill(sidecar.pid, signal.SIGTERM)
            else:
                sidecar.close_stdin()
            assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0
    answers = [strictly(line) for line in sidecar.strays]
    (batch,) = (each for each in answers if isinstance(each, list))
    alone = {each["id"]: each["error"]["code"] for each in answers if not isinstance(each, list)}
    assert (alone, len(answers)) == ({900: 1005, 901: 1005, 903: 1005}, 4)
    assert [(each["id"], each.get("error", {}).get("code")) for each in batch] == [
        (902, 1005),
        (904, None),
    ]


PARENT = """
import os, subprocess, sys
sidecar = subprocess.Popen(
    sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[int(sys.argv[1])]
)
sidecar.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\\n')
sidecar.stdin.flush()
sidecar.stdout.readline()
print(sidecar.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pass_fds")
def test_a_sidecar_whose_parent_was_killed_is_gone_in_time(command):
    """Its proof of life is a pipe of which it alone still holds the other end."""
    alive, held = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(held), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[held],
    )
    os.close(held)
    try:
        assert int(parent.stdout.readline()) > 0
        parent.kill()
        readable, _, _ = select.select([alive], [], [], ENDS_WITHIN_S)
        assert readable == [alive], "the sidecar outlived its parent"
        assert os.read(alive, 1) == b""
    finally:
        parent.communicate()
        os.close(alive)


async def test_it_ends_with_0_in_time_when_the_process_named_as_its_parent_is_gone(command):
    """Its pipes may be held open by a process that the dead parent had started."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "input()", stdin=subprocess.PIPE
    )
    async with SidecarClient(command) as sidecar:
        await sidecar.call("initialize", {"protocolVersion": 1, "parentPid": parent.pid})
        parent.kill()
        await parent.wait()
        assert await sidecar.wait(timeout_s=ENDS_WITHIN_S) == 0


async def test_a_parent_pid_that_nobody_has_is_said_and_the_sidecar_stays(command):
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    async with SidecarClient(command) as sidecar:
        await sidecar.call("initialize", {"protocolVersion": 1, "parentPid": gone.pid})
        assert str(gone.pid) in await sidecar.logged("No process")
        assert await sidecar.request("ping") == "pong"


async def test_a_line_over_the_limit_is_refused_and_serving_goes_on(command):
    async with SidecarClient(command) as sidecar:
        await sidecar.send_raw(b"x" * 20_000_000 + b"\n")
        assert await sidecar.request("ping") == "pong"
        (answer,) = [strictly(line) for line in sidecar.strays]
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    assert answer["error"]["data"]["fix"]


async def test_a_line_of_exactly_the_limit_is_served(command):
    frame = b'{"jsonrpc":"2.0","id":"","method":"ping"}'
    long_id = b"A" * (MAX_LINE_BYTES - len(frame))
    async with SidecarClient(command) as sidecar:
        await sidecar.send_raw(frame.replace(b'""', b'"' + long_id + b'"') + b"\r\n")
        assert await sidecar.request("ping") == "pong"
        (answer,) = [strictly(line) for line in sidecar.strays]
    assert answer == result("pong", long_id.decode())


async def test_lines_that_are_no_requests_are_answered_and_serving_goes_on(command):
    async with SidecarClient(command) as sidecar:
        await sidecar.send_raw(b"\xff\xfe\n\n  \n\r\nnot json\n[]\n\x00\n")
        assert await sidecar.request("ping") == "pong"
        answers = [strictly(line) for line in sidecar.strays]
    assert answers == [PARSE_ERROR, PARSE_ERROR, INVALID_REQUEST, PARSE_ERROR]


def test_what_stands_beside_a_line_that_nests_deep_is_answered(command):
    """One line, whatever it holds, costs its neighbours in the same chunk nothing."""
    nested = "[" * 1010 + "]" * 1010
    deep = f'{{"jsonrpc":"2.0","id":{2**64},"method":"ping","params":{{"a":{nested}}}}}\n'
    status, answers = converse(command, deep.encode() + encoded(request("ping", number=77)))
    assert (status, len(answers), answers[-1]) == (0, 2, result("pong", 77))


async def test_a_batch_of_huge_ids_does_not_hold_the_loop_until_the_watchdog_ends_it(command):
    """1,000 members in 16 MiB: each id is made exact again, at a cost that does not multiply."""
    member = f'{{"jsonrpc":"2.0","id":{2**64},"method":"ping"}}'
    padding = "0" * (MAX_LINE_BYTES - 1000 * (len(member) + 1))
    batch = "[" + ",".join([member] * 999 + [f'"{padding}"']) + "]\n"
    async with SidecarClient(command) as sidecar:
        await sidecar.send_raw(batch.encode())
        assert await sidecar.request("ping", timeout_s=ANSWERS_WITHIN_S) == "pong"
        while not sidecar.strays:  # on a busy machine, the batch takes more than one turn
            await sidecar.request("ping", timeout_s=ANSWERS_WITHIN_S)
        (answers,) = [strictly(line) for line in sidecar.strays]
    assert answers == [result("pong", 2**64)] * 999 + [INVALID_REQUEST]


async def test_unknown_methods_and_methods_that_begin_with_rpc_are_not_found(command):
    async with SidecarClient(command) as sidecar:
        for method in ("foobar", "rpc.foobar", "", "__init__", "getstatus"):
            with pytest.raises(RpcError) as failure:
                await sidecar.request(method)
            assert failure.value.code == -32601
