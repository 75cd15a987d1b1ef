"""Drives one process of humans.

Owns its JSON lines; `crowd.py` is the other side. Does not load livekit.rtc.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

from sidecar.dev.child import Child, ChildGone

ACT_TIMEOUT_S = 100.0
"""Over the SDK's own worst case for a join (60 s where media is blocked)."""
END_TIMEOUT_S = 15.0
"""After the end of stdin: leaving takes at most 8 s."""


class ActFailed(RuntimeError):
    """An act did not succeed, or its process was killed on the way; the message says which."""


@dataclass(frozen=True)
class Acted:
    """What an act came to: the sid it was done under, and when that was known."""

    at_s: float
    sid: str


@dataclass(frozen=True)
class News:
    """What a human noticed unasked: `event` is `sid` (it is another now) or `gone`."""

    at_s: float
    who: str
    event: str
    sid: str
    reason: str


class CrowdProcess(Child):
    """`async with`, or start() and stop(). kill(), freeze() and thaw() are for all in it."""

    def __init__(self, name: str, on_news: Callable[[News], None]) -> None:
        """Prepare, inside the running loop; *on_news* takes what is noticed unasked."""
        super().__init__([sys.executable, "-m", "tests.soak.crowd"])
        self.name = name
        self._on_news = on_news
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Acted]] = {}

    async def act(self, do: str, who: str, **arguments: str) -> Acted:
        """Let *who* do something. Raises ActFailed."""
        self._last += 1
        number = self._last
        command = {"number": number, "do": do, "who": who, **arguments}
        answer: asyncio.Future[Acted] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(ACT_TIMEOUT_S):
                await self.send_raw(json.dumps(command).encode() + b"\n")
                return await answer
        except (ChildGone, TimeoutError) as error:
            raise ActFailed(f"{who} could not {do}: {error}") from error
        finally:
            self._waiting.pop(number, None)
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # it may have failed after we gave up

    async def stop(self) -> int:
        """Let all leave and end the process; killed after 15 s."""
        if self.returncode is None:
            self.thaw()
            self.close_stdin()
            with contextlib.suppress(TimeoutError):
                return await self.wait(timeout_s=END_TIMEOUT_S)
            self.kill()
        return await self._started().wait()

    def take_line(self, line: bytes) -> None:
        """Take an answer or news."""
        message = json.loads(line)
        if "event" in message:
            sid, reason = str(message["sid"]), str(message.get("reason", ""))
            news = News(message["at_s"], message["who"], message["event"], sid, reason)
            self._on_news(news)
            return
        answer = self._waiting.get(message["number"])
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(ActFailed(message["error"]))
        else:
            answer.set_result(Acted(message["at_s"], message["sid"]))

    def take_end(self) -> None:
        """Fail what still waits."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ActFailed(f"{self.name} ended on the way"))
