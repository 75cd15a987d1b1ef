"""A whole agent in virtual time: the real shell, clock and core, with fakes around them."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from sidecar.agent.agent import ClaraVoiceAgent
from sidecar.agent.clock import AttendedClock
from sidecar.core.config import Settings
from sidecar.core.contract.messages import (
    AgentStateChanged,
    Notification,
    SessionClosed,
    SessionCreated,
    SessionUpdated,
    Status,
)
from sidecar.core.facts import Participant
from sidecar.core.ports import Clock, Notify, Ports
from sidecar.core.sound import Needs
from sidecar.rpc.jsonrpc import size_bytes
from tests.agent.fakes import (
    START_MS,
    FakeApi,
    FakeClient,
    FakeFollower,
    FakeProcess,
    FakeRoom,
    FakeRooms,
    RecordingNotify,
)

URL = "ws://127.0.0.1:7880"
SETTINGS = Settings(url=URL, api_key="key", api_secret="sesame", room="den", identity="clara")
T = TypeVar("T", bound=Notification)


class World:
    """The agent, and everything that it touches."""

    def __init__(
        self,
        settings: Settings = SETTINGS,
        clock: Clock | None = None,
        notify: Notify | None = None,
    ) -> None:
        """Make it on the running loop; *settings* are what `connect` falls back on.

        Without *notify* the notifications are kept in `self.notify`.
        """
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        self.rooms = FakeRooms()
        self.api = FakeApi()
        self.client = FakeClient()
        self.notify = RecordingNotify()
        self.follower = FakeFollower()
        self.protected: set[str] = set()
        self.clock = clock or AttendedClock(
            loop.time, lambda: START_MS / 1000 + loop.time() - start_s, loop.time
        )
        self.agent = ClaraVoiceAgent(
            Ports(
                room_factory=self.rooms,
                api=self.api,
                client=self.client,
                notify=notify or self.notify,
                clock=self.clock,
                chance=lambda: 0.5,
                process=FakeProcess(),
                followers=(self.follower,),
                needs=Needs.NOTHING,
                protect=self.protected.update,
                epoch="e",
                size_bytes=size_bytes,
            ),
            settings,
        )

    async def passes(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    def connecting(self, settings: Settings | None = None) -> asyncio.Task[Status]:
        """A `connect` under way."""
        return asyncio.create_task(self.agent.connect(settings or Settings()))

    async def joined(self, *people: Participant) -> FakeRoom:
        """The agent connects and joins its next Room, where *people* are."""
        connecting = self.connecting()
        room = await self.rooms.opened(len(self.rooms.made) + 1)
        self.api.lists_only(*people)
        await room.joins(*people)
        await connecting
        return room

    def heard(self, kind: type[T]) -> list[T]:
        """The notifications of one kind so far."""
        return [each for each in self.notify.notifications if isinstance(each, kind)]

    @property
    def states(self) -> list[str]:
        """The agent's states as announced."""
        return [each.state.value for each in self.heard(AgentStateChanged)]

    @property
    def lines(self) -> list[str]:
        """One line a session notification: `created PA_alice`, `closed PA_alice left`."""
        return [
            line for line in (_line(each) for each in self.notify.notifications) if line is not None
        ]


def _line(notification: Notification) -> str | None:
    if isinstance(notification, SessionCreated):
        return f"created {notification.session.participant_sid}"
    if isinstance(notification, SessionUpdated):
        sid = notification.session.participant_sid
        return f"updated {sid} {notification.session.connection_state}"
    if isinstance(notification, SessionClosed):
        return f"closed {notification.session.participant_sid} {notification.reason}"
    return None
