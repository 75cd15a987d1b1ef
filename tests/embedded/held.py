"""The sidecar as a process, held to its law while a double misbehaves.

Owns the wait for what it tells, and the judgement at its end. Knows no fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sidecar.dev.stdio_client import Direction, JsonObject, RpcError, SidecarClient
from tests.livekit.faults.law import Law, LawBroken

TOLD_S = 30.0
"""For what should come at once; a bound for a busy machine."""
CONNECT_S = 30.0
"""`connect` is answered within 15 s; the rest is for a busy machine."""
DECIDED_S = 90.0
"""The SDK gives up after 4 attempts of 15 s each; the rest is for a busy machine."""
ENDED = ("backoff", "failed")
ENDED_S = 3.0
"""The promised bound of the end."""


class Held:
    """One sidecar; `law` is what it told, folded so far."""

    def __init__(self, command: list[str], params: JsonObject, secrets: tuple[str, ...]) -> None:
        """*params* are those of its `connect`; *secrets* must never be shown."""
        self.client = SidecarClient([*command, "--wait", "--log-level", "debug"], trace=self._hear)
        self.params = params
        self.law = Law()
        self._secrets = secrets
        self._news = asyncio.Event()
        self._folded = 0

    async def connect(self, within_s: float = CONNECT_S) -> JsonObject:
        """Send `connect` and give the status once joined: on a busy machine after the answer."""
        try:
            return await self.client.call("connect", self.params, timeout_s=within_s)
        except RpcError as error:
            if not isinstance(error.data, dict) or error.data.get("category") != "timeout":
                raise
        await self.is_in("connected", within_s=DECIDED_S)
        return await self.client.call("getStatus")

    async def fails(self) -> JsonObject:
        """Send a `connect` that fails within its bound; give its category, detail and fix."""
        with pytest.raises(RpcError) as caught:
            await self.client.call("connect", self.params, timeout_s=CONNECT_S)
        assert caught.value.code == 1002
        assert isinstance(caught.value.data, dict)
        assert caught.value.data["detail"]
        assert caught.value.data["fix"]
        return caught.value.data

    async def cause(self) -> JsonObject:
        """As `fails`, but of the SDK's own end, which a busy machine brings after the answer."""
        told = await self.fails()
        if told["category"] != "timeout":
            return told
        await self.until("the SDK's end", lambda law: law.agent_state in ENDED, DECIDED_S)
        error = (await self.client.call("getStatus"))["lastError"]
        assert isinstance(error, dict)
        return error

    def fold(self) -> Law:
        """The law, up to the last notification. Raises LawBroken."""
        self._fold_up_to(len(self.client.notifications))
        return self.law

    async def until(
        self, what: str, holds: Callable[[Law], bool], within_s: float = TOLD_S
    ) -> None:
        """Wait until the fold is as wanted; *what* says so for the failure."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    news = self._news
                    if holds(self.fold()):
                        return
                    await news.wait()
        except TimeoutError:
            story = self.client.story(f"not within {within_s} s: {what}\n{self.law.story()}")
            raise TimeoutError(story) from None

    async def is_in(self, state: str, within_s: float = TOLD_S) -> None:
        """Wait until the agent is in *state*."""
        await self.until(f"agent {state}", lambda law: law.agent_state == state, within_s)

    async def has(self, *identities: str, within_s: float = TOLD_S) -> None:
        """Wait until exactly these have sessions, and all of those are connected."""

        wanted = sorted(identities)

        def holds(law: Law) -> bool:  # the cheap first: it is asked after each of thousands
            return (
                len(law.open) == len(wanted)
                and all(each["connectionState"] == "connected" for each in law.open.values())
                and law.identities() == wanted
            )

        await self.until(f"sessions of {identities}", holds, within_s)

    async def closes(self, identity: str, *reasons: str, within_s: float = TOLD_S) -> None:
        """Wait until a session of *identity* closes, which it may for these reasons alone."""
        since = len(self.law.closed(identity))
        self.law.accept({identity: reasons})
        await self.until(
            f"{identity} closed", lambda law: len(law.closed(identity)) > since, within_s
        )

    def sessions(self) -> dict[str, JsonObject]:
        """The open sessions, by identity."""
        return {str(each["participantId"]): each for each in self.fold().open.values()}

    async def end(self) -> None:
        """End it in order; hold its list and its last words to the law, and to silence."""
        listed = await self.client.call("listSessions")
        seq = listed["seq"]
        assert isinstance(seq, int)
        self._fold_up_to(seq)
        if self.law.seq == seq:  # else more was told meanwhile
            self.law.check_list(listed)
        await self.stop()

    async def stop(self) -> None:
        """End it in order, in time whatever its server does."""
        assert await self.client.request("shutdown") is None
        assert await self.client.wait(timeout_s=ENDED_S) == 0
        self.fold().check_end()
        assert not self.client.strays
        shown = b"".join(self.client.lines).decode() + "\n".join(self.client.stderr_lines)
        for secret in (*self._secrets, "eyJ"):
            assert secret not in shown
        assert "Traceback" not in shown

    def _fold_up_to(self, seq: int) -> None:
        for told in self.client.notifications[self._folded : seq]:
            self._folded += 1
            try:
                self.law.take(told)
            except LawBroken as broken:
                raise LawBroken(self.client.story(f"{broken}; {self.law.agent_states}")) from None

    def _hear(self, direction: Direction, message: JsonObject) -> None:
        self._news.set()
        self._news = asyncio.Event()
