"""A copy of the repository in which one file at a time is changed and the tests are run.

Owns the programs that run there: a command ends at its first failure or at its time limit, and
nothing that it started outlives it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.repository import ROOT, repository_files

FAILED = re.compile(r"\s*not ok ")
"""A line of TAP: a test of Node failed. pytest itself ends at the first failure (`-x`)."""
SLOWEST = 8.0
"""How many times as long as without a change the tests may take: a machine can become busy."""
SHORTEST_LIMIT_S = 90.0
"""More than a test of Node waits for what does not happen: 20 s, a few of them 60 s."""


class Copy:
    """All files of the repository below *folder*, which is the caller's to delete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for each in repository_files():
            target = folder / each.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(each, target)

    def write(self, path: str, source: bytes) -> None:
        """Replace the file *path*."""
        (self._folder / path).write_bytes(source)

    def measured(self, commands: Sequence[Sequence[str]]) -> list[float] | None:
        """Run the commands; the time limit of each in seconds, None if one fails twice."""
        limits: list[float] = []
        for command in commands:
            began = time.monotonic()
            if not self.passes(command, None) and not self.passes(command, None):
                return None
            limits.append(max(SHORTEST_LIMIT_S, SLOWEST * (time.monotonic() - began)))
        return limits

    def passes(self, command: Sequence[str], limit_s: float | None) -> bool:
        """Run *command*; False at its first failure, and when it has not ended after *limit_s*."""
        # Without shrinking: that a law is broken is enough.
        environment = {"HYPOTHESIS_PROFILE": "mutants", "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(
            command,
            cwd=self._folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as running:
            watch = threading.Timer(limit_s or threading.TIMEOUT_MAX, self._end_all)
            watch.daemon = True
            watch.start()
            try:
                assert running.stdout is not None
                has_failed = any(FAILED.match(line) for line in running.stdout)
            finally:
                watch.cancel()
                self._end_all()
        return not has_failed and running.returncode == 0

    def _end_all(self) -> None:
        """Kill what runs in the copy: a sidecar of a test leads a group of its own."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink().is_relative_to(self._folder):
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue  # it is another user's, or gone
