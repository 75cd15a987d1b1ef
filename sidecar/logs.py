"""Owns stderr: log records as whole lines of UTF-8, in text or JSON, without secrets.

A thread of its own writes them, so that a parent that does not read never stops the loop. Does not
know what is logged, nor by whom.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]

MAX_WAITING_BYTES = 4 * 1024 * 1024
MAX_MESSAGE_CHARS = 8_192
MAX_SECRETS = 64
"""Each is looked for in every line. A process has two or three, and a newer token now and then."""

_OWN_LOGGER = "sidecar"
_TOKEN = re.compile(r"eyJ[\w-]{4,}(?:\.[\w-]*){0,2}")
"""A JSON web token, or what is left of one that was cut: all begin with `{"` in base64."""
_CREDENTIAL = re.compile(r"(?i)((?:access_token|token|secret)=|bearer )[^\s&\"',]+")
_USERINFO = re.compile(r"(?<=://)[^\s/@]+(?=@)")
"""The SDK's native layer logs the proxy it uses, password and all."""
_KEPT_CHARS = 12
"""The SDK cuts long texts, so a secret is known by its beginning."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Line ends of any kind, terminal escapes, and what turns the reading direction."""


class Redactor:
    """Takes secrets out of texts: those it was told, and whatever looks like a token."""

    def __init__(self) -> None:
        """Start with the looks alone."""
        self._known: tuple[re.Pattern[str], ...] = ()
        self._secrets: dict[str, re.Pattern[str]] = {}

    def protect(self, secrets: Iterable[str]) -> None:
        """Keep *secrets*, and what begins like them, out of every text from now on.

        Of all that were ever given, the newest MAX_SECRETS are known.
        """
        for secret in secrets:
            if secret:
                known = self._secrets.pop(secret) if secret in self._secrets else _pattern(secret)
                self._secrets[secret] = known
        for oldest in list(self._secrets)[:-MAX_SECRETS]:
            del self._secrets[oldest]
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._known = tuple(self._secrets[each] for each in longest_first)

    def __call__(self, text: str) -> str:
        """*text* with `[secret]` or `[token]` in the place of each."""
        for pattern in self._known:
            text = pattern.sub("[secret]", text)
        text = _TOKEN.sub("[token]", text)
        text = _USERINFO.sub("[secret]", text)
        return _CREDENTIAL.sub(r"\1[secret]", text)


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
            lines = [self._line(_remark(f"A log record of {record.name} could not be formatted."))]
        with self._changed:
            for line in lines:
                self._waiting.append(line)
                self._waiting_bytes += len(line)
            while self._waiting_bytes > MAX_WAITING_BYTES:
                self._waiting_bytes -= len(self._waiting.popleft())
                self._dropped += 1
            self._changed.notify()

    def finish(self, timeout_s: float) -> None:
        """Write what is queued; gives up after *timeout_s*."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _lines(self, record: logging.LogRecord) -> list[bytes]:
        message = record.getMessage()
        if not record.name.startswith(_OWN_LOGGER):
            message = f"[{record.name.partition('.')[0]}] {message}"
        texts = [message]
        if record.exc_info:
            texts += (
                (self.formatter or logging.Formatter())
                .formatException(record.exc_info)
                .splitlines()
            )
        return [self._line(record, text) for text in texts]

    def _line(self, record: logging.LogRecord, text: str | None = None) -> bytes:
        text = record.getMessage() if text is None else text
        clean = _CONTROL.sub(_escaped, self._redactor(text))
        if len(clean) > MAX_MESSAGE_CHARS:
            clean = clean[:MAX_MESSAGE_CHARS] + "…"
        if self._form == "json":
            clean = json.dumps(
                {
                    "time": _iso(record.created),
                    "level": record.levelname.lower(),
                    "logger": record.name,
                    "message": clean,
                },
                ensure_ascii=False,
            )
        return clean.encode("utf-8", "backslashreplace") + b"\n"

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
                line = (
                    self._line(_remark(f"{dropped} log lines were dropped: nobody read them."))
                    + line
                )
            if not _write(self._fd, line):
                return


def set_up(level: str, form: Format, redactor: Redactor) -> LineHandler:
    """Send all logging of the process to stderr from now on."""
    handler = LineHandler(redactor, form)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    own = logging.getLogger(_OWN_LOGGER)
    own.setLevel(level.upper())
    # Others talk to developers: the SDK reports its own retries as errors, and the root logger
    # each topic that a participant made up.
    root.setLevel(own.level if own.level == logging.DEBUG else max(own.level, logging.WARNING))
    logging.captureWarnings(True)
    return handler


def _remark(text: str) -> logging.LogRecord:
    return logging.LogRecord("sidecar.logs", logging.WARNING, "", 0, text, None, None)


def _pattern(secret: str) -> re.Pattern[str]:
    whole = re.escape(secret)
    if len(secret) <= _KEPT_CHARS:
        return re.compile(whole)
    return re.compile(whole + "|" + re.escape(secret[:_KEPT_CHARS]) + r"[^\s\"',&]*")


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
