"""The agent's world as small fakes that keep to the Protocols of `sidecar.core.ports`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sidecar.core.config import Target
from sidecar.core.contract.errors import ClientFailed
from sidecar.core.contract.failures import BrokenInstall, Category
from sidecar.core.contract.messages import (
    AccessToken,
    AgentSession,
    Message,
    Notification,
    TokenRequest,
)
from sidecar.core.diagnosis import ServerProbe
from sidecar.core.facts import (
    Fact,
    Joined,
    JoinFailed,
    Listed,
    Moment,
    Participant,
    ParticipantKind,
    ParticipantState,
)
from sidecar.core.page_access import WantedConnection

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the wall clock at second 0."""
PATIENCE_S = 600.0
"""Of virtual time: how long anything is waited for."""


class FakeRoom:
    """One attempt; the test decides what comes of it, and when."""

    def __init__(self, target: Target, token: str, emit: Callable[[Fact], None]) -> None:
        """Not joined yet."""
        self.target = target
        self.token = token
        self.emit = emit
        self.join_began = asyncio.Event()
        self.may_return = asyncio.Event()
        """Whether `join` may come back once it is decided; set unless a test clears it."""
        self.may_return.set()
        self.may_leave = asyncio.Event()
        self.may_leave.set()
        self.leave_began = asyncio.Event()
        self.join_has_returned = False
        self.has_joined = False
        self.has_left = False
        self.error: Exception | None = None
        """Raised by `join` instead of any decision: a bug."""
        self.leave_error: Exception | None = None
        """Raised by `leave`: a bug."""
        self.emit_error: Exception | None = None
        """Raised by `join` once it is decided, instead of telling it: a bug."""
        self._decided: asyncio.Future[Fact] = asyncio.get_running_loop().create_future()

    @property
    def exists(self) -> bool:
        """Whether its connect has not ended yet, or its disconnect has not returned."""
        return not self.join_has_returned or (self.has_joined and not self.has_left)

    @property
    def is_decided(self) -> bool:
        """Whether the test has said what comes of it."""
        return self._decided.done()

    async def join(self) -> None:
        """Wait for the test's decision, then emit it."""
        self.join_began.set()
        if self.error is not None:
            self.join_has_returned = True
            raise self.error
        fact = await self._decided
        self.has_joined = isinstance(fact, Joined)
        try:
            if self.emit_error is not None:
                raise self.emit_error
            self.emit(fact)
            await self.may_return.wait()
        finally:
            self.join_has_returned = True

    async def leave(self) -> None:
        """Leave once the test allows it."""
        assert self.join_has_returned, "left before its join came back"
        self.leave_began.set()
        if self.leave_error is not None:
            raise self.leave_error
        await self.may_leave.wait()
        self.has_left = True

    async def joins(self, *people: Participant, server_ms: int | None = None) -> None:
        """The join succeeds, with *people* there; the server's clock says *server_ms*."""
        await self._decides(Joined(self.target.room, self.target.identity, people, server_ms))

    async def fails(
        self,
        category: Category = Category.UNREACHABLE,
        answer: str = "",
        server_ms: int | None = None,
        *,
        is_name_unknown: bool = False,
    ) -> None:
        """The join fails; *answer* came, and the server's clock says *server_ms*."""
        failed = JoinFailed(category, answer, server_ms, is_name_unknown)
        await self._decides(failed)

    async def _decides(self, fact: Fact) -> None:
        self._decided.set_result(fact)
        await turns()


