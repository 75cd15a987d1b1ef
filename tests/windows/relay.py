"""Run by Windows' Python: starts a program with pipes that Windows made, and passes all on.

Owns the three copies. Node and Electron refuse a Linux pipe under Wine (EBADF); Python takes it.
`relay.py program arguments ...`; its status is the program's.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

CHUNK_BYTES = 65_536
LAST_WORDS_S = 3.0
"""For what the pipes still hold when the program has ended."""


def copy(source: int, target: int) -> None:
    """Write to *target* all that *source* gives."""
    with contextlib.suppress(OSError):
        while chunk := os.read(source, CHUNK_BYTES):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(target, rest) :]


def main(command: list[str]) -> int:
    """Run it to its end."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as program:
        assert program.stdin
        assert program.stdout
        assert program.stderr

        def give(stdin: int) -> None:
            copy(0, stdin)
            with contextlib.suppress(OSError):
                os.close(stdin)

        stdin = os.dup(program.stdin.fileno())
        program.stdin.close()
        threading.Thread(target=give, args=(stdin,), daemon=True).start()
        said = [
            threading.Thread(target=copy, args=(stream.fileno(), fd), daemon=True)
            for stream, fd in ((program.stdout, 1), (program.stderr, 2))
        ]
        for each in said:
            each.start()
        status = program.wait()
        for each in said:
            each.join(LAST_WORDS_S)
        os._exit(status & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1:])
