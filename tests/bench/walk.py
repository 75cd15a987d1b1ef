"""What a join and a `closeSession` pass on their way: files, functions, and ways back.

`python -m tests.bench.walk` prints them; `--path` prints each call too. The agent, the core, the
methods and the writer are the real ones; the server and the Room are fakes. Asserts nothing.

A file counts as left once a function of another file is called, and the way goes back to it where
one of its own is called after that.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

from livekit import rtc
from livekit.rtc._proto import handle_pb2, participant_pb2

import sidecar
from sidecar.core.facts import DisconnectReason, Left
from sidecar.rpc.jsonrpc import Dispatcher, encode_notification
from sidecar.rpc.methods import handlers
from sidecar.rpc.stdio import Writer
from sidecar.rtc.proxies import Proxies
from sidecar.rtc.room import LiveKitRoom
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import someone
from tests.rpc.asked import FakeClient, FakeProcess
from tests.rpc.peer import encoded, request

PACKAGE = str(Path(sidecar.__file__).parent) + os.sep


@dataclass
class Walk:
    """The calls of functions of the sidecar, in order, of each thread."""

    calls: list[tuple[int, CodeType]] = field(default_factory=list)

    def line(self, name: str) -> str:
        """The figures."""
        files = {_file(code) for _, code in self.calls}
        functions = {code for _, code in self.calls}
        back = self.ways_back()
        most = ", ".join(f"{file} {times}" for file, times in back.most_common(4))
        return (
            f"{name:<32} {len(files):>3} files {len(functions):>4} functions"
            f" {len(self.calls):>5} calls {back.total():>4} ways back ({most})"
        )

    def ways_back(self) -> Counter[str]:
        """How often the way goes back to a file that it had left, by file."""
        back: Counter[str] = Counter()
        for thread in {ident for ident, _ in self.calls}:
            path = [_file(code) for ident, code in self.calls if ident == thread]
            seen: set[str] = set()
            for before, now in zip([None, *path], path, strict=False):
                if now != before:
                    back[now] += now in seen
                    seen.add(now)
        return +back

    def path(self) -> list[str]:
        """Each call, as `file: function`."""
        return [f"  {_file(code)}: {code.co_qualname}" for _, code in self.calls]


class _Watch:
    """Notes the calls of every thread that begins from now on, and of this one, in one walk."""

    def __init__(self) -> None:
        self._walk: Walk | None = None
        threading.setprofile(self._note)

    @contextmanager
    def over(self, walk: Walk) -> Iterator[None]:
        """Note into *walk* until the end of the block."""
        self._walk = walk
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            self._walk = None

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if self._walk is not None and event == "call":
            if frame.f_code.co_filename.startswith(PACKAGE):
                self._walk.calls.append((threading.get_ident(), frame.f_code))


def _file(code: CodeType) -> str:
    return code.co_filename.removeprefix(PACKAGE)


class _SdkRoom:
    """Takes the handlers of a `LiveKitRoom`, and calls them."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[..., None]] = {}

    def on(self, event: str, handler: Callable[..., None]) -> None:
        self.handlers[event] = handler

    def register_text_stream_handler(self, *_: object) -> None:
        """No text comes."""


def _sdk_participant(identity: str) -> rtc.RemoteParticipant:
    info = participant_pb2.ParticipantInfo(
        sid=f"PA_{identity}",
        identity=identity,
        name=identity,
        metadata="",
        state=participant_pb2.ParticipantState.PARTICIPANT_STATE_ACTIVE,
        joined_at=1_767_225_600_000,
        kind=participant_pb2.ParticipantKind.PARTICIPANT_KIND_STANDARD,
    )
    return rtc.RemoteParticipant(
        participant_pb2.OwnedParticipant(info=info, handle=handle_pb2.FfiOwnedHandle(id=0))
    )


async def _walks() -> dict[str, Walk]:
    watch = _Watch()
    read_fd, write_fd = os.pipe()
    stdout = os.fdopen(read_fd, "rb")
    writer = Writer(write_fd, encode_notification, _nothing, print)
    writer.start()
    threading.setprofile(None)  # of new threads
    world = World(notify=lambda notification: writer.put(notification))
    await world.joined()
    fake = world.rooms.made[-1]
    sdk = _SdkRoom()
    room = LiveKitRoom(
        fake.target,
        "",
        fake.emit,
        now_s=lambda: 0.0,
        proxies=Proxies({}),
        rss_bytes=lambda: 0,
        redact=str,
    )
    room._listen(sdk)  # type: ignore[arg-type]  # what `join` does before it connects
    answers: list[bytes] = []
    dispatcher = Dispatcher(
        handlers(lambda: world.agent, FakeProcess(), FakeClient()), answers.append
    )

    async def life(identity: str) -> dict[str, Walk]:
        join, asked, closed = Walk(), Walk(), Walk()
        person = _sdk_participant(identity)
        world.api.lists_only(someone(identity))
        with watch.over(join):
            sdk.handlers["participant_connected"](person)
            while b"session-updated" not in stdout.readline():
                pass
        (session_id,) = world.agent.sessions
        line = encoded(request("closeSession", {"sessionId": session_id})).strip()
        with watch.over(asked):
            dispatcher.receive(line)
            while identity not in world.api.removed:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
        with watch.over(closed):
            fake.emit(Left(person.sid, identity, int(DisconnectReason.PARTICIPANT_REMOVED)))
            while not answers:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0)
            while b"session-closed" not in stdout.readline():
                pass
        answers.clear()
        return {
            "a join, to its lines": join,
            "closeSession, to the server": asked,
            "the leave, to line and answer": closed,
        }

    await life("warm")  # what is done but once, like reading the shapes, is no part of the way
    return await life("alice")


def _nothing() -> None:
    """Nobody is gone."""


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.walk", description=__doc__)
    parser.add_argument("--path", action="store_true", help="print each call")
    has_path = parser.parse_args(arguments).path

    async def show() -> None:
        for name, walk in (await _walks()).items():
            print(walk.line(name))
            if has_path:
                print("\n".join(walk.path()))

    in_virtual_time(show)()


if __name__ == "__main__":
    main(sys.argv[1:])