class FakeRooms:
    """The `RoomFactory`: every Room made, in order, and whether two ever existed at once."""

    def __init__(self) -> None:
        """None made yet."""
        self.made: list[FakeRoom] = []
        self.error: Exception | None = None
        """What the next Room's `join` raises: a bug."""
        self.most_at_once = 0
        self._changed = asyncio.Event()

    def __call__(self, target: Target, token: str, emit: Callable[[Fact], None]) -> FakeRoom:
        """A Room, not joined yet."""
        self.made.append(FakeRoom(target, token, emit))
        self.made[-1].error, self.error = self.error, None
        self.most_at_once = max(self.most_at_once, sum(each.exists for each in self.made))
        self._changed.set()
        return self.made[-1]

    async def opened(self, number: int = 1) -> FakeRoom:
        """The Room *number*, from 1, once its join has begun."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.made) < number:
                self._changed.clear()
                await self._changed.wait()
            await self.made[number - 1].join_began.wait()
        return self.made[number - 1]


class FakeApi:
    """The `LiveKitApi`: a new token for every call, and a list that the test sets."""

    def __init__(self) -> None:
        """Answers at once; lists the agent `clara` alone."""
        self.tokens = 0
        self.listed: list[Listed] = []
        self.lists_only()
        self.removed: list[str] = []
        self.announced: list[str] = []
        self.there: set[str] = set()
        """Identities that the server knows although it may not list them."""
        self.asked_about: list[str] = []
        self.there_error: Exception | None = None
        self.present_error: Exception | None = None
        """Raised by `has_participant`."""
        self.may_say_who_is_there = asyncio.Event()
        self.may_say_who_is_there.set()
        self.lists = 0
        self.rooms_asked: list[str] = []
        """The rooms of each list and removal."""
        self.error: Exception | None = None
        """Raised by every call but `agent_token`, `has_participant` and `is_there`."""
        self.token_error: Exception | None = None
        self.broken: str | None = None
        """What part of the installation cannot be loaded."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.may_remove = asyncio.Event()
        """Whether a removal may be answered; set unless a test clears it."""
        self.may_remove.set()
        self.after_token: Callable[[], None] = _nothing

    async def check_install(self) -> None:
        """All is there, unless the test says what is not."""
        if self.broken is not None:
            raise BrokenInstall(self.broken)

    async def agent_token(self, target: Target) -> str:
        """`token-1`, `token-2`, ..., or the token that the target has."""
        await self.may_answer.wait()
        if self.token_error is not None:
            raise self.token_error
        self.tokens += 1
        return target.token or f"token-{self.tokens}"

    async def connection_token(self, target: Target, wanted: WantedConnection) -> str:
        """A token that names its identity."""
        self._raise()
        self.after_token()
        return f"page-token-of-{wanted.identity}"

    async def probe(self, target: Target) -> ServerProbe:
        """A server where all is well."""
        return ServerProbe(True, status=200, token_status=200, time_ms=START_MS)

    async def list_participants(self, target: Target) -> tuple[Listed, ...]:
        """The list as it is now."""
        self.lists += 1
        self.rooms_asked.append(target.room)
        await self.may_answer.wait()
        self._raise()
        return tuple(self.listed)

    async def broadcast_participant(self, target: Target, identity: str) -> bool:
        """Whether *identity* is on the list."""
        await self.may_answer.wait()
        self._raise()
        self.announced.append(identity)
        return any(each.identity == identity for each in self.listed)

    async def has_participant(self, target: Target, identity: str) -> bool:
        """Whether *identity* is on the list."""
        await self.may_answer.wait()
        if self.present_error is not None:
            raise self.present_error
        return any(each.identity == identity for each in self.listed)

    async def is_there(self, target: Target, identity: str) -> bool:
        """Whether *identity* is one of `there`."""
        self.asked_about.append(identity)
        if self.there_error is not None:
            raise self.there_error
        await self.may_say_who_is_there.wait()
        return identity in self.there

    async def remove_participant(self, target: Target, identity: str) -> bool:
        """Remove *identity* from the list."""
        self.rooms_asked.append(target.room)
        await self.may_answer.wait()
        await self.may_remove.wait()
        self._raise()
        self.removed.append(identity)
        found = any(each.identity == identity for each in self.listed)
        self.listed = [each for each in self.listed if each.identity != identity]
        return found

    def lists_only(self, *people: Participant, agent: str = "clara") -> None:
        """The server's list: the agent, and *people*."""
        self.listed = [
            Listed("PA_own", agent, ParticipantKind.AGENT, ParticipantState.ACTIVE),
            *(Listed(each.sid, each.identity, each.kind, each.state) for each in people),
        ]

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error


