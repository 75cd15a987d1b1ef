"""No bug ends in silence: every task and thread that the sidecar starts is started with one."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import signal
import sys
import threading
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.rtc._proto.ffi_pb2 import FfiEvent

import sidecar
from sidecar import tasks
from sidecar.agent.identity_look import IdentityLook
from sidecar.agent.people_look import PeopleLook
from sidecar.core.config import Settings
from sidecar.core.contract.messages import AgentState, ConnectionParams
from sidecar.core.facts import Fact, Left
from sidecar.core.sound import Needs
from sidecar.dev.stdio_client import SidecarClient
from sidecar.ending import Ending, hear_signals
from sidecar.rpc.jsonrpc import Dispatcher
from sidecar.rpc.parent import watch_parent
from sidecar.rpc.stdio import Reader, Writer
from sidecar.rtc import native
from sidecar.rtc.agent_label import AgentLabel
from sidecar.rtc.calls import LiveKitCall, LiveKitCalls
from sidecar.rtc.chat import Chat
from sidecar.rtc.event_budget import MESSAGES_AT_ONCE, EventBudget
from sidecar.voice import Session, Voice
from sidecar.voice.events import Events
from sidecar.voice.host import Host
from sidecar.voice.microphone import Microphone
from sidecar.voice.testing import Stage
from sidecar.watchdog import Watchdog
from tests.agent.fakes import turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import URL, World
from tests.core.played import someone

ALICE = someone("alice")
PACKAGE = Path(sidecar.__file__).parent


class Bug(Exception):
    """What no caller expects."""


def started_names() -> set[str]:
    """The name of every task and thread that the sidecar starts, as its source has it."""
    names = set()
    for path in PACKAGE.rglob("*.py"):
        if "dev" in path.relative_to(PACKAGE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "tasks.start",
                "tasks.start_thread",
            ):
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"{path}: the name is no literal"
                assert name.value not in names, f"{path}: {name.value!r} is started in two places"
                names.add(name.value)
    return names


# In the agent, in virtual time


async def _join() -> None:
    world = World()
    world.rooms.error = Bug()
    world.connecting().add_done_callback(lambda done: done.exception())
    await world.rooms.opened()
    await turns()


async def _leave() -> None:
    world = World()
    (await world.joined()).leave_error = Bug()
    await world.agent.disconnect()
    await turns()


async def _compare() -> None:
    world = World()
    world.api.error = Bug()
    await world.joined()
    await turns()


async def _ask_about_a_suspect() -> None:
    world = World()
    await world.joined(ALICE)
    world.api.lists_only()
    world.api.there_error = Bug()
    await world.passes(60)


async def _await_an_arrival() -> None:
    world = World()
    await world.joined()
    await world.agent.create_connection(ConnectionParams(), "bob")
    world.api.error = Bug()
    await world.passes(1)


async def _remove_a_participant() -> None:
    world = World()
    await world.joined(ALICE)
    world.api.error = Bug()
    (session_id,) = world.agent.sessions
    with pytest.raises(Bug):
        await world.agent.close_session(session_id)
    await turns()


async def _ask_for_a_token() -> None:
    world = World(Settings(url=URL, room="den"))
    world.client.gives_tokens = True
    world.client.error = Bug()
    world.connecting().add_done_callback(lambda done: done.cancelled() or done.exception())
    await turns()


async def _answer() -> None:
    def send(_: bytes) -> None:
        raise Bug

    async def later() -> str:
        return "later"

    Dispatcher({"later": later}, send).receive(b'{"jsonrpc":"2.0","id":1,"method":"later"}')
    await turns()


class _Text:
    """A text stream that is complete at once."""

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        raise StopAsyncIteration


async def _read_a_text() -> None:
    def emit(_: Fact) -> None:
        raise Bug

    Chat(emit, lambda: 0.0).stream_opened(_Text(), "alice")  # type: ignore[arg-type]
    await turns()


class _Unlisted:
    def __getattr__(self, _: str) -> object:
        raise Bug


async def _look_for_the_identity() -> None:
    IdentityLook(_Unlisted(), World().api, lambda _: None).start()  # type: ignore[arg-type]
    await turns()


async def _look_for_people() -> None:
    async def list_participants(_: object) -> None:
        raise Bug

    destination = types.SimpleNamespace(
        may_list=True, required=lambda: None, not_listed=lambda _: None
    )
    api = types.SimpleNamespace(list_participants=list_participants)
    look = PeopleLook(None, destination, api, lambda: None)  # type: ignore[arg-type]
    look.start()
    await turns()
    look.stop()


async def _show_the_state() -> None:
    async def set_attributes(_: object) -> None:
        raise Bug

    own = types.SimpleNamespace(
        attributes={},
        permissions=types.SimpleNamespace(can_update_metadata=True),
        set_attributes=set_attributes,
    )
    AgentLabel(own).show(is_speaking=True)  # type: ignore[arg-type]
    await turns()


# Of voice plug-ins: a Room of fakes, and streams without the native library


def _raise(*_: object) -> None:
    raise Bug


async def _raise_later(*_: object) -> None:
    raise Bug


class _Room:
    """A Room with one person, whose microphone is published."""

    def __init__(self) -> None:
        self.local_participant = types.SimpleNamespace(
            attributes={}, permissions=types.SimpleNamespace(can_update_metadata=False)
        )
        microphone = types.SimpleNamespace(
            kind=rtc.TrackKind.KIND_AUDIO,
            source=rtc.TrackSource.SOURCE_MICROPHONE,
            muted=False,
            track=types.SimpleNamespace(get_stats=self._stats),
            set_subscribed=lambda _: None,
        )
        person = types.SimpleNamespace(sid="PA_alice", track_publications={"TR_1": microphone})
        self.remote_participants: Any = {"alice": person}

    async def _stats(self) -> list[object]:
        self.remote_participants = types.SimpleNamespace(get=_raise)
        return []


class _AudioStream:
    """Stands for the native stream on a track. It gives one frame."""

    def __init__(self, *_: object, **__: object) -> None:
        self._ffi_handle = types.SimpleNamespace(dispose=lambda: None)

    async def __aiter__(self) -> AsyncIterator[rtc.AudioFrameEvent]:
        yield rtc.AudioFrameEvent(rtc.AudioFrame.create(48_000, 1, 480))

    async def aclose(self) -> None:
        raise Bug


async def _hear(microphone: Microphone) -> LiveKitCall:
    """Feed *microphone* from a fake stream, and return the call when the stream has run."""
    native, rtc.AudioStream = rtc.AudioStream, _AudioStream  # type: ignore[assignment, misc]
    try:
        calls = LiveKitCalls(Needs.HEAR, asyncio.get_running_loop())
        calls.joined(_Room(), Needs.HEAR)  # type: ignore[arg-type]
        call = calls.open("PA_alice", "alice")
        call.hear(microphone)
        await turns()
        return call
    finally:
        rtc.AudioStream = native  # type: ignore[misc]


class _BrokenMicrophone(Microphone):
    def put(self, _: bytes) -> None:
        raise Bug


async def _read_a_microphone() -> None:
    await _hear(_BrokenMicrophone(48_000, 10))


async def _close_a_microphone() -> None:
    microphone = Microphone(48_000, 10)
    (await _hear(microphone)).unhear(microphone)
    await turns()


async def _read_a_quality() -> None:
    (await _hear(Microphone(48_000, 10))).read_quality()
    await turns()


def _calls(lines: object) -> LiveKitCalls:
    calls = LiveKitCalls(Needs.SPEAK, asyncio.get_running_loop())
    calls.room, calls.lines = _Room(), lines  # type: ignore[assignment]
    return calls


async def _publish_tracks() -> None:
    _calls(types.SimpleNamespace(take=_raise_later)).open("PA_alice", "alice")
    await turns()


async def _close_the_tracks() -> None:
    calls = _calls(types.SimpleNamespace(close=_raise_later))
    calls.ended(calls.room)  # type: ignore[arg-type]
    await turns()


async def _wait_for_a_listener() -> None:
    publication = types.SimpleNamespace(wait_for_subscription=_raise_later)
    line = types.SimpleNamespace(was_used=False, publication=publication)
    LiveKitCall(_calls(None), "PA_alice", "alice").set_line(line)  # type: ignore[arg-type]
    await turns()


class _Broken(Voice):
    """Fails at once."""

    name = "broken"
    needs = Needs.SPEAK | Needs.TEXT

    async def run(self, session: Session) -> None:
        raise Bug


async def _run_a_plugin() -> None:
    loop = asyncio.get_running_loop()
    calls = types.SimpleNamespace(open=_Call, missing=lambda: Needs(0))
    host = Host(_Broken, calls, loop, lambda _: None, "epoch", lambda _: None)  # type: ignore[arg-type]
    host.attach(types.SimpleNamespace(status=None))  # type: ignore[arg-type]
    host.opened(Stage(_Broken).session.now)
    await turns()


async def _run_on_a_stage() -> None:
    async with Stage(_Broken):
        await turns()


class _Call:
    """A person's call in which words cannot be shown, and half of each sound is not heard."""

    def __init__(self, *_: object) -> None:
        pass

    async def say(self, *_: object) -> None:
        """Play nothing."""

    def interrupt(self) -> float:
        return 0.5

    async def transcribe(self, text: str, *_: object, **__: object) -> None:
        if text == "one":
            raise Bug


