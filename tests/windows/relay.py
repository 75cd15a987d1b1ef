"""Run by Windows' Python: starts a program with pipes that Windows made, and passes all on.

Owns the three copies. Node and Electron refuse a Linux pipe under Wine (EBADF); Python takes it.
`relay.py [--port N] program arguments ...`; its status is the program's. With a port of this
machine, stdin and stdout are a connection to it: the standard streams are a console then
(in_console.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

CHUNK_BYTES = 65_536
LAST_WORDS_S = 3.0
"""For what the pipes still hold when the program has ended."""

Read = Callable[[int], bytes]
Write = Callable[[bytes], None]


def reads(fd: int) -> Read:
    """Give the way to read from an fd."""
    return lambda size: os.read(fd, size)


def writes(fd: int) -> Write:
    """Give the way to write all of something to an fd."""

    def write(chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(fd, rest) :]

    return write


def copy(read: Read, write: Write) -> None:
    """Write all that can be read."""
    with contextlib.suppress(OSError):
        while chunk := read(CHUNK_BYTES):
            write(chunk)


def streams(port: str | None) -> tuple[Read, Write]:
    """Give the ways in and out."""
    if port is None:
        return reads(0), writes(1)
    connection = socket.create_connection(("127.0.0.1", int(port)))
    signal.signal(signal.SIGINT, lambda *_: None)  # a Ctrl-C is for the program
    return connection.recv, connection.sendall


def main(arguments: list[str]) -> int:
    """Run it to its end."""
    has_port = arguments[0] == "--port"
    port, command = (arguments[1], arguments[2:]) if has_port else (None, arguments)
    read, write = streams(port)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as program:
        assert program.stdin
        assert program.stdout
        assert program.stderr

        def give(stdin: int) -> None:
            copy(read, writes(stdin))
            with contextlib.suppress(OSError):
                os.close(stdin)

        stdin = os.dup(program.stdin.fileno())
        program.stdin.close()
        threading.Thread(target=give, args=(stdin,), daemon=True).start()
        said = [
            threading.Thread(target=copy, args=(reads(stream.fileno()), out), daemon=True)
            for stream, out in ((program.stdout, write), (program.stderr, writes(2)))
        ]
        for each in said:
            each.start()
        status = program.wait()
        for each in said:
            each.join(LAST_WORDS_S)
        os._exit(status & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1:])
