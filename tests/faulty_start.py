"""A sidecar with a bug in it: `python -m tests.faulty_start connect`, `... stop` or `... hang`.

The bug is in what the composition is given: settings that cannot be read, or a log filter that
raises when the agent says that it is stopping, or hangs when it says that it is connecting.
"""

from __future__ import annotations

import logging
import sys
import threading

from sidecar.app import Start, run
from sidecar.core.config import Settings
from sidecar.logs import set_up
from sidecar.redaction import Redactor
from sidecar.rpc.stdio import claim


class UnreadableSettings(Settings):
    """Settings with a bug."""

    def __getattribute__(self, name: str) -> object:
        """Raise for the room."""
        if name == "room":
            raise ZeroDivisionError("a bug in the first connect")
        return super().__getattribute__(name)


def fails_at_stopping(record: logging.LogRecord) -> bool:
    """Let all records pass but one."""
    if "-> stopping" in record.getMessage():
        raise ZeroDivisionError("a bug in the end")
    return True


def hangs_at_connecting(record: logging.LogRecord) -> bool:
    """Let all records pass but one, and never go on after that one."""
    if "-> connecting" in record.getMessage():
        threading.Event().wait()
    return True


def main(bug: str) -> None:
    """Run until the end of input."""
    wire, redactor = claim(), Redactor()
    handler = set_up("debug", "text", redactor)
    is_first = bug == "connect"
    if not is_first:
        bugs = {"stop": fails_at_stopping, "hang": hangs_at_connecting}
        logging.getLogger("sidecar.agent").addFilter(bugs[bug])
    settings = UnreadableSettings() if is_first else Settings()
    run(Start(wire, handler, redactor, settings, connects=is_first))


if __name__ == "__main__":
    main(sys.argv[1])
