"""Owns the Protocols of everything outside the core: a Room, LiveKit's API, time, chance.

Does not know the implementations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sidecar.core.config import Target
from sidecar.core.contract.messages import (
    AccessToken,
    AgentSession,
    Message,
    Notification,
    TokenRequest,
)
from sidecar.core.diagnosis import ServerProbe
from sidecar.core.facts import Fact, Listed, Moment
from sidecar.core.page_access import WantedConnection
from sidecar.core.sound import Needs
from sidecar.core.values import dataclass


class Room(Protocol):
    """One attempt to be in a room. Do not use it twice, and never cancel its `join`."""

    async def join(self) -> None:
        """Join the room; return after emitting `Joined` or `JoinFailed`.

        After `Joined` the Room emits the other facts, and `RoomEnded` at most once. An exception is
        a bug.
        """

    async def leave(self) -> None:
        """Leave the room. Call after `join` returned. Ignore later facts. Never raises."""


class RoomFactory(Protocol):
    """Makes Rooms."""

    def __call__(self, target: Target, token: str, emit: Callable[[Fact], None]) -> Room:
        """Make a Room for *target* that passes its facts to *emit*. Call its `join` next."""


class LiveKitApi(Protocol):
    """The calls of LiveKit's server API that the agent uses."""

    async def check_install(self) -> None:
        """Load all of LiveKit that the sidecar needs.

        Raises:
            BrokenInstall: a part cannot be loaded.
        """

    async def agent_token(self, target: Target) -> str:
        """Make an access token for the agent, or return the token of the target."""

    async def connection_token(self, target: Target, wanted: WantedConnection) -> str:
        """Make an access token for a human. The target must have a secret."""

    async def list_participants(self, target: Target) -> tuple[Listed, ...]:
        """List the participants in the target's room, including the agent.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """

    async def broadcast_participant(self, target: Target, identity: str) -> bool:
        """Have the server announce *identity* to the room now; False if it is not in the room.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """

    async def has_participant(self, target: Target, identity: str) -> bool:
        """Ask whether the server's list of the target's room has *identity*.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """

    async def is_there(self, target: Target, identity: str) -> bool:
        """Ask whether *identity* is in the target's room. The answer does not use the list.

        False also if the server does not answer within 8 s.
        """

    async def remove_participant(self, target: Target, identity: str) -> bool:
        """Remove *identity* from the target's room; False if it is not in the room.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """

    async def probe(self, target: Target) -> ServerProbe:
        """Examine this machine's network and the target's server, within 10 s. Never raises."""


class Client(Protocol):
    """The program that talks to the sidecar, and the requests that it answers."""

    @property
    def gives_tokens(self) -> bool:
        """Return whether the client answers `getToken`."""

    @property
    def resolves_proxies(self) -> bool:
        """Return whether the client answers `resolveProxy`."""

    async def get_token(self, request: TokenRequest) -> AccessToken:
        """Ask the client for an access token. The caller must check its claims.

        Raises:
            ClientFailed: the client gave no token, or did not answer in time.
            ShuttingDown: the process is shutting down.
        """

    async def resolve_proxy(self, url: str) -> str | None:
        """Ask the client for the proxy to the server at *url*; None if no proxy is needed.

        Raises:
            ClientFailed: the answer is not a proxy, or did not come in time.
            ShuttingDown: the process is shutting down.
        """


class Notify(Protocol):
    """Queues notifications for the wire. Never blocks or awaits."""

    def __call__(self, notification: Notification, /) -> None:
        """Queue *notification*."""


class Clock(Protocol):
    """Returns the time, and calls the shell at a deadline."""

    def tick(self) -> Moment:
        """Return the time on each clock, and advance attended time."""

    def call_at(self, due_s: float | None, callback: Callable[[], None]) -> None:
        """Call *callback* once at *due_s*, attended seconds; None cancels.

        Replaces an earlier call. Runs the queued events of the Room first.
        """

    def within(self, seconds: float) -> AbstractAsyncContextManager[None]:
        """Limit an `async with` block to *seconds* of attended time; see `asyncio.timeout`.

        Raises:
            TimeoutError: the block took longer, and was cancelled.
        """


class Chance(Protocol):
    """A source of random numbers."""

    def __call__(self) -> float:
        """Return a random number from 0 up to 1."""


class SessionFollower(Protocol):
    """Receives each session. The agent logs its exceptions, and the session goes on."""

    def opened(self, session: AgentSession, earlier: Sequence[Message] = ()) -> None:
        """Take a session that was announced, or resumed with the *earlier* messages."""

    def changed(self, session: AgentSession) -> None:
        """Take the new form of a session."""

    def closed(self, session: AgentSession) -> None:
        """Take a session that is about to be announced as closed."""

    def joined(self) -> None:
        """Note that the agent joined a Room. Its new sessions follow."""


class ProcessFacts(Protocol):
    """The members of `getStatus` about the process."""

    def uptime_s(self) -> float:
        """Return the seconds since the process started."""

    def rss_bytes(self) -> int:
        """Return the resident memory; 0 if the system does not tell it."""

    def versions(self) -> Mapping[str, str]:
        """Return the version of the sidecar and of each component, by name."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All that the agent needs from outside the core."""

    room_factory: RoomFactory
    api: LiveKitApi
    client: Client
    notify: Notify
    clock: Clock
    chance: Chance
    process: ProcessFacts
    followers: tuple[SessionFollower, ...]
    """The voice plug-ins; empty without one."""
    needs: Needs
    """What the voice plug-in needs in the room."""
    protect: Callable[[tuple[str, ...]], None]
    """Keeps these secrets out of every log line from now on."""
    epoch: str
    """A random id of this process."""
    size_bytes: Callable[[AgentSession], int]
    """The length of a session on the wire."""
