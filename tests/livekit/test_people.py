"""Who gets a session in a real room, and who does not."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from sidecar.agent.agent import ClaraVoiceAgent
from sidecar.agent.clock import AttendedClock
from sidecar.core.config import Settings
from sidecar.core.contract.messages import Notification, SessionClosed, SessionCreated
from sidecar.core.contract.wire import wall_ms
from sidecar.core.ports import Ports
from sidecar.core.sound import Needs
from sidecar.dev.person import Person
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from sidecar.dev.tokens import mint_token
from sidecar.redaction import Redactor
from sidecar.rpc.jsonrpc import size_bytes
from sidecar.rtc.livekit_api import LiveKitServerApi
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.room import LiveKitRoom
from tests.agent.fakes import FakeClient
from tests.livekit.conftest import Arrive
from tests.livekit.stdio import closes, connect_params, identities, session_of

pytestmark = pytest.mark.full


@pytest_asyncio.fixture
async def sidecar(sidecar_command: list[str]) -> AsyncIterator[SidecarClient]:
    async with SidecarClient([*sidecar_command, "--wait"]) as running:
        yield running
        assert await running.stop() == 0


async def test_people_who_are_there_before_the_agent_get_their_sessions(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    bob, carol = person("bob"), person("carol")
    await asyncio.gather(bob.join(), carol.join())
    status = await sidecar.call("connect", connect_params(server, room))
    assert status["sessions"] == 2
    assert sorted(await identities(sidecar)) == ["bob", "carol"]


async def test_two_people_at_once_have_a_session_each_and_end_apart(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    bob, carol = person("bob"), person("carol")
    await asyncio.gather(bob.join(), carol.join())
    for identity in ("bob", "carol"):
        await sidecar.notified("session-created", _of(identity))
    await bob.leave()
    await sidecar.notified("session-closed", _of("bob"))
    assert await identities(sidecar) == ["carol"]
    assert closes(sidecar) == [("bob", "left")]


async def test_a_rejoin_under_a_new_sid_ends_the_old_session_and_begins_a_new_one(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    first = person("bob")
    await first.join()
    await sidecar.notified("session-created")
    second = person("bob")
    await second.join()
    await sidecar.notified(
        "session-created", lambda params: session_of(params)["participantSid"] == second.sid
    )
    order = [
        (n.method, session_of(n.params)["participantSid"])
        for n in sidecar.notifications
        if n.method in ("session-created", "session-closed")
    ]
    assert order == [
        ("session-created", first.sid),
        ("session-closed", first.sid),
        ("session-created", second.sid),
    ]
    assert closes(sidecar) == [("bob", "replaced")]
    assert await identities(sidecar) == ["bob"]


@pytest.mark.parametrize("kind", ["agent", "egress", "ingress"])
async def test_one_who_is_no_person_gets_no_session_and_no_line(
    server: DevServer, room: str, person: Arrive, sidecar: SidecarClient, kind: str
) -> None:
    await sidecar.call("connect", connect_params(server, room))
    token = mint_token(server.api_key, server.api_secret, room, "other", kind=kind)
    other = Person(server.url, token, "other")
    await other.join()
    bob = person("bob")
    await bob.join()
    await sidecar.notified("session-created", _of("bob"))
    # Announced in one batch with bob, or before: livekit-server flushes all at once.
    assert await identities(sidecar) == ["bob"]
    await other.leave()
    await bob.leave()
    await sidecar.notified("session-closed", _of("bob"))
    assert all(
        session_of(n.params)["participantId"] == "bob"
        for n in sidecar.notifications
        if n.method.startswith("session-")
    )
    assert not [line for line in sidecar.stderr_lines if "other" in line]


@pytest.mark.parametrize("ahead_s", [-60.0, 0.0, 60.0])
async def test_a_stay_lasts_as_long_as_it_lasted_though_this_machine_s_clock_is_wrong(
    server: DevServer, room: str, person: Arrive, ahead_s: float
) -> None:
    """In this process, whose clock can be wrong where the server's is not."""
    world = _World(wall=lambda: time.time() + ahead_s)
    agent = ClaraVoiceAgent(world.ports(), Settings())
    settings = Settings(
        url=server.url, api_key=server.api_key, api_secret=server.api_secret, room=room
    )
    now_s = asyncio.get_running_loop().time
    early, late = person("early"), person("late")
    joins, leaves = {}, {}

    async def joined(one: Person) -> None:
        began_s = now_s()
        await one.join()
        joins[one.identity] = (began_s, now_s())
        await one.publish()  # announced at once, its end too

    async def left(one: Person) -> None:
        began_s = now_s()
        await one.leave()
        await world.notified(SessionClosed, one.identity)
        leaves[one.identity] = (began_s, now_s())

    await joined(early)
    began_s = now_s()
    await agent.connect(settings)
    slack_s = now_s() - began_s
    await joined(late)
    await world.notified(SessionCreated, "late")
    await left(early)
    await left(late)
    await agent.stop()
    for closed in (each.session for each in world.notifications if isinstance(each, SessionClosed)):
        assert closed.end_time is not None
        lasted_s = (wall_ms(closed.end_time) - wall_ms(closed.start_time)) / 1000
        join, leave = joins[closed.participant_id], leaves[closed.participant_id]
        assert leave[0] - join[1] - slack_s <= lasted_s <= leave[1] - join[0] + slack_s
    assert sorted(joins) == sorted(leaves) == ["early", "late"]


def _of(identity: str) -> Callable[[dict[str, object]], bool]:
    return lambda params: session_of(params)["participantId"] == identity


@dataclass
class _World:
    """The agent's ports: real ones for the room, the test's for what it tells."""

    wall: Callable[[], float] = time.time
    notifications: list[Notification] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def ports(self) -> Ports:
        return Ports(
            room_factory=functools.partial(
                LiveKitRoom,
                now_s=lambda: 0.0,
                proxies=Proxies(os.environ),
                redact=Redactor(),
                rss_bytes=lambda: 0,
            ),
            api=LiveKitServerApi(Proxies({})),
            client=FakeClient(),
            notify=self._notify,
            clock=AttendedClock(wall=self.wall),
            chance=lambda: 0.5,
            process=self,
            followers=(),
            needs=Needs.NOTHING,
            size_bytes=size_bytes,
            protect=lambda secrets: None,
            epoch="test",
        )

    def uptime_s(self) -> float:
        return 0.0

    def rss_bytes(self) -> int:
        return 0

    def versions(self) -> dict[str, str]:
        return {}

    async def notified(
        self, kind: type[SessionCreated] | type[SessionClosed], identity: str = ""
    ) -> None:
        async with asyncio.timeout(10):
            while not any(
                isinstance(each, kind) and identity in ("", each.session.participant_id)
                for each in self.notifications
            ):
                self.news.clear()
                await self.news.wait()

    def _notify(self, notification: Notification) -> None:
        self.notifications.append(notification)
        self.news.set()
