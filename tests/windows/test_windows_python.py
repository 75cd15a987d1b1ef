"""The laws that need no process, in Windows' own Python."""

from __future__ import annotations

import pytest

from tests.windows.conftest import passed, run
from tests.windows.prepare import Windows

pytestmark = pytest.mark.full

IN_PROCESS = (
    "conformance framing hostile_input initialize methods openrpc order_of_answers outbox parent"
    " reader spec_examples strays"
).split()
"""Files of tests/rpc that start no sidecar."""

PYTEST = (
    "import os, sys, pytest;"
    " status = pytest.main(sys.argv[1:]);"
    " sys.stdout.flush();"
    " os._exit(status)"
)
"""Runs pytest, and ends without waiting for the threads of LiveKit's library.

Under Wine 8 a run that had passed hung at its end: Python's main thread was gone, and a thread of
the library stayed. Nothing that the library does after the last test is under test here.
"""


def test_the_laws_of_core_agent_and_rtc_hold(machine: Windows) -> None:
    said = run(
        machine,
        machine.run_python("-c", PYTEST, "-q", "tests/core", "tests/agent", "tests/rtc"),
    )
    assert passed(said) > 1300


def test_the_laws_of_the_wire_hold(machine: Windows) -> None:
    files = [f"tests/rpc/test_{name}.py" for name in IN_PROCESS]
    words = "not source and not frozen"
    said = run(machine, machine.run_python("-c", PYTEST, "-q", "-k", words, *files))
    assert passed(said) > 600
