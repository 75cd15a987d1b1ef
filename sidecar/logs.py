"""Owns stderr: log records as whole lines of UTF-8, in text or JSON, redacted.

A thread of its own writes them, so that a parent that does not read never stops the loop. Does not
know what is logged, nor by whom.
"""

from __future__ import annotations

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
MAX_MESSAGE_CHARS = 8_192
CAUSE = "cause"
"""`log.critical(SENTENCE, extra={CAUSE: text})`: one record of two lines, written at once. SENTENCE
is a constant and goes out word for word, without redaction; the cause is redacted. As JSON it is
one line, with `cause` as a member."""

_OWN_LOGGER = "sidecar"
_FOR_DEVELOPERS = ("livekit", "py.warnings")
"""Logged at debug alone. The SDK reports each of its own retries as an error, and the agent says
why a join failed. A panic of the native library does not pass through logging."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Line ends of any kind, terminal escapes, and what turns the reading direction."""


class LineHandler(logging.Handler):
    """Writes each record to fd 2 as whole lines; never blocks who logs."""

    def __init__(self, redactor: Redactor, form: Format, fd: int = 2) -> None:
        """*form*: `text` is the bare message, `json` has level, logger and time beside it."""
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
        """Queue *record*; its oldest companions go when nobody reads."""
        try:
            lines = self._lines(record)
        except Exception:
            # logging's own way out would print the message and its arguments, secrets and all.
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
        """Write what is queued; gives up after *timeout_s*."""
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
        clean = _CONTROL.sub(_escaped, text)
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
            line = json.dumps(members, ensure_ascii=False)
        else:
            line = message if cause is None else f"{message}\n{cause}"
        return line.encode("utf-8", "backslashreplace") + b"\n"

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                line = self._waiting.popleft()
                self._waiting_bytes -= len(line)
                dropped, self._dropped = self._dropped, 0
            if dropped:
                remark = f"{dropped} log lines were dropped: the parent did not read them."
                line = self._lines(_remark(remark)) + line
            if not _write(self._fd, line):
                return


def set_up(level: str, form: Format, redactor: Redactor) -> LineHandler:
    """Send all logging of the process to stderr from now on."""
    handler = LineHandler(redactor, form)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    own = logging.getLogger(_OWN_LOGGER)
    own.setLevel(level.upper())
    is_debug = own.level == logging.DEBUG
    # The root logger has a line for each topic that a participant made up.
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


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _iso(created_s: float) -> str:
    moment = datetime.fromtimestamp(created_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(fd: int, line: bytes) -> bool:
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            threading.Event().wait(0.01)
        except OSError:
            return False
    return True
