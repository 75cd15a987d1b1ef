"""Owns stderr: writes each log record as redacted, whole lines of UTF-8, in text or JSON.

A separate thread writes, so that the loop goes on when the parent does not read stderr. Does not
know the modules that log.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import threading
import warnings
from collections import deque
from datetime import UTC, datetime
from typing import Literal

from sidecar.redaction import Redactor

Format = Literal["text", "json"]

MAX_WAITING_BYTES = 4 * 1024 * 1024
WRITE_BYTES = 65_536
"""Waiting lines of up to so many bytes are written at once: each write waits for the loop's turn to
end."""
MAX_MESSAGE_CHARS = 8_192
CAUSE = "cause"
"""The key for the cause of a record: `log.critical(SENTENCE, extra={CAUSE: text})`.

The text format writes SENTENCE and the cause as two lines, with no other record between them. JSON
writes one line with the member `cause`. SENTENCE must be a constant: it is not redacted. The cause
is redacted."""

_OWN_LOGGER = "sidecar"
_FOR_DEVELOPERS = ("livekit", "py.warnings")
"""Loggers that are shown only at level debug. The SDK reports each of its retries as an error; the
agent itself logs why a join failed. A panic of the native library does not go through logging."""
_to_json = json.JSONEncoder(ensure_ascii=False).encode
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Line ends of any kind, terminal escapes, and characters that change the reading direction."""


class LineHandler(logging.Handler):
    """Writes each record to *fd* as whole lines, on its own thread. Logging never blocks."""

    def __init__(self, redactor: Redactor, form: Format, fd: int = 2) -> None:
        """Start the thread. Call `finish` before the process ends.

        *form*: `text` writes the message only; `json` adds the time, the level and the logger.
        """
        super().__init__()
        self._redactor = redactor
        self._form = form
        self._fd = fd
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue *record*. Drops the oldest lines while more than MAX_WAITING_BYTES wait."""
        try:
            lines = self._lines(record)
        except Exception:
            # logging's own handling would print the message and its arguments without redaction.
            lines = self._lines(_remark(f"A log record of {record.name} could not be formatted."))
        with self._changed:
            self._waiting.append(lines)
            self._waiting_bytes += len(lines)
            while self._waiting_bytes > MAX_WAITING_BYTES:
                oldest = self._waiting.popleft()
                self._waiting_bytes -= len(oldest)
                self._dropped += oldest.count(b"\n")
            self._changed.notify()

    def finish(self, timeout_s: float) -> None:
        """Write all queued lines and stop the thread; wait *timeout_s* at most."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _lines(self, record: logging.LogRecord) -> bytes:
        message = record.getMessage()
        cause = getattr(record, CAUSE, None)
        if not record.name.startswith(_OWN_LOGGER):
            message = f"[{record.name.partition('.')[0]}] {message}"
        if cause is None:
            message = self._redactor(message)
        else:
            cause = self._clean(self._redactor(cause))
        lines = [self._line(record, self._clean(message), cause)]
        if record.exc_info:
            formatter = self.formatter or logging.Formatter()
            traceback = formatter.formatException(record.exc_info).splitlines()
            lines += [self._line(record, self._clean(self._redactor(t)), None) for t in traceback]
        return b"".join(lines)

    def _clean(self, text: str) -> str:
        clean = escaped(text)
        return clean if len(clean) <= MAX_MESSAGE_CHARS else clean[:MAX_MESSAGE_CHARS] + "…"

    def _line(self, record: logging.LogRecord, message: str, cause: str | None) -> bytes:
        if self._form == "json":
            members = {
                "time": _iso(record.created),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": message,
            }
            if cause is not None:
                members["cause"] = cause
            line = _to_json(members)
        else:
            line = message if cause is None else f"{message}\n{cause}"
        return line.encode("utf-8", "backslashreplace") + b"\n"

    def _run(self) -> None:
        is_torn = False
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                line = self._waiting.popleft()
                while self._waiting and len(line) + len(self._waiting[0]) <= WRITE_BYTES:
                    line += self._waiting.popleft()
                self._waiting_bytes -= len(line)
                dropped, self._dropped = self._dropped, 0
            if dropped:
                remark = f"{dropped} log lines were dropped: stderr did not take them."
                line = self._lines(_remark(remark)) + line
            if is_torn:
                line = b"\n" + line
            try:
                taken = _write(self._fd, line)
            except OSError:  # nobody can read stderr any more
                return
            # A disk that is full now takes later lines, once there is room again.
            is_torn = taken > 0 and not line[:taken].endswith(b"\n") or (is_torn and not taken)
            if taken < len(line):
                with self._changed:
                    self._dropped += dropped + line[taken:].count(b"\n") - bool(dropped)


def set_up(level: str, form: Format, redactor: Redactor) -> LineHandler:
    """Send all logging of the process to stderr from now on.

    *level* is the least severe level to show, in lower case. Call `finish` of the returned handler
    before the process ends.
    """
    handler = LineHandler(redactor, form)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    own = logging.getLogger(_OWN_LOGGER)
    own.setLevel(level.upper())
    # No line shows where it was logged, so a record need not find it out (logging's HOWTO).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    is_debug = own.level == logging.DEBUG
    # The SDK logs a line to the root logger for each topic that a participant invents.
    root.setLevel(logging.DEBUG if is_debug else max(own.level, logging.WARNING))
    for name in _FOR_DEVELOPERS:
        logging.getLogger(name).setLevel(logging.NOTSET if is_debug else logging.CRITICAL + 1)
    warnings.formatwarning = _warning
    logging.captureWarnings(True)
    return handler


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    return f"{category.__name__}: {message} ({filename}:{lineno})"


def _remark(text: str) -> logging.LogRecord:
    return logging.LogRecord("sidecar.logs", logging.WARNING, "", 0, text, None, None)


def escaped(text: str) -> str:
    """Return *text* as one line: its control characters and line ends are written as `\\x1b`."""
    return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _iso(created_s: float) -> str:
    moment = datetime.fromtimestamp(created_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(fd: int, line: bytes) -> int:
    """Write *line*; return how many bytes *fd* took before its disk was full.

    Raises:
        OSError: *fd* takes nothing ever again: its reader is gone.
    """
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            threading.Event().wait(0.01)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
                break
            raise
    return len(line) - len(rest)
