"""The watch over the parent: its end is told once, and at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from sidecar.rpc.parent import watch_parent

TOLD_WITHIN_S = 3.0
"""The sidecar promises to be gone this soon after its parent."""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_the_end_of_the_process_is_told(parent):
    gone = threading.Event()
    assert watch_parent(parent.pid, gone.set)
    assert not gone.is_set()
    parent.kill()
    parent.wait()
    assert gone.wait(TOLD_WITHIN_S)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this Python cannot hold a process")
def test_a_dead_parent_whose_own_parent_does_not_look_counts_as_gone(parent):
    """As a zombie it keeps its pid, so that a look for the pid finds it for ever."""
    gone = threading.Event()
    assert watch_parent(parent.pid, gone.set)
    parent.kill()
    assert gone.wait(TOLD_WITHIN_S)
    assert parent.returncode is None


@pytest.mark.parametrize("pid", [2**31 - 1, 2**32 - 1])
def test_a_pid_that_no_process_has_is_not_watched(pid):
    assert not watch_parent(pid, pytest.fail)
