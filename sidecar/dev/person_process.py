"""Drives a Person that is a process of its own.

Owns that process's JSON lines; `person.py` is the other side. Does not load livekit.rtc, so
that the process that uses it can end as any other.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping

from sidecar.dev.child import Child, ChildGone

ACT_TIMEOUT_S = 100.0
"""Seconds for a join; the SDK needs up to 60 s when media is blocked."""
END_TIMEOUT_S = 12.0
"""After the end of stdin: leaving takes at most 8 s."""


class PersonFailed(RuntimeError):
    """An act did not succeed; the message is the SDK's, without the token."""


class PersonProcess(Child):
    """`async with PersonProcess(url, token, identity) as person`: starts it, and ends it.

    Its stay ends with leave(), with kill() (the server takes about 20 s to notice), or with the
    block. freeze() and thaw() are a laptop's lid.
    """

    def __init__(self, url: str, token: str, identity: str) -> None:
        """Prepare, inside the running loop; the process starts with the block or start()."""
        super().__init__([sys.executable, "-m", "sidecar.dev.person"])
        self.url = url
        self.identity = identity
        self.sid = ""
        """The participant sid, from join() on."""
        self.gone: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        """LiveKit's reason, once the room was left or lost for good; None without one."""
        self._token = token
        self._answers: asyncio.Queue[dict[str, object] | None] = asyncio.Queue(maxsize=100)

    async def join(self) -> None:
        """Join the room. Raises PersonFailed."""
        # Over stdin, since every user of the machine can read a command line.
        answer = await self._act("join", url=self.url, token=self._token, identity=self.identity)
        self.sid = str(answer["sid"])

    async def chat(self, text: str) -> None:
        """Send a chat message. Raises PersonFailed."""
        await self._act("chat", text=text)

    async def publish(self) -> None:
        """Publish an audio track; the server then announces the person. Raises PersonFailed."""
        await self._act("publish")

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Set the person's attributes. Raises PersonFailed."""
        await self._act("set_attributes", attributes=dict(attributes))

    async def leave(self) -> None:
        """Leave the room; the process stays until stop(). Raises PersonFailed."""
        await self._act("leave")

    async def stop(self) -> int:
        """Thaw the process, let it leave its room, and end it. Kills it after 12 s."""
        if self.returncode is None:
            self.thaw()
            self.close_stdin()
            try:
                return await self.wait(timeout_s=END_TIMEOUT_S)
            except TimeoutError:
                self.kill()
        return await self._started().wait()

    def take_line(self, line: bytes) -> None:
        """Take an answer, or the news that the room is gone."""
        message = json.loads(line)
        if message.get("event") == "gone":
            if not self.gone.done():
                self.gone.set_result(message["reason"])
        else:
            self._answers.put_nowait(message)

    def take_end(self) -> None:
        """Fail every request that still waits for an answer."""
        if not self.gone.done():
            self.gone.set_result(None)
        self._answers.put_nowait(None)

    async def _act(self, act: str, **arguments: object) -> dict[str, object]:
        try:
            await self.send_raw(json.dumps({"do": act, **arguments}).encode() + b"\n")
        except ChildGone as error:
            raise PersonFailed(f"{self.identity}'s process ended before {act}") from error
        async with asyncio.timeout(ACT_TIMEOUT_S):
            answer = await self._answers.get()
        if answer is None:
            raise PersonFailed(f"{self.identity}'s process ended during {act}")
        if "error" in answer:
            raise PersonFailed(f"{self.identity} could not {act}: {answer['error']}")
        return answer
