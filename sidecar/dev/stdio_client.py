"""Speaks to a sidecar over stdio, as Electron's main process does.

Owns the JSON-RPC of the two pipes: requests, their answers, notifications. Knows no method:
names and params are the caller's. The command is a parameter, so that the same client drives
the source, the frozen program, or a scripted child.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sidecar.dev.child import MAX_LINES, Child, ChildGone

MAX_NOTIFICATIONS = 100_000
REQUEST_TIMEOUT_S = 20.0
"""Seconds for a request; the slowest one, `connect`, may take 15 s."""
SHUTDOWN_TIMEOUT_S = 5.0
"""Seconds for the end of the sidecar, which drains within 3 s."""
TERM_TIMEOUT_S = 2.0

JsonObject = dict[str, object]
Direction = Literal["->", "<-"]
Trace = Callable[[Direction, JsonObject], None]
"""Takes each message as it is written ("->", to the child) or read ("<-")."""


class RpcError(RuntimeError):
    """The child's answer was an error: `code`, `message` and `data` as on the wire."""

    def __init__(self, code: int, message: str, data: object) -> None:
        """Make the error of an error answer; str() shows them; of *data* the detail and the fix."""
        told = data
        if isinstance(data, dict) and "fix" in data:
            detail = str(data.get("detail", ""))
            told = f"{'' if detail in message else detail} Fix: {data['fix']}".lstrip()
        super().__init__(f"{code} {message} {told if told is not None else ''}".rstrip())
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True)
class Notification:
    """One notification; `at_s` is time.monotonic() when it was read."""

    method: str
    params: JsonObject
    at_s: float