async def _show_the_heard_words() -> None:
    now = Stage(_Broken).session.now
    session = Session(
        now,
        _Call(),  # type: ignore[arg-type]
        Events(now.session_id, "epoch", lambda _: None),
        needs=_Broken.needs,
        settings={},
        earlier=(),
        add_message=lambda: None,
        set_context=lambda _: None,
    )
    await session.play(bytes(2 * 48_000), 48_000)
    await session.transcript("assistant", "one two")
    session.interrupt()
    await turns()


IN_A_TASK: dict[str, Callable[[], Awaitable[None]]] = {
    "join": _join,
    "leave": _leave,
    "compare with the server's list": _compare,
    "ask about a suspect": _ask_about_a_suspect,
    "await an arrival": _await_an_arrival,
    "remove a participant": _remove_a_participant,
    "ask for a token": _ask_for_a_token,
    "answer": _answer,
    "read a text": _read_a_text,
    "look for the agent's identity": _look_for_the_identity,
    "look for people": _look_for_people,
    "show the agent's state": _show_the_state,
    "read a microphone": _read_a_microphone,
    "close a microphone": _close_a_microphone,
    "read a track's quality": _read_a_quality,
    "publish tracks": _publish_tracks,
    "close the tracks": _close_the_tracks,
    "wait for a listener": _wait_for_a_listener,
    "run a plug-in": _run_a_plugin,
    "the plug-in's run": _run_on_a_stage,
    "show the heard words": _show_the_heard_words,
}


