"""What the sidecar imports before its first answer: each start of an app waits for it."""

from __future__ import annotations

import json
import subprocess
import sys

from sidecar.dev.child import environment_without_livekit

REQUEST = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n'

NEEDED_OF_THE_SIDECAR = {
    "sidecar",
    "sidecar.agent",
    "sidecar.agent.clock",
    "sidecar.app",
    "sidecar.cli",
    "sidecar.core",
    "sidecar.core.access_token",
    "sidecar.core.config",
    "sidecar.core.contract",
    "sidecar.core.contract.close_reasons",
    "sidecar.core.contract.errors",
    "sidecar.core.contract.failures",
    "sidecar.core.contract.messages",
    "sidecar.core.contract.protocol",
    "sidecar.core.contract.wire",
    "sidecar.core.facts",
    "sidecar.core.sound",
    "sidecar.core.values",
    "sidecar.ending",
    "sidecar.logs",
    "sidecar.memory",
    "sidecar.redaction",
    "sidecar.rpc",
    "sidecar.rpc.client_requests",
    "sidecar.rpc.dispatching",
    "sidecar.rpc.framing",
    "sidecar.rpc.jsonrpc",
    "sidecar.rpc.methods",
    "sidecar.rpc.openrpc",
    "sidecar.rpc.parent",
    "sidecar.rpc.stdio",
    "sidecar.tasks",
    "sidecar.watchdog",
}
"""The sidecar's own modules that the first answer waits for. A module more makes each start of an
app slower; so import it where it is used, or add it here and say why in its change."""

NEVER_BEFORE_THE_FIRST_ANSWER = {
    "aiohttp",
    "attrs",
    "certifi",
    "ctypes",
    "difflib",
    "dotenv",
    "google.protobuf",
    "hashlib",
    "http.server",
    "ipaddress",
    "importlib.metadata",
    "jsonrpcserver.main",
    "jsonschema",  # jsonrpc.py checks each Request object itself
    "livekit",
    "logging.config",
    "multiprocessing",
    "numpy",
    "pathlib",
    "shutil",
    "urllib.parse",
    "zipfile",
    "oslash.list",
    "random",
    "tempfile",
    "truststore",
    "typing_extensions",
}
"""Modules of others that took time of each start, or would take much."""

FIRST_OF_THE_REST = "sidecar.agent.agent"
"""The module that is imported first after the first answer."""


def before_the_first_answer(importtime: str) -> set[str]:
    """Return the modules in *importtime*, of `-X importtime`, before FIRST_OF_THE_REST and its own.

    A module's line comes after the lines of what it imports, which are indented further.
    """
    lines = [line.rpartition("|")[2] for line in importtime.splitlines() if "|" in line]
    depths = [len(line) - len(line.lstrip()) for line in lines]
    names = [line.strip() for line in lines]
    first = names.index(FIRST_OF_THE_REST)
    while depths[first - 1] > depths[names.index(FIRST_OF_THE_REST)]:
        first -= 1
    return set(names[:first])


def test_the_first_answer_waits_for_no_module_that_it_does_not_need():
    """Without the time that it takes: a module too many shows on each machine."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sidecar", "--wait"],
        input=REQUEST,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment_without_livekit(),
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[0])["result"]["pid"] > 0
    imported = before_the_first_answer(done.stderr)
    own = {name for name in imported if name.partition(".")[0] == "sidecar"}
    assert own == NEEDED_OF_THE_SIDECAR
    assert imported & NEVER_BEFORE_THE_FIRST_ANSWER == set()
    assert "jsonrpcserver.dispatcher" in imported


def test_a_later_import_of_jsonrpcserver_gives_the_whole_package_with_the_same_parts():
    script = """
import sys
from sidecar.rpc import dispatching
assert "jsonrpcserver" not in sys.modules and "oslash" not in sys.modules
import jsonrpcserver, oslash, typing, typing_extensions
assert jsonrpcserver.Success is dispatching.Success
assert oslash.Right is type(dispatching.Success(1))
assert typing_extensions is not typing
assert jsonrpcserver.dispatch('{"jsonrpc":"2.0","method":"m","id":1}', {"m": dispatching.Success})
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