class SidecarClient(Child):
    """`async with SidecarClient(command) as sidecar`, then request(), call(), notified().

    Keeps, beside the members of Child: `notifications` (all, in order), `queue` (the same, to take
    one by one), `strays` (all other lines that are not an answer to one of our requests).

    `answers` answers the sidecar's own requests: a function by method, which takes the params and
    gives the result, or raises for an error. `asked` has each such request, as (method, params).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        trace: Trace | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; `env` replaces the whole environment (default: ours without LIVEKIT_*).

        `trace` is called with each message, `log` with each line of stderr.
        """
        super().__init__(command, cwd=cwd, env=env)
        self.notifications: list[Notification] = []
        self.queue: asyncio.Queue[Notification] = asyncio.Queue(maxsize=MAX_NOTIFICATIONS)
        self.strays: deque[bytes] = deque(maxlen=MAX_LINES)
        self.answers: dict[str, Callable[[JsonObject], object]] = {}
        self.asked: list[tuple[str, JsonObject]] = []
        self._answering: set[asyncio.Task[None]] = set()
        self._trace = trace
        self._log = log
        self._pending: dict[int, asyncio.Future[object]] = {}
        self._last_id = 0

    async def request(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> object:
        """Send a request and give its result.

        Raises RpcError (an error answer), TimeoutError, ChildGone.
        """
        self._last_id += 1
        number = self._last_id
        message: JsonObject = {"jsonrpc": "2.0", "id": number, "method": method}
        if params is not None:
            message["params"] = dict(params)
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self.send(message)
                return await answer
        except TimeoutError:
            raise TimeoutError(self.story(f"no answer to {method} in {timeout_s} s")) from None
        finally:
            del self._pending[number]

    async def call(
        self,
        method: str,
        params: Mapping[str, object] | None = None,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> JsonObject:
        """Send a request, and return its result. Raises TypeError if that is no object."""
        result = await self.request(method, params, timeout_s=timeout_s)
        if not isinstance(result, dict):
            raise TypeError(f"{method} answered {result!r}, not an object")
        return result

    async def notify(self, method: str, params: Mapping[str, object] | None = None) -> None:
        """Send a notification, which is never answered. Raises ChildGone."""
        message: JsonObject = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = dict(params)
        await self.send(message)

    async def send(self, message: JsonObject) -> None:
        """Write one message as a line. Raises ChildGone. For bytes of any kind: send_raw()."""
        if self._trace is not None:
            self._trace("->", message)
        await self.send_raw(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    async def notified(
        self,
        method: str,
        where: Callable[[JsonObject], bool] | None = None,
        *,
        since: int = 0,
        timeout_s: float = 10.0,
    ) -> Notification:
        """Give the first notification at or after index `since` that matches, waiting for it.

        `where` judges the params. `len(client.notifications)` taken before an act is the
        `since` that leaves earlier ones out. Raises TimeoutError and ChildGone, both with
        the lines of the child.
        """
        wanted = f"{method}{' as wanted' if where else ''}"
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    news, over = self._news, self._stdout_is_over
                    for notification in self.notifications[since:]:
                        if notification.method == method and (
                            where is None or where(notification.params)
                        ):
                            return notification
                    since = max(since, len(self.notifications))
                    if over:
                        raise ChildGone(self.story(f"the child ended without {wanted}"))
                    await news.wait()
        except TimeoutError:
            raise TimeoutError(self.story(f"no {wanted} in {timeout_s} s")) from None

    async def stop(self) -> int:
        """End the child: `shutdown`, end of stdin, after 5 s SIGTERM, after 2 s SIGKILL.

        Gives its status; takes at most about 8 s. Safe when it is gone.
        """
        process = self._started()
        if process.returncode is None:
            with contextlib.suppress(RpcError, TimeoutError, ChildGone):
                await self.request("shutdown", timeout_s=1.0)
            self.close_stdin()
            for timeout_s, step in ((SHUTDOWN_TIMEOUT_S, "SIGTERM"), (TERM_TIMEOUT_S, "SIGKILL")):
                try:
                    return await self.wait(timeout_s=timeout_s)
                except TimeoutError:
                    self.signal_group(step)
        return await process.wait()

    def take_line(self, line: bytes) -> None:
        """Take one message or batch; ValueError over 100,000 notifications."""
        try:
            message = json.loads(line)
        except ValueError:
            self.strays.append(line)
            return
        parts = message if isinstance(message, list) and message else [message]
        known = [self._take_message(part) for part in parts]
        if not all(known):
            self.strays.append(line)

    def take_log_line(self, text: str) -> None:
        """Pass the line on to `log`."""
        if self._log is not None:
            self._log(text)

    def take_end(self) -> None:
        """Fail every request that still waits for an answer."""
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(ChildGone(self.story("the child's stdout ended")))

    def story(self, what: str) -> str:
        """Return *what* with the last notifications, the exit status and the end of stderr."""
        heard = ", ".join(n.method for n in self.notifications[-20:]) or "none"
        return super().story(f"{what}; notifications: {heard}")

    def _take_message(self, message: object) -> bool:
        if not isinstance(message, dict):
            return False
        if self._trace is not None:
            self._trace("<-", message)
        method, params, number = message.get("method"), message.get("params"), message.get("id")
        if isinstance(method, str) and "id" not in message:
            if len(self.notifications) >= MAX_NOTIFICATIONS:
                raise ValueError(f"more than {MAX_NOTIFICATIONS} notifications")
            notification = Notification(
                method, params if isinstance(params, dict) else {}, time.monotonic()
            )
            self.notifications.append(notification)
            self.queue.put_nowait(notification)
            return True
        if isinstance(method, str) and method in self.answers:
            self.asked.append((method, params if isinstance(params, dict) else {}))
            task = asyncio.get_running_loop().create_task(self._answer(number, *self.asked[-1]))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return True
        answer = self._pending.get(number) if isinstance(number, int) else None
        if answer is None or answer.done():
            return False
        error = message.get("error")
        if isinstance(error, dict):
            answer.set_exception(
                RpcError(int(error["code"]), str(error["message"]), error.get("data"))
            )
        else:
            answer.set_result(message.get("result"))
        return True

    async def _answer(self, number: object, method: str, params: JsonObject) -> None:
        answer: JsonObject = {"jsonrpc": "2.0", "id": number}
        try:
            answer["result"] = self.answers[method](params)
        except Exception as error:
            answer["error"] = {"code": -32000, "message": str(error)}
        with contextlib.suppress(ChildGone):
            await self.send(answer)
