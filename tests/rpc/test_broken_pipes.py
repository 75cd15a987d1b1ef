"""Pipes that are closed, full, or not read: what the sidecar does then, and what never happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from sidecar.dev.child import environment_without_livekit
from tests.rpc.peer import encoded, request, result, strictly
from tests.rpc.raw_sidecar import full_pipe, raw_sidecar

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell and pipes")

MEBIBYTE = 1024 * 1024


def started_with(command: list[str], redirection: str) -> list[str]:
    """Make the command that starts another with a descriptor closed."""
    return ["sh", "-c", f'exec "$0" "$@" {redirection}', *command]


def long_ping(number: int, size: int = MEBIBYTE) -> dict[str, object]:
    """Make a request whose answer takes as many bytes as its id."""
    return request("ping", number=f"{number} " + "x" * size)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "<&- >&-"])
def test_without_stdin_or_stdout_it_says_so_and_ends_with_2(sidecar_command, redirection):
    command = started_with([*sidecar_command, "--wait"], redirection)
    said = encoded(request("ping"))
    done = subprocess.run(command, input=said, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2
    assert (done.stdout, done.stderr.count(b"\n")) == (b"", 1)
    assert b"stdin and stdout must be open" in done.stderr


@pytest.mark.parametrize("redirection", ["<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_with_nowhere_to_say_so_it_still_ends_with_2(sidecar_command, redirection):
    command = started_with([*sidecar_command, "--wait"], redirection)
    done = subprocess.run(command, input=b"", capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("option", ["--wait", "--log-level=debug"])
def test_a_closed_stderr_is_survived(sidecar_command, option):
    command = started_with([*sidecar_command, option], "2>&-")
    said = encoded(request("ping"), request("getStatus", number=2))
    done = subprocess.run(command, input=said, capture_output=True, timeout=30, check=False)
    answers = [strictly(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [each.get("id") for each in answers if "id" in each] == [1, 2]


def test_with_stderr_closed_no_log_line_goes_to_the_parent_in_its_place(sidecar_command):
    """Node's pipes are sockets, which take what is written to the wrong end.

    The first free descriptor is then 2: that must not become the wire's.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            started_with([*sidecar_command, "--log-level=debug"], "2>&-"),
            stdin=theirs,
            stdout=subprocess.PIPE,
            env=environment_without_livekit(),
        )
        theirs.close()
        ours.sendall(encoded(request("ping"), request("shutdown", number=2)))
        said, _ = process.communicate(timeout=30)
        ours.setblocking(False)
        assert ours.recv(65_536) == b""
    assert process.returncode == 0
    assert strictly(said.splitlines()[0]) == result("pong")


def test_a_stderr_whose_reader_is_gone_is_survived(sidecar_command):
    reading, writing = os.pipe()
    os.close(reading)
    with raw_sidecar([*sidecar_command, "--log-level=debug"], stderr=writing) as sidecar:
        sidecar.write(encoded(request("ping")))
        assert strictly(sidecar.read_lines(1)[0]) == result("pong")
        sidecar.close_stdin()
        assert sidecar.wait() == 0


def test_a_stderr_that_nobody_reads_never_holds_an_answer_or_the_end(sidecar_command):
    """Its first line ("Not configured") finds the pipe full already."""
    with (
        full_pipe() as (_, writing),
        raw_sidecar([*sidecar_command, "--log-level=debug"], stderr=writing) as sidecar,
    ):
        sidecar.write(encoded(*(request("ping", number=number) for number in range(50))))
        assert [strictly(line)["id"] for line in sidecar.read_lines(50)] == list(range(50))
        sidecar.close_stdin()
        assert sidecar.wait() == 0


