"""Several humans in one process: commands on stdin, answers and news on stdout, JSON lines.

Owns their Rooms. As a process of its own it can be killed or frozen with all who are in it, as a
machine that loses power; `crowd_process.py` drives it. Knows nothing of what the humans are for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time

from sidecar.dev.person import Person, end_process

LOOK_S = 0.2
"""Between two looks at the sids: the SDK tells nobody when its own changes, and it is the old one
still inside the `reconnected` handler (docs of LiveKit's behaviour, measured)."""


class Crowd:
    """The humans by key. One stay that the SDK keeps up is one key, whatever its sids."""

    def __init__(self) -> None:
        """Start empty, inside the running loop."""
        self._people: dict[str, Person] = {}
        self._sids: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, line: bytes) -> None:
        """Take one command; it is carried out beside the others."""
        task = asyncio.create_task(self._answer(json.loads(line)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def look(self) -> None:
        """Tell the sids as they change, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            for key, before in list(self._sids.items()):
                sid = self._people[key].sid
                if sid != before:
                    self._sids[key] = sid
                    tell({"who": key, "event": "sid", "sid": sid})

    async def empty(self) -> None:
        """Let everybody leave."""
        await asyncio.gather(*(self._leave(key) for key in list(self._people)))

    async def _answer(self, command: dict[str, str]) -> None:
        answer: dict[str, object] = {"number": command["number"]}
        try:
            answer["sid"] = await self._obey(command)
        except Exception as error:
            # The SDK's text of a refused token holds the whole token.
            text = str(error).replace(command.get("token") or "\0", "***")
            answer["error"] = f"{type(error).__name__}: {text}"
        tell(answer)

    async def _obey(self, command: dict[str, str]) -> str:
        do, key = command["do"], command["who"]
        if do == "join":
            return await self._join(key, command)
        if do == "leave":
            await self._leave(key)
            return ""
        person = self._people[key]
        if do == "chat":
            await person.chat(command["text"])
        elif do == "publish":
            await person.publish()
        else:
            await person.set_attributes({"mood": command["text"]})
        return person.sid

    async def _join(self, key: str, command: dict[str, str]) -> str:
        person = self._people[key] = Person(command["url"], command["token"], command["identity"])
        person.room.on("disconnected", lambda _: self._gone(key, person))
        try:
            await person.join()
        except BaseException:
            self._people.pop(key, None)
            raise
        self._sids[key] = person.sid
        return person.sid

    async def _leave(self, key: str) -> None:
        self._sids.pop(key, None)
        person = self._people.pop(key, None)
        if person is not None:
            await person.leave()

    def _gone(self, key: str, person: Person) -> None:
        sid = self._sids.pop(key, "")
        tell({"who": key, "event": "gone", "sid": sid, "reason": str(person.disconnect_reason)})


def tell(message: dict[str, object]) -> None:
    """Write one message, with the machine's monotonic time."""
    message["at_s"] = time.monotonic()
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def run() -> None:
    """Obey until the end of stdin, then let everybody leave."""
    loop = asyncio.get_running_loop()
    crowd = Crowd()
    looking = asyncio.create_task(crowd.look())
    while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
        crowd.take(line)
    looking.cancel()
    await crowd.empty()


if __name__ == "__main__":
    # Its warning about a refused token holds the whole token.
    logging.getLogger("livekit").disabled = True
    asyncio.run(run())
    end_process(0)
