"""A human in a room, made of the real SDK, for the demo and the tests.

Owns one participant's acts. Does not know the sidecar. As a process of its own
(`python -m sidecar.dev.person`) it takes JSON lines on stdin and answers on stdout, so that it
can be killed or frozen like a real person's machine; `person_process.py` drives that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import urlsplit

from livekit import rtc

from sidecar.rtc import event_budget, native

CHAT_TOPIC = "lk.chat"
"""The topic LiveKit's own chat components use for text streams."""
LEAVE_TIMEOUT_S = 8.0
"""Seconds for disconnect(). It took 3.5 s during a reconnect to a hung server."""
SEND_TIMEOUT_S = 10.0
"""Seconds for send_text(), which hangs during a reconnect."""
SAMPLE_RATE_HZ = 48_000


class Person:
    """One stay of one human. A second stay is a second Person: a Room is never used again.

    `identity` is the token's, for messages.
    """

    def __init__(self, url: str, token: str, identity: str) -> None:
        """Prepare; nothing happens before join(). Make it inside the running loop."""
        self.url = url
        self.identity = identity
        self.disconnect_reason: str | None = None
        """LiveKit's name for the reason, once the person has lost the room for good."""
        self.gone = asyncio.Event()
        """Set when the room was left or lost for good."""
        self._token = token
        self._connecting: asyncio.Task[None] | None = None
        self._source: rtc.AudioSource | None = None
        self.room = rtc.Room()
        self.room.on("disconnected", self._on_disconnected)

    @property
    def sid(self) -> str:
        """The participant sid; only after join()."""
        return self.room.local_participant.sid

    async def join(self, timeout_s: float = 90.0) -> None:
        """Join the room; rtc.ConnectError when the SDK gives up, TimeoutError when we do.

        The SDK's connect() is never cancelled, not even when this call is: the native layer
        then ends the whole process 15 s later (livekit/python-sdks#784). leave() awaits it.
        """
        clear_proxy_for_loopback(self.url)
        if self._connecting is None:
            self._connecting = asyncio.create_task(self.room.connect(self.url, self._token))
        done, _ = await asyncio.wait({self._connecting}, timeout=timeout_s)
        if not done:
            raise TimeoutError(f"{self.identity} did not join within {timeout_s} s")
        self._connecting.result()

    async def leave(self) -> None:
        """Leave the room, as when a page is closed. Safe in every state, and safe to call twice."""
        if self._connecting is None:
            return
        await asyncio.wait({self._connecting})
        if not self._connecting.cancelled() and self._connecting.exception() is None:
            leaving = asyncio.create_task(self.room.disconnect())
            await asyncio.wait({leaving}, timeout=LEAVE_TIMEOUT_S)
        if self._source is not None:
            await self._source.aclose()
            self._source = None
        # For one's own leave the SDK's `disconnected` is missing in about one run of ten.
        self.disconnect_reason = self.disconnect_reason or "CLIENT_INITIATED"
        self.gone.set()

    async def chat(self, text: str) -> None:
        """Send one message as a text stream on `lk.chat`. Raises TimeoutError."""
        await self._bounded(
            asyncio.ensure_future(self.room.local_participant.send_text(text, topic=CHAT_TOPIC))
        )

    async def publish(self, *, queue_ms: int = 1000) -> rtc.AudioSource:
        """Publish an audio track; from then on the server announces this person at once.

        It carries the frames that the caller gives to the source: one channel of SAMPLE_RATE_HZ.
        The source queues at most *queue_ms*, a multiple of 10.
        """
        self._source = rtc.AudioSource(SAMPLE_RATE_HZ, 1, queue_size_ms=queue_ms)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._bounded(
            asyncio.ensure_future(self.room.local_participant.publish_track(track, options))
        )
        return self._source

    async def set_attributes(self, attributes: Mapping[str, str]) -> None:
        """Set the person's attributes. The server then announces the person at once."""
        await self._bounded(
            asyncio.ensure_future(self.room.local_participant.set_attributes(dict(attributes)))
        )

    async def _bounded(self, sending: asyncio.Future[object]) -> None:
        done, _ = await asyncio.wait({sending}, timeout=SEND_TIMEOUT_S)
        if not done:
            raise TimeoutError(f"the room did not take {self.identity}'s act; it may reconnect")
        sending.result()

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        self.disconnect_reason = rtc.DisconnectReason.Name(reason)
        self.gone.set()


def clear_proxy_for_loopback(url: str) -> None:
    """Remove HTTP_PROXY for a server on this machine: the SDK uses it and ignores NO_PROXY."""
    if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1"):
        for name in ("HTTP_PROXY", "http_proxy"):
            os.environ.pop(name, None)


def end_process(status: int) -> NoReturn:
    """End this process after livekit.rtc was used in it.

    A normal interpreter exit aborts in 2 to 5 % of runs: a native thread calls into Python
    while that finalises.
    """
    native.start_disposing().join(native.DISPOSE_WITHIN_S)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def _obey() -> None:
    """Carry out the commands on stdin until its end, then leave."""
    loop = asyncio.get_running_loop()
    native.load()
    event_budget.install(frozenset())  # somebody else's flood must not delay this person's acts
    person: Person | None = None
    watching: asyncio.Task[None] | None = None
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        if not line.strip():
            continue
        command = json.loads(line)
        answer: dict[str, object] = {"did": command["do"]}
        try:
            if command["do"] == "join":
                person = Person(command["url"], command["token"], command["identity"])
                await person.join()
                watching = asyncio.create_task(_tell_when_gone(person))
                answer["sid"] = person.sid
            elif person is None:
                raise RuntimeError("join first")
            elif command["do"] == "chat":
                await person.chat(command["text"])
            elif command["do"] == "publish":
                await person.publish()
            elif command["do"] == "set_attributes":
                await person.set_attributes(command["attributes"])
            elif command["do"] == "leave":
                await person.leave()
            else:
                raise RuntimeError(f"unknown command {command['do']!r}")
        except Exception as error:
            # The SDK's text of a refused token holds the whole token.
            text = str(error).replace(command.get("token") or "\0", "***")
            answer["error"] = f"{type(error).__name__}: {text}"
        _tell(answer)
    if person is not None:
        await person.leave()
    if watching is not None:
        await watching


async def _tell_when_gone(person: Person) -> None:
    await person.gone.wait()
    _tell({"event": "gone", "reason": person.disconnect_reason})


def _tell(message: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # Its warning about a refused token holds the whole token.
    logging.getLogger("livekit").disabled = True
    asyncio.run(_obey())
    end_process(0)