def test_log_lines_that_waited_for_a_reader_come_whole(sidecar_command):
    with (
        full_pipe() as (reading, writing),
        raw_sidecar([*sidecar_command], stderr=writing) as sidecar,
    ):
        sidecar.write(encoded(request("ping")))
        sidecar.read_lines(1)
        text = b""
        while not text.lstrip(b".").endswith(b"\n"):
            text += os.read(reading, 65_536)
        assert text.lstrip(b".").startswith(b"Not configured: ")


@pytest.mark.parametrize("way", ["end of input", "SIGTERM"])
def test_a_stdout_that_nobody_reads_does_not_hold_the_end(sidecar_command, way):
    with (
        full_pipe() as (_, writing),
        raw_sidecar([*sidecar_command, "--wait"], stdout=writing) as sidecar,
    ):
        # The loop runs once it has taken more than a pipe and its reader's thread hold.
        sidecar.write(encoded(*(long_ping(number) for number in range(3))))
        if way == "SIGTERM":
            sidecar.process.send_signal(signal.SIGTERM)
        else:
            sidecar.close_stdin()
        assert sidecar.wait() == 0


def test_a_stdout_whose_reader_is_gone_ends_it_with_0(sidecar_command):
    """The parent is dead when its end of a pipe is closed, stdin still open or not."""
    reading, writing = os.pipe()
    with raw_sidecar([*sidecar_command, "--wait"], stdout=writing) as sidecar:
        sidecar.write(encoded(request("ping")))
        assert strictly(sidecar.read_lines(1, reading)[0]) == result("pong")
        os.close(reading)
        sidecar.write(encoded(request("ping", number=2)))
        assert sidecar.wait() == 0


def test_a_parent_that_stops_reading_for_a_while_loses_nothing_and_no_order(sidecar_command):
    with raw_sidecar([*sidecar_command, "--wait"]) as sidecar:
        said = [long_ping(number) for number in range(30)]
        sidecar.write(encoded(*said))  # taken whole, though not one answer is read yet
        answers = [strictly(line) for line in sidecar.read_lines(30)]
        assert answers == [result("pong", each["id"]) for each in said]
        sidecar.close_stdin()
        assert sidecar.wait() == 0


def test_answers_that_wait_at_the_end_of_input_are_written_first(sidecar_command):
    with raw_sidecar([*sidecar_command, "--wait"]) as sidecar:
        said = [long_ping(number) for number in range(8)]
        sidecar.write(encoded(*said))
        sidecar.close_stdin()
        answers = [strictly(line) for line in sidecar.read_lines(9)]
        assert [each["id"] for each in answers if "id" in each] == [each["id"] for each in said]
        assert sidecar.wait() == 0


def test_over_64_mib_unread_it_says_so_and_ends_with_70(sidecar_command):
    with raw_sidecar([*sidecar_command, "--wait"]) as sidecar:
        said = encoded(*(long_ping(number, 15 * MEBIBYTE) for number in range(6)))
        with pytest.raises(BrokenPipeError):
            sidecar.write(said + encoded(*(long_ping(number) for number in range(9))))
        assert sidecar.wait() == 70
        (line,) = sidecar.stderr_text().splitlines()
    assert "The parent does not read stdout" in line


CHATTY = """
import os, sys
class Chatty:
    def find_spec(self, name, path=None, target=None):
        if name == "sidecar.app":
            print("a stray print", flush=True)
            os.system("echo a stray child")
sys.meta_path.insert(0, Chatty())
"""


def test_a_module_that_prints_while_it_is_imported_does_not_reach_the_wire(
    source_command, tmp_path
):
    """The whole program, with a stray print in the middle of its imports."""
    (tmp_path / "sitecustomize.py").write_text(CHATTY)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {"PYTHONPATH": path}
    with raw_sidecar([*source_command, "--wait"], env=env) as sidecar:
        sidecar.write(encoded(request("ping")))
        assert strictly(sidecar.read_lines(1)[0]) == result("pong")
        sidecar.close_stdin()
        assert sidecar.wait() == 0
        assert sidecar.stderr_text().splitlines() == ["a stray print", "a stray child"]