# Threads


class _BrokenLoop:
    def call_soon_threadsafe(self, *_: object) -> None:
        raise Bug


def _stdin(after: Callable[[], None]) -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"\n")
    loop = _BrokenLoop()
    Reader(read_fd, loop, iter, after, lambda _: after(), after).start()  # type: ignore[arg-type]


def _stdout(after: Callable[[], None]) -> None:
    writer = Writer(os.open(os.devnull, os.O_WRONLY), _raise, after, lambda _: after())  # type: ignore[arg-type]
    writer.start()
    writer.put(object())  # type: ignore[arg-type]


def _parent(_: Callable[[], None]) -> None:
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", "input()"], os.environ)
    assert watch_parent(child, _raise)
    os.kill(child, 9)
    os.waitpid(child, 0)


def _watchdog(_: Callable[[], None]) -> None:
    loop = asyncio.new_event_loop()
    Watchdog(loop, _raise, stuck_s=0.0).start()
    loop.close()


def _end(_: Callable[[], None]) -> None:
    Ending(_raise, _raise, 0.0, 0.0).begin()  # type: ignore[arg-type]


def _signals(_: Callable[[], None]) -> None:
    before = {
        name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    hear_signals(_raise)
    signal.raise_signal(signal.SIGHUP)
    os.close(signal.set_wakeup_fd(-1))
    for name, handler in before.items():
        signal.signal(name, handler)


def _event_budget(_: Callable[[], None]) -> None:
    event = FfiEvent()
    event.room_event.data_packet_received.user.topic = "chat"
    event.room_event.data_packet_received.participant_identity = "alice"
    budget = EventBudget(lambda _: None, lambda _: None, frozenset({"chat"}))
    budget.report_to(_raise)
    budget.start()
    for _ in range(MESSAGES_AT_ONCE + 1):
        budget.put(event)


def _dispose(_: Callable[[], None]) -> None:
    client = types.SimpleNamespace(_dispose=_raise)
    module = types.SimpleNamespace(FfiClient=types.SimpleNamespace(_instance=client))
    before = sys.modules.get("livekit.rtc._ffi_client")
    sys.modules["livekit.rtc._ffi_client"] = module  # type: ignore[assignment]
    try:
        native.start_disposing()
    finally:
        if before is None:
            del sys.modules["livekit.rtc._ffi_client"]
        else:
            sys.modules["livekit.rtc._ffi_client"] = before


class _LoopThatFails(asyncio.SelectorEventLoop):
    def run_forever(self) -> None:
        raise Bug


def _voice(_: Callable[[], None]) -> None:
    loop = _LoopThatFails()

    @in_virtual_time
    async def history() -> None:
        calls = types.SimpleNamespace(open=_Call, missing=lambda: Needs(0))
        host = Host(_Broken, calls, loop, lambda _: None, "epoch", lambda _: None)  # type: ignore[arg-type]
        host.attach(types.SimpleNamespace(status=None))  # type: ignore[arg-type]
        host.opened(Stage(_Broken).session.now)

    history()
    loop.close()


IN_A_THREAD: dict[str, Callable[[Callable[[], None]], None]] = {
    "stdin": _stdin,
    "stdout": _stdout,
    "parent": _parent,
    "watchdog": _watchdog,
    "end": _end,
    "event budget": _event_budget,
    "signals": _signals,
    "dispose": _dispose,
    "voice": _voice,
}
ENDS_THE_PROCESS = {"stdin", "stdout"}
"""Without these the sidecar is deaf or dumb."""

IN_A_PROCESS = {"connect at the start": "connect", "leave and answer": "stop"}


def test_every_task_and_thread_has_its_row_here():
    assert started_names() == {*IN_A_TASK, *IN_A_THREAD, *IN_A_PROCESS}


def bugs(caplog: pytest.LogCaptureFixture) -> Iterator[logging.LogRecord]:
    """The records with the traceback of a Bug."""
    for record in caplog.records:
        if record.exc_info is not None and isinstance(record.exc_info[1], Bug):
            assert record.name.startswith("sidecar.")
            assert record.levelno == logging.ERROR
            yield record


@pytest.mark.parametrize("name", IN_A_TASK)
def test_a_bug_in_a_task_is_logged_with_its_traceback(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    in_virtual_time(IN_A_TASK[name])()
    assert list(bugs(caplog))


@pytest.mark.parametrize("name", IN_A_THREAD)
def test_a_bug_in_a_thread_is_logged_with_its_traceback(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()
    before = set(threading.enumerate())
    IN_A_THREAD[name](ended.set)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    (record,) = bugs(caplog)
    assert repr(name) in record.getMessage()
    assert ended.is_set() == (name in ENDS_THE_PROCESS)


@pytest.mark.parametrize("name", IN_A_PROCESS)
async def test_a_bug_in_the_process_is_logged_and_one_in_its_end_is_its_status(name: str) -> None:
    command = [sys.executable, "-m", "tests.faulty_start", IN_A_PROCESS[name]]
    async with SidecarClient(command, cwd=PACKAGE.parent) as running:
        assert await running.request("ping") == "pong"
        assert await running.request("shutdown") is None
        status = await running.wait()
    log = "\n".join(running.stderr_lines)
    assert f"The task '{name}' failed, by a bug." in log
    assert "ZeroDivisionError: a bug in the" in log
    assert status == (1 if name == "leave and answer" else 0)


async def test_a_bug_in_a_callback_of_the_loop_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(tasks.log_callback_bug)
    loop.call_soon(_raise)
    await turns()
    (record,) = bugs(caplog)
    assert "callback" in record.getMessage()


@pytest.mark.parametrize("bug", [Bug(), None], ids=["with a bug", "without"])
def test_a_deadline_that_fails_by_a_bug_is_logged_and_the_next_ones_are_kept(
    bug: Bug | None, caplog: pytest.LogCaptureFixture
) -> None:
    @in_virtual_time
    async def history() -> None:
        world = World()
        room = await world.joined(ALICE, someone("bob"))
        world.api.lists_only()
        room.emit(Left("PA_alice", "alice", None))
        await world.passes(1)
        room.emit(Left("PA_bob", "bob", None))
        world.notify.error = bug
        await world.passes(5)
        assert world.lines[-1] == "closed PA_bob left"
        assert world.agent.sessions == {}

    history()
    assert len(list(bugs(caplog))) == (bug is not None)


@in_virtual_time
async def test_a_bug_in_taking_the_join_leaves_no_agent_that_believes_to_be_in_a_room() -> None:
    world = World()
    world.connecting().add_done_callback(lambda done: done.cancelled() or done.exception())
    room = await world.rooms.opened()
    world.notify.error = Bug()  # at the change to `connected`
    await room.joins(ALICE)
    assert room.has_left
    assert world.agent.status().state is AgentState.BACKOFF
    await (await world.rooms.opened(2)).joins(ALICE)
    assert world.lines[-1] == "updated PA_alice connected"
