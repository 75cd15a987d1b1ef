"""Lines to the sidecar's own process: no crash, no hang, each request answered exactly once.

Owns the case that counts lines: one process from the first line to the last, window by window.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence

from sidecar.core.contract.protocol import MAX_LINE_BYTES, NOTIFICATIONS
from tests.fuzz.answers import Answered, Unclear, answer_to, given, lines_of
from tests.fuzz.lines import Lines
from tests.fuzz.wire import Failed
from tests.rpc.raw_sidecar import RawSidecar, raw_sidecar

WINDOW = 2_000
"""Lines between two looks at the answers."""
WITHOUT = ("shutdown", "connect", "parentPid")
"""The first ends the process; the second leaves it for some server; the third ends it with another
process that has this number by chance."""
MOST_MB = 300
"""Of memory at the end: the SDK's native library takes 60."""
MARK = "mark"


class Process:
    """One sidecar, fed in windows."""

    def __init__(self, sidecar: RawSidecar, chance: random.Random) -> None:
        """Draw from *chance*."""
        self._sidecar = sidecar
        self._lines = Lines(chance, WITHOUT)
        self._awaited: Counter[Answered] = Counter()
        self._asked: dict[Answered, bytes] = {}
        self._unclear = 0
        self._windows = 0

    def window(self, count: int) -> None:
        """Write *count* lines and read all answers. Raises Failed, and TimeoutError for a hang."""
        self._windows += 1
        stream = self._lines.stream(count)
        mark = f"{MARK}-{self._windows}"
        request = {"jsonrpc": "2.0", "id": mark, "method": "ping"}
        stream += json.dumps(request).encode() + b"\n"
        for line in lines_of(stream, MAX_LINE_BYTES, has_ended=False):
            try:
                answer = answer_to(line)
            except Unclear:
                self._unclear += 1
                continue
            if answer is not None:
                self._awaited[answer] += 1
                self._asked[answer] = line
        writing = threading.Thread(target=self._sidecar.write, args=(stream,), daemon=True)
        writing.start()
        while self._awaited:
            try:
                self._take(self._sidecar.read_lines(1))
            except TimeoutError as error:
                missing = [f"{key}: {self._asked[key][:300]!r}" for key in list(self._awaited)[:3]]
                raise Failed(f"not answered: {missing}") from error
            if self._sidecar.process.poll() is not None:
                raise Failed(f"the sidecar ended with {self._sidecar.process.returncode}")
        writing.join()
        self._asked.clear()

    def _take(self, lines: list[bytes]) -> None:
        taken = list(lines)
        lines.clear()
        for line in taken:
            message = json.loads(line)
            if isinstance(message, dict) and "method" in message:
                if message["method"] not in {*NOTIFICATIONS.values(), "getToken", "resolveProxy"}:
                    raise Failed(f"an unknown notification: {line[:300]!r}")
                continue
            try:
                answer = given(line)
            except (ValueError, TypeError, AttributeError) as error:
                raise Failed(f"{error}: {line[:300]!r}") from error
            if self._awaited[answer] > 0:
                self._awaited[answer] -= 1
            elif self._unclear > 0:
                self._unclear -= 1
            else:
                raise Failed(f"an answer to what was not asked, or a second one: {line[:300]!r}")
            if self._awaited[answer] == 0:
                del self._awaited[answer]

    def memory_mb(self) -> float:
        """Ask for the resident memory."""
        request = {"jsonrpc": "2.0", "id": "memory", "method": "getStatus"}
        self._sidecar.write(json.dumps(request).encode() + b"\n")
        while True:
            for line in self._sidecar.read_lines(1):
                message = json.loads(line)
                if message.get("id") == "memory":
                    self._sidecar.lines.clear()
                    return float(message["result"]["rssBytes"]) / 1e6
            self._sidecar.lines.clear()


def run(seed: str, count: int, until_s: float, command: Sequence[str] | None = None) -> int:
    """Feed *count* lines, or as many as fit before *until_s* (monotonic); return how many.

    Raises:
        Failed: a request was not answered once, the process ended, logged a bug or grew.
    """
    command = command or (sys.executable, "-m", "sidecar", "--wait", "--log-level", "error")
    chance = random.Random(seed)  # noqa: S311 - a fuzzer repeats
    done = 0
    with raw_sidecar(command, stderr=None) as sidecar:
        log: list[bytes] = []
        pipe = sidecar.process.stderr
        assert pipe is not None
        reading = threading.Thread(target=lambda: log.extend(pipe), daemon=True)
        reading.start()
        process = Process(sidecar, chance)
        while done < count and time.monotonic() < until_s:
            size = min(WINDOW, count - done)
            process.window(size)
            done += size
        took_mb = process.memory_mb()
        sidecar.close_stdin()
        status = sidecar.wait()
        reading.join()
    text = b"".join(log).decode("utf-8", "replace")
    if status != 0 or "Traceback" in text or "by a bug" in text:
        raise Failed(f"the sidecar ended with {status} and logged: {text[-2_000:]}")
    if took_mb > MOST_MB:
        raise Failed(f"the sidecar has {took_mb:.0f} MB after {done} lines")
    return done
