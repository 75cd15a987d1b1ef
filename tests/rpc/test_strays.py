"""What a library writes to stdout goes to stderr and whole, also on Windows: never to the wire."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.repository import ROOT

CLAIMED = """
import os, subprocess, sys
from sidecar.rpc.stdio import claim
wire = claim()
print("a stray print", flush=True)
subprocess.run([sys.executable, "-c", "print('a stray child')"])
os.write(1, b"a stray native write\\n")
if sys.platform == "win32":
    import ctypes, msvcrt
    kernel32 = ctypes.WinDLL("kernel32")
    kernel32.GetStdHandle.restype = ctypes.c_void_p
    stdout = ctypes.c_void_p(kernel32.GetStdHandle(-11))
    kernel32.WriteFile(stdout, b"a stray handle\\n", 15, ctypes.byref(ctypes.c_ulong()), None)
assert sys.stdin.read() == ""
os.write(wire.write_fd, os.read(wire.read_fd, 100))
assert not os.get_inheritable(wire.read_fd) and not os.get_inheritable(wire.write_fd)
"""


def test_what_is_written_astray_lands_on_stderr_and_never_on_the_wire():
    done = subprocess.run(
        [sys.executable, "-c", CLAIMED],
        input=b"frame\n",
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"frame\n"
    stray = {b"a stray print", b"a stray child", b"a stray native write"}
    if sys.platform == "win32":
        stray.add(b"a stray handle")
    assert set(done.stderr.splitlines()) == stray


def test_what_a_library_prints_is_utf_8_whatever_the_encoding_of_the_streams_was():
    """On Windows it is cp1252 where the sidecar runs from source."""
    code = "from sidecar.rpc.stdio import claim; claim(); print('🎤')"
    env = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.rstrip().decode()) == (0, "🎤")
