"""Owns what the shell needs of the world, as Protocols: a Room, LiveKit's API, time, chance.

Does not know who provides them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sidecar.core.config import Target
from sidecar.core.contract.messages import AccessToken, AgentSession, Notification, TokenRequest
from sidecar.core.diagnosis import ServerProbe
from sidecar.core.facts import Fact, Listed, Moment
from sidecar.core.page_access import WantedConnection


class Room(Protocol):
    """One attempt to be in a room. Never reused, its `join` never cancelled."""

    async def join(self) -> None:
        """Join; comes back when that is decided, having emitted `Joined` or `JoinFailed`.

        What it raises is a bug. Emits `Seen`, `Left` and the like from then on, `RoomEnded` at most
        once.
        """

    async def leave(self) -> None:
        """Leave, once `join` has come back; nothing is emitted afterwards. Never raises."""


class RoomFactory(Protocol):
    """Makes Rooms."""

    def __call__(self, target: Target, token: str, emit: Callable[[Fact], None]) -> Room:
        """A Room at *target*, not joined yet, that tells *emit* its facts."""


class LiveKitApi(Protocol):
    """LiveKit's server API, as far as it is needed."""

    async def check_install(self) -> None:
        """Load all of LiveKit that the sidecar needs.

        Raises:
            BrokenInstall: a part cannot be loaded.
        """

    async def agent_token(self, target: Target) -> str:
        """A fresh access token for the agent, or the one that the target has.

        Raises:
            BrokenInstall: what makes tokens cannot be loaded.
        """

    async def connection_token(self, target: Target, wanted: WantedConnection) -> str:
        """An access token for a person; the target has a secret."""

    async def list_participants(self, target: Target) -> tuple[Listed, ...]:
        """Everybody in the target's room, the agent included.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """

    async def broadcast_participant(self, target: Target, identity: str) -> bool:
        """Have *identity* announced to the target's room now; False when nobody there has it.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """

    async def is_there(self, target: Target, identity: str) -> bool:
        """Whether the server says that *identity* is in the target's room, whatever it lists.

        What it does not say within 8 s is a no.
        """

    async def remove_participant(self, target: Target, identity: str) -> bool:
        """Remove *identity* from the target's room; False when nobody there has it.

        Raises:
            ApiCallFailed: the server refused, or did not answer within 8 s.
        """

    async def probe(self, target: Target) -> ServerProbe:
        """A look at the target's server, and at this machine's way there, within 10 s.

        Never raises.
        """


class Client(Protocol):
    """The program that talks to the sidecar, as far as it answers when it is asked."""

    @property
    def gives_tokens(self) -> bool:
        """Whether it answers `getToken`."""

    @property
    def resolves_proxies(self) -> bool:
        """Whether it answers `resolveProxy`."""

    async def get_token(self, request: TokenRequest) -> AccessToken:
        """An access token for *request*, not checked against it.

        Raises:
            ClientFailed: there is none, or no answer came in time.
            ShuttingDown: the process ends.
        """

    async def resolve_proxy(self, url: str) -> str | None:
        """The proxy to the server at *url*, as the client says it; None for none.

        Raises:
            ClientFailed: no answer came in time, or one that is none.
            ShuttingDown: the process ends.
        """


class Notify(Protocol):
    """Takes notifications for the wire; never blocks, never awaits."""

    def __call__(self, notification: Notification, /) -> None:
        """Queue *notification*."""


class Clock(Protocol):
    """Tells the time, and wakes the shell."""

    def tick(self) -> Moment:
        """Attended seconds and wall milliseconds."""

    def call_at(self, due_s: float | None, wake: Callable[[], None]) -> None:
        """Call *wake* once at *due_s*, attended seconds, instead of what was set before.

        Room events that are queued by then are run first.
        """


class Chance(Protocol):
    """Randomness."""

    def __call__(self) -> float:
        """A number from 0 up to 1."""


class SessionSetup(Protocol):
    """Sets a new session up before it is announced; where later steps hook in."""

    def __call__(self, session: AgentSession, /) -> None:
        """Set *session* up; what it raises means that this participant has no session."""


class ProcessFacts(Protocol):
    """What `getStatus` says of the process."""

    def uptime_s(self) -> float:
        """Seconds since it started."""

    def rss_bytes(self) -> int:
        """Resident memory; 0 where the system does not say."""

    def versions(self) -> Mapping[str, str]:
        """Of the sidecar and of what it is made of, by name."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the agent needs of the world, all of it."""

    room_factory: RoomFactory
    api: LiveKitApi
    client: Client
    notify: Notify
    clock: Clock
    chance: Chance
    process: ProcessFacts
    set_up_session: SessionSetup
    protect: Callable[[tuple[str, ...]], None]
    """Keeps these secrets out of every log line from now on."""
    epoch: str
    """A random id of this process."""
