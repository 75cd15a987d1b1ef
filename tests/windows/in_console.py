"""Runs a program of Windows in a console; a SIGINT to this process is a Ctrl-C there.

Owns the console, a pseudo-terminal that Wine takes for one when stdin and stdout are it. So what
the program reads and writes goes through relay.py and a connection.
`in_console.py loader python relay program arguments ...`; its status is the program's.
"""

from __future__ import annotations

import os
import pty
import signal
import socket
import sys
import threading

from tests.windows.relay import copy, reads, writes

CTRL_C = b"\x03"


def main(command: list[str]) -> int:
    """Run it to its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loader, python, relay, *program = command
        port = str(listener.getsockname()[1])
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(loader, [loader, python, relay, "--port", port, *program])  # noqa: S606
        signal.signal(signal.SIGINT, lambda *_: os.write(terminal, CTRL_C))
        threading.Thread(target=copy, args=(reads(terminal), writes(2)), daemon=True).start()
        connection, _ = listener.accept()

    def give() -> None:
        copy(reads(0), connection.sendall)
        connection.shutdown(socket.SHUT_WR)

    threading.Thread(target=give, daemon=True).start()
    told = threading.Thread(target=copy, args=(connection.recv, writes(1)), daemon=True)
    told.start()
    _, status = os.waitpid(pid, 0)
    told.join()
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
