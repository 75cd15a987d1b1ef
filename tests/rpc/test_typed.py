"""What a person types at a terminal that is no JSON-RPC, and the line that is suggested."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from sidecar.core.contract.protocol import METHODS
from sidecar.rpc.typed import hint
from tests.started import ENDS_WITHIN_S, client, environment_without_livekit


def call(method: str, **params: object) -> dict[str, object]:
    """Give the request as it is suggested."""
    request: dict[str, object] = {"jsonrpc": "2.0", "id": 1, "method": method}
    return request | ({"params": params} if params else {})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("listSessions", call("listSessions")),
        ("listsessions", call("listSessions")),
        ("list", call("listSessions")),
        ('"ping"', call("ping")),
        ("pign", call("ping")),
        ("shutdown()", call("shutdown")),
        ("hello there", call("getStatus")),
        ("getSession", call("getSession", sessionId="...")),
        ("closeSession session_1_anna", call("closeSession", sessionId="session_1_anna")),
        ("initialize", call("initialize", protocolVersion=1)),
        ('{"method":"ping"}', call("ping")),
        (
            '{"method":"getSession","params":{"sessionId":"s"}}',
            call("getSession", sessionId="s"),
        ),
        ("{'jsonrpc': '2.0', 'id': 1}", call("getStatus")),
        ('{"jsonrpc":"2.0","id":1}', call("getStatus")),
        ("[]", call("getStatus")),
        ("12", call("getStatus")),
        ("\xff", call("getStatus")),
    ],
)
def test_the_shortest_request_that_was_probably_meant_is_suggested(typed, meant):
    assert json.loads(hint(typed.encode("latin-1"))) == meant


@pytest.mark.parametrize("method", METHODS)
def test_the_bare_name_of_each_method_suggests_that_method(method):
    assert json.loads(hint(method.encode()))["method"] == method


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"  \r",
        b'{"jsonrpc":"2.0","id":1,"method":"pign"}',
        b'{"jsonrpc":"2.0","id":1,"result":null}',
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
        b"x" * 5000,
    ],
)
def test_nothing_is_suggested_for_a_message_an_empty_line_or_what_nobody_types(line):
    assert hint(line) is None


@pytest.mark.skipif(sys.platform == "win32", reason="has no pseudo-terminal")
async def test_at_a_terminal_the_suggestion_is_on_stderr_and_the_answer_on_stdout(source_command):
    import pty

    terminal, typed_fd = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *source_command,
        "--wait",
        stdin=typed_fd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_without_livekit(),
    )
    os.close(typed_fd)
    try:
        async with asyncio.timeout(ENDS_WITHIN_S):
            os.write(terminal, b"listSessions\n")
            answer = json.loads(await process.stdout.readline())
            said = (await process.stderr.readline()).decode()
            assert answer["error"]["code"] == -32700
            assert said == 'try: {"jsonrpc":"2.0","id":1,"method":"listSessions"}\n'
            os.write(terminal, said.removeprefix("try: ").encode())
            assert json.loads(await process.stdout.readline())["result"]["sessions"] == []
            os.write(terminal, b"\x04")  # Ctrl-D
            await process.communicate()
        assert process.returncode == 0
    finally:
        os.close(terminal)


async def test_a_program_at_the_other_end_gets_the_error_alone(sidecar_command):
    async with client([*sidecar_command, "--wait"]) as sidecar:
        await sidecar.send_raw(b"listSessions\n")
        assert await sidecar.request("ping") == "pong"
    assert list(sidecar.stderr_lines) == []
    assert json.loads(sidecar.strays[0])["error"]["code"] == -32700
