"""A sidecar process under the law: what rows wait for, and what they wait with.

Owns one process's notifications, folded as they come, and its list, held against the fold again
and again. Knows no server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from sidecar.dev.person import Person
from sidecar.dev.person_process import PersonProcess
from sidecar.dev.stdio_client import Direction, JsonObject, RpcError, SidecarClient
from tests.livekit.faults.law import Law

ANNOUNCED_S = 15.0
"""The server announces within 3 s, 3.5 s under load; the rest is for a busy machine."""
GIVEN_UP_S = 25.0
"""The server gives up on a vanished person after about 20 s: 10 s and 5 s of ICE, 5 s of its own
(livekit-server pkg/rtc/transport.go, participant.go)."""
OUTAGE_S = 45.0
"""The promise's limit, after which stays that could not be watched are closed."""
REJOINED_S = 60.0
"""The longest backoff, 30 s, and a join; the rest is for a busy machine."""
SETTLED_S = 20.0
"""A hold of 3 s, or two polls 5 s apart, after the last change."""
LOOK_S = 0.25
"""How often the list is held against the fold."""
LOOK_LIMIT_S = 150.0
"""For one look: the sidecar may be stopped for 60 s, or its machine busy."""
ENDED_S = 3.0
"""The promised bound of the end."""

AnyPerson = Person | PersonProcess


class Agent:
    """A sidecar process, and the law it is held to all the while."""

    def __init__(self, command: list[str], connect: JsonObject, socket_path: Path) -> None:
        """*connect* are the params of its `connect`; *socket_path* is `driven.py`'s."""
        self.client = SidecarClient(command, trace=self._hear)
        self.connect_params = connect
        self.law = Law()
        self._socket_path = socket_path
        self._folded = 0
        self._news = asyncio.Event()
        self._is_watched = False
        self._looking: asyncio.Task[None] | None = None

    def watch(self) -> asyncio.Task[None]:
        """Begin to hold the list against the fold, again and again; the task fails when broken."""
        self._is_watched = True
        self._looking = asyncio.create_task(self._look_on())
        return self._looking

    async def connect(self) -> JsonObject:
        """Send `connect` and give the status."""
        return await self.client.call("connect", self.connect_params, timeout_s=REJOINED_S)

    async def tries(self) -> None:
        """Send `connect`, whatever becomes of it."""
        with contextlib.suppress(RpcError):
            await self.connect()

    async def resume(self, sessions: list[JsonObject]) -> None:
        """Hand over the open sessions of an earlier process; before watch()."""
        names = ("sessionId", "participantId", "participantSid", "roomName", "startTime")
        entries = [{name: each[name] for name in (*names, "messageCount")} for each in sessions]
        await self.client.call("initialize", {"protocolVersion": 1, "resume": entries})
        listed = (await self.client.call("listSessions"))["sessions"]
        assert isinstance(listed, list)
        assert [{n: each[n] for n in entries[0]} for each in listed] == entries
        self.law = Law(listed)

    async def simulate(self, kind: str) -> None:
        """Let LiveKit simulate a fault of this agent's own Room."""
        assert await self._order({"simulate": kind}) == "done"

    async def deafen(self, *events: str) -> None:
        """Let the SDK lose these events; none of them: hear again."""
        assert await self._order({"deaf": list(events)}) == "done"

    async def lose(self, identity: str) -> None:
        """Let the SDK say, without a reason, that *identity* left, who did not."""
        assert await self._order({"lose": identity}) == "done"

    def fold(self) -> Law:
        """The law, up to the last notification."""
        told = self.client.notifications
        while self._folded < len(told):
            self.law.take(told[self._folded])
            self._folded += 1
        return self.law

    async def until(self, what: str, held: Callable[[Law], bool], within_s: float) -> None:
        """Wait until the fold is as wanted; *what* says so for the failure."""
        try:
            async with asyncio.timeout(within_s):
                while not held(self.fold()):
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"not within {within_s} s: {what}") from None

    async def sees(self, *people: AnyPerson, within_s: float = ANNOUNCED_S) -> None:
        """Wait until each of these stays has its session, and is connected."""
        sids = {each.sid for each in people}

        def seen(law: Law) -> bool:
            connected = {
                str(each["participantSid"])
                for each in law.open.values()
                if each["connectionState"] == "connected"
            }
            return sids <= connected

        names = ", ".join(f"{each.identity} {each.sid}" for each in people)
        await self.until(f"{names} connected", seen, within_s)

    async def closes(self, *people: AnyPerson, within_s: float = ANNOUNCED_S) -> None:
        """Wait until each of these stays is closed, and not open again."""
        await self.closes_all(*(each.sid for each in people), within_s=within_s)

    async def closes_all(self, *sids: str, within_s: float = REJOINED_S) -> None:
        """As closes(), by sids: a person whom the server forgot comes back under a new one."""
        await self.until(
            f"{', '.join(sids)} closed",
            lambda law: set(sids) <= {close.sid for close in law.closes} - law.sids(),
            within_s,
        )

    async def is_in(self, state: str, within_s: float = REJOINED_S) -> None:
        """Wait until the agent is in *state*."""
        await self.until(f"agent {state}", lambda law: law.agent_state == state, within_s)

    async def went_through(self, *states: str, within_s: float = REJOINED_S) -> None:
        """Wait until the agent's states end with these, in this order."""
        wanted = list(states)
        await self.until(
            f"agent {' -> '.join(wanted)}",
            lambda law: law.agent_states[-len(wanted) :] == wanted,
            within_s,
        )

    async def end(self) -> None:
        """End the process in order, and hold its last words to the law."""
        await self.look_away()
        assert await self.client.request("shutdown") is None
        assert await self.client.wait(timeout_s=ENDED_S) == 0
        self.fold().check_end()
        assert not self.client.strays

    async def look_away(self) -> None:
        """Hold the list against the fold no more; returns after the last look, if it is whole."""
        self._is_watched = False
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=ENDED_S)

    def _hear(self, direction: Direction, message: JsonObject) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _look_on(self) -> None:
        while self._is_watched:
            answer = await self.client.call("listSessions", timeout_s=LOOK_LIMIT_S)
            seq = answer["seq"]
            assert isinstance(seq, int)
            if self._folded <= seq:  # else a wait has folded more meanwhile: nothing to compare
                told = self.client.notifications
                while self._folded < seq:
                    self.law.take(told[self._folded])
                    self._folded += 1
                self.law.check_list(answer)
            await asyncio.sleep(LOOK_S)

    async def _order(self, command: JsonObject) -> object:
        reader, writer = await asyncio.open_unix_connection(str(self._socket_path))
        writer.write(json.dumps(command).encode() + b"\n")
        answer: object = json.loads(await reader.readline())
        writer.close()
        return answer