class FakeClient:
    """The `Client`: offers nothing unless a test says so; the test answers each question."""

    def __init__(self) -> None:
        """Answers nothing."""
        self.gives_tokens = False
        self.resolves_proxies = False
        self.asked: list[TokenRequest] = []
        self.most_at_once = 0
        """Questions for a token that waited at the same time."""
        self._awaited = 0
        self.error: Exception | None = None
        """Raised instead of any answer: a bug."""
        self._answers: list[asyncio.Future[AccessToken]] = []

    async def get_token(self, request: TokenRequest) -> AccessToken:
        """What the test answers."""
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        answer: asyncio.Future[AccessToken] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._awaited += 1
        self.most_at_once = max(self.most_at_once, self._awaited)
        try:
            return await asyncio.shield(answer)
        finally:
            self._awaited -= 1

    async def resolve_proxy(self, url: str) -> str | None:
        """No proxy."""
        return None

    async def gives(self, token: str, url: str | None = None) -> None:
        """Answer the last question with *token*."""
        self._answers[-1].set_result(AccessToken(token, url))
        await turns()

    async def fails(self, why: str = "getToken failed: down") -> None:
        """Answer the last question with an error."""
        self._answers[-1].set_exception(ClientFailed(why))
        await turns()

    @property
    def is_awaited(self) -> bool:
        """Whether the agent still waits for an answer."""
        return self._awaited > 0

    @property
    def is_asked(self) -> bool:
        """Whether a question waits for its answer."""
        return bool(self._answers) and not self._answers[-1].done()


@dataclass
class RecordingNotify:
    """The `Notify`: everything queued, in order."""

    notifications: list[Notification] = field(default_factory=list)
    error: Exception | None = None
    """Raised by the next call instead: a bug."""

    def __call__(self, notification: Notification, /) -> None:
        """Keep *notification*."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.notifications.append(notification)


class FakeClock:
    """The `Clock` for tests that advance it by hand."""

    def __init__(self) -> None:
        """Start at second 0."""
        self.now_s = 0.0
        self.due_s: float | None = None
        self._wake: Callable[[], None] = _nothing

    def tick(self) -> Moment:
        """The second to which it was advanced, on each clock."""
        now_ms = round(self.now_s * 1000)
        return Moment(self.now_s, START_MS + now_ms, now_ms)

    def call_at(self, due_s: float | None, wake: Callable[[], None]) -> None:
        """Keep *wake* for when the clock is advanced so far."""
        self.due_s, self._wake = due_s, wake

    def within(self, seconds: float) -> asyncio.Timeout:
        """A limit in seconds of the loop."""
        return asyncio.timeout(seconds)

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass, deadline by deadline."""
        until_s = self.now_s + seconds
        while self.due_s is not None and self.due_s <= until_s:
            self.now_s = max(self.now_s, self.due_s)
            self.due_s, wake = None, self._wake
            wake()
        self.now_s = until_s


class FakeProcess:
    """The `ProcessFacts`: figures that do not change."""

    def uptime_s(self) -> float:
        """Seconds."""
        return 12.5

    def rss_bytes(self) -> int:
        """Bytes."""
        return 4_096

    def versions(self) -> Mapping[str, str]:
        """By name."""
        return {"sidecar": "test"}


class FakeFollower:
    """The `SessionFollower`: fails for the identities that the test names."""

    def __init__(self) -> None:
        """Fails for nobody."""
        self.fails_for: dict[str, Exception] = {}
        self.told: list[str] = []
        """What it was told, in order."""

    def opened(self, session: AgentSession, earlier: Sequence[Message] = ()) -> None:
        """Take a session, or raise."""
        self.told.append(f"opened {session.participant_sid} {len(earlier)}")
        if (error := self.fails_for.get(session.participant_id)) is not None:
            raise error

    def changed(self, session: AgentSession) -> None:
        """Take a change."""
        self.told.append(f"changed {session.participant_sid} {session.connection_state}")

    def closed(self, session: AgentSession) -> None:
        """Take an end."""
        self.told.append(f"closed {session.participant_sid}")

    def joined(self) -> None:
        """Take that the agent joined."""
        self.told.append("joined")


async def turns(number: int = 12) -> None:
    """Let what is ready run, and what that makes ready; no time passes."""
    for _ in range(number):
        await asyncio.sleep(0)


def _nothing() -> None:
    """What is called where a test sets nothing else."""
