"""A LineHandler on a pipe, and what it wrote."""

from __future__ import annotations

import logging
import os
import sys

from sidecar.logs import Format, LineHandler
from sidecar.redaction import Redactor


class Log:
    """A LineHandler on a pipe; `lines()` ends it and gives what was written."""

    def __init__(self, form: Format = "text", secrets: tuple[str, ...] = ()) -> None:
        self._reading, self._writing = os.pipe()
        self.redactor = Redactor()
        self.redactor.protect(secrets)
        self.handler = LineHandler(self.redactor, form, self._writing)

    def log(
        self,
        message: object,
        *args: object,
        level: int = logging.INFO,
        name: str = "sidecar.agent",
        extra: dict[str, str] | None = None,
    ) -> None:
        """Log as code does, with the exception that is being handled."""
        logger = logging.Logger(name)
        logger.addHandler(self.handler)
        logger.log(level, message, *args, extra=extra, exc_info=sys.exc_info()[0] is not None)

    def lines(self) -> list[str]:
        self.handler.finish(5)
        os.close(self._writing)
        with open(self._reading, "rb") as reading:
            text = reading.read().decode("utf-8")
        assert text == "" or text.endswith("\n")
        return text.split("\n")[:-1]
