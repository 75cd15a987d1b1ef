"""What the sidecar imports before its first answer: each start of an app waits for it."""

from __future__ import annotations

import json
import subprocess
import sys

from sidecar.dev.child import environment_without_livekit

REQUEST = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n'

NOT_BEFORE_THE_FIRST_ANSWER = {
    "aiohttp",  # the first call to the server imports it
    "attrs",
    "certifi",
    "dotenv",
    "google.protobuf",
    "http.server",
    "importlib.metadata",  # for the versions in `getStatus`
    "jsonrpcserver.main",
    "jsonschema",  # jsonrpc.py checks each Request object itself
    "livekit.api",
    "livekit.rtc",
    "multiprocessing",
    "numpy",
    "oslash.list",
    "sidecar.dev",
    "sidecar.voice",
    "tempfile",
    "truststore",
    "typing_extensions",
}
"""Modules that took time of each start, or would take much."""


def test_the_first_answer_waits_for_no_module_that_it_does_not_need():
    """Each import is written to stderr, up to the end of the process, which has joined no room."""
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
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "jsonrpcserver.dispatcher" in imported
    assert imported & NOT_BEFORE_THE_FIRST_ANSWER == set()


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
