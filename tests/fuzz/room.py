"""Room events to facts to notifications: the real adapter, agent and registry, on a scripted SDK.

Owns the case, and the stand-in of LiveKit's native library: a real server cannot be made to send
what is tried here. All above it is the SDK's own Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from livekit.rtc import _ffi_client
from livekit.rtc._proto import ffi_pb2, participant_pb2

from sidecar.agent.agent import ClaraVoiceAgent
from sidecar.agent.clock import AttendedClock
from sidecar.core.contract.messages import Notification, SessionClosed, SessionCreated
from sidecar.core.contract.protocol import MAX_LINE_BYTES
from sidecar.core.ports import Ports
from sidecar.core.sound import Needs
from sidecar.rpc.jsonrpc import encode_notification, size_bytes
from sidecar.rtc import native
from sidecar.rtc.chat import LEGACY_TOPIC, TOPIC
from sidecar.rtc.event_budget import EventBudget
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.room import LiveKitRoom
from tests.agent.fakes import START_MS, FakeApi, FakeClient, FakeProcess
from tests.agent.virtual_time import VirtualTimeLoop
from tests.agent.world import SETTINGS
from tests.fuzz.room_events import ROOM, RoomEvents
from tests.fuzz.wire import BugLog, Failed
from tests.rpc.peer import strictly

EVENTS = 40
"""Of one case."""
ENDS_WITHIN_S = 600.0
"""Virtual seconds."""
TOPICS = frozenset({TOPIC, LEGACY_TOPIC})
T = TypeVar("T")


class InlineLoop(VirtualTimeLoop):
    """A loop without threads: what is for a thread is done at once."""

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: object
    ) -> asyncio.Future[T]:
        """Call *func* now."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


class ScriptedLibrary:
    """The SDK's client of its native library, without the library: answers each request at once.

    It lacks what `event_budget.install` needs: the case has a budget of its own, in virtual time.
    """

    def __init__(self, people: Sequence[participant_pb2.OwnedParticipant]) -> None:
        """Let *people* be in the room at the join."""
        self.queue: Any = _ffi_client.FfiQueue()
        self._people = people
        self._pid = 0
        """Of no process: what the collector finds of an earlier test is not dropped here."""

    def request(self, request: ffi_pb2.FfiRequest) -> ffi_pb2.FfiResponse:
        """Answer, and tell the outcome as the native threads do."""
        kind = request.WhichOneof("message") or "connect"
        response, event = ffi_pb2.FfiResponse(), ffi_pb2.FfiEvent()
        getattr(response, kind).SetInParent()
        if kind == "connect":
            response.connect.async_id = event.connect.async_id = 1
            result = event.connect.result
            result.room.handle.id = ROOM
            result.room.info.name = "den"
            result.room.info.SetInParent()
            result.local_participant.info.sid = "PA_own"
            result.local_participant.info.identity = "clara"
            for each in self._people:
                result.participants.add().participant.CopyFrom(each)
            self.queue.put(event)
        elif kind == "disconnect":
            response.disconnect.async_id = event.disconnect.async_id = 1
            self.queue.put(event)
            self.ends()
        return response

    def ends(self) -> None:
        """Tell that the room has no more events."""
        event = ffi_pb2.FfiEvent()
        event.room_event.room_handle = ROOM
        event.room_event.eos.SetInParent()
        self.queue.put(event)


def play(chance: random.Random, events: Sequence[ffi_pb2.FfiEvent] | None = None) -> int:
    """Play one case; return its number of events. Without *events* they are made by chance.

    Raises:
        Failed: a stay has not one `session-created` and one `session-closed`, in order; a
            notification is no line; or a bug was logged.
    """
    with asyncio.Runner(loop_factory=InlineLoop) as runner, BugLog().heard():
        return runner.run(_play(chance, events))


async def _play(chance: random.Random, events: Sequence[ffi_pb2.FfiEvent] | None) -> int:
    made = RoomEvents(chance)
    library = ScriptedLibrary(made.people())
    told: list[Notification] = []
    with _library(library):
        agent = _agent(told)
        connecting = asyncio.create_task(agent.connect(SETTINGS))
        async with asyncio.timeout(ENDS_WITHIN_S):
            await connecting
        loop = asyncio.get_running_loop()
        budget = EventBudget(library.queue.put, lambda _: None, TOPICS, loop.time)
        count = 0
        for event in events if events is not None else (made.event() for _ in range(EVENTS)):
            count += 1
            budget.put(event)
            if not chance.randrange(4):
                budget.deliver_held()
            await asyncio.sleep(chance.choice((0, 0, 0, 0.01, 1, 50)))
        async with asyncio.timeout(ENDS_WITHIN_S):
            await agent.stop()
    hold(told)
    return count


def _agent(told: list[Notification]) -> ClaraVoiceAgent:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    clock = AttendedClock(loop.time, lambda: START_MS / 1000 + loop.time() - start_s, loop.time)
    return ClaraVoiceAgent(
        Ports(
            room_factory=functools.partial(
                LiveKitRoom,
                now_s=lambda: clock.tick().attended_s,
                proxies=Proxies({}),
                redact=str,
                rss_bytes=lambda: 0,
            ),
            api=FakeApi(),
            client=FakeClient(),
            notify=told.append,
            clock=clock,
            chance=lambda: 0.5,
            process=FakeProcess(),
            followers=(),
            needs=Needs.NOTHING,
            protect=lambda _: None,
            epoch="e",
            size_bytes=size_bytes,
        ),
        SETTINGS,
    )


@contextlib.contextmanager
def _library(library: ScriptedLibrary) -> Iterator[None]:
    native.load()  # a Room that is collected later asks for it, also while it is being loaded
    client: Any = _ffi_client.FfiClient
    before, client._instance = client._instance, library
    try:
        yield
    finally:
        client._instance = before


def hold(told: Sequence[Notification]) -> None:
    """Hold the notifications against the promise. Raises Failed."""
    created: set[str] = set()
    shown: set[str] = set()
    for number, each in enumerate(told, 1):
        line = encode_notification(each)
        strictly(line)
        if len(line) > MAX_LINE_BYTES:
            raise Failed(f"a notification of {len(line)} bytes")
        seq = getattr(each, "seq", None)
        if seq != number:
            raise Failed(f"notification {number} has seq {seq}")
        session = getattr(each, "session", None)
        if session is None:
            continue
        session_id = session.session_id
        if isinstance(each, SessionCreated):
            if session_id in created:
                raise Failed(f"{session_id!r:.100} is created twice")
            created.add(session_id)
            shown.add(session_id)
        elif session_id not in shown:
            raise Failed(f"{session_id!r:.100} is told of while it is not open")
        elif isinstance(each, SessionClosed):
            shown.discard(session_id)
    if shown:
        raise Failed(f"{len(shown)} sessions have no end: {list(shown)[:3]!r:.300}")
