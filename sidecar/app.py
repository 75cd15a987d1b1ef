"""Owns the composition: builds every part, connects the parts, and ends the process in order.

Only this module knows rtc, rpc and logs together. Imports the agent and the adapters of LiveKit
after the first answer, which needs none of them. Does not know how the parts work.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from sidecar import __version__, memory, tasks
from sidecar.agent.clock import AttendedClock
from sidecar.core.config import Settings
from sidecar.core.contract.errors import SidecarError
from sidecar.core.contract.messages import AgentSession
from sidecar.core.contract.protocol import PROTOCOL_VERSION
from sidecar.ending import Ending, hear_signals
from sidecar.logs import LineHandler
from sidecar.redaction import Redactor
from sidecar.rpc.client_requests import ClientRequests
from sidecar.rpc.framing import LineSplitter, LineTooLong
from sidecar.rpc.jsonrpc import Dispatcher, encode_notification, size_bytes
from sidecar.rpc.methods import handlers
from sidecar.rpc.parent import watch_parent
from sidecar.rpc.stdio import Reader, Wire, Writer
from sidecar.watchdog import Watchdog

if TYPE_CHECKING:
    from sidecar.agent.agent import ClaraVoiceAgent
    from sidecar.core.ports import Ports
    from sidecar.rtc.calls import LiveKitCalls
    from sidecar.voice.host import Host
    from sidecar.voice.plugin import Voice

FAILED_STATUS = 1
"""The exit status when a bug made the drain fail; the log has the traceback."""
LEAVE_WITHIN_S = 0.8
"""Seconds to leave the room and to answer the open requests; then the rest is refused with 1005."""
FLUSH_WITHIN_S = 1.6
LOG_FLUSH_WITHIN_S = 0.3
SWITCH_S = 0.001
"""Seconds that a thread of Python waits for another one's turn to end. Python's own 5 ms let the
writer fall behind a busy loop: while 10,000 sessions closed, a `ping` took 46 to 214 ms instead of
28 to 45."""

_log = logging.getLogger("sidecar.app")


@dataclass(frozen=True, slots=True)
class Start:
    """What the command line decided; the input of `run`."""

    wire: Wire
    log_handler: LineHandler
    redactor: Redactor
    settings: Settings
    """The values for `connect` params that its caller leaves out."""
    connects: bool
    """Whether to connect at the start, without waiting for `connect`."""
    voice: type[Voice] | None = None
    """The voice plug-in."""
    session_warning_s: float = 30 * 60.0
    """Seconds of a session after which a voice plug-in's log warns of it."""


def run(start: Start) -> NoReturn:
    """Serve until the parent ends or asks for the end, then end the process. Never returns."""
    try:
        asyncio.run(_App(start).serve())
    except BaseException:
        _log.exception("The sidecar failed.")
    end(FAILED_STATUS, start.log_handler)


def end(
    status: int, log_handler: LineHandler, disposing: threading.Thread | None = None
) -> NoReturn:
    """Dispose the native client, write the queued log lines, and end the process with *status*.

    Pass *disposing* if the disposal has begun already. Never returns, and skips Python's own exit,
    which may abort the process (see native.py).
    """
    from sidecar.rtc import native

    disposing = disposing or native.start_disposing()
    log_handler.finish(LOG_FLUSH_WITHIN_S)
    disposing.join(native.DISPOSE_WITHIN_S)
    os._exit(status)


class _App:
    """Holds the parts of one process, and drains them at the end."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._started_s = time.monotonic()
        self._asked = asyncio.Event()
        """Whether the first line was handled, or the end begins."""
        self._stopping = asyncio.Event()
        self.is_stopping = False
        self._status = 0
        self._ending = Ending(self._tell_end, lambda: self._status)
        self._splitter = LineSplitter()
        self.epoch = os.urandom(8).hex()
        self._voices: Host | None = None
        self._calls: LiveKitCalls | None = None

    async def serve(self) -> None:
        """Build the parts, serve until `stop` is called, then drain and end the process."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(tasks.log_callback_bug)
        sys.setswitchinterval(SWITCH_S)
        self._writer = Writer(
            self._start.wire.write_fd, encode_notification, self._ask_to_end, self._on_broken
        )
        self._clock = AttendedClock()
        self._client = ClientRequests(self._writer.put, self._clock.within, self._start.redactor)
        self._make_voices()
        self._dispatcher = Dispatcher(
            handlers(lambda: self._agent, self, self._client, self._voices),
            self._writer.put,
            self._client.take_response,
        )
        reader = Reader(
            self._start.wire.read_fd,
            self._loop,
            self._on_chunk,
            self._on_end,
            self._on_broken,
            on_closed=self._ending.begin,
        )
        hear_signals(self._ask_to_end)
        Watchdog(self._loop).start()
        self._writer.start()
        if self._start.connects:
            tasks.start("connect at the start", self._connect())
            await asyncio.sleep(0)  # the connect begins before the first request is read
        reader.start()
        await self._asked.wait()
        _ = self._agent  # made now: the next request would wait for the imports
        await self._stopping.wait()
        await self._drain()

    # For the methods: `rpc.methods.Process`

    def stop(self) -> None:
        """Begin the drain once the loop has run the callbacks that are queued now.

        A second call does nothing. The process ends within 3 s of the first call.
        """
        if not self.is_stopping:
            self.is_stopping = True
            self._ending.begin()
            self._asked.set()
            self._loop.call_soon(self._stopping.set)

    def resumed(self, sessions: Iterable[AgentSession]) -> None:
        """Note that the client has these sessions from an earlier process."""
        self._writer.resumed(sessions)

    def watch_parent(self, pid: int) -> None:
        """Begin the drain when the process *pid* has ended."""
        if not watch_parent(pid, self._ask_to_end):
            _log.warning(
                "No process that can be watched has the parentPid %d; the sidecar ends when stdin"
                " ends.",
                pid,
            )

    # For `getStatus`

    def uptime_s(self) -> float:
        """Return the seconds since the process started."""
        return time.monotonic() - self._started_s

    def rss_bytes(self) -> int:
        """Return the resident memory; its peak on macOS; 0 where it is unknown."""
        return memory.rss_bytes()

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the sidecar, protocol, Python and LiveKit's packages, by name."""
        return _versions()

    # Parts

    @functools.cached_property
    def _agent(self) -> ClaraVoiceAgent:
        from sidecar.agent.agent import ClaraVoiceAgent

        agent = ClaraVoiceAgent(self._ports(), self._start.settings)
        if self._voices is not None:
            self._voices.attach(agent)
        gc.freeze()  # nothing that was imported is ever garbage
        gc.enable()
        return agent

    def _make_voices(self) -> None:
        if self._start.voice is None:
            return
        # Imported here: without a plug-in nothing of it is loaded.
        from sidecar.rtc.calls import LiveKitCalls
        from sidecar.voice.host import Host

        loop = asyncio.new_event_loop()
        self._calls = LiveKitCalls(self._start.voice.needs, loop)
        self._voices = Host(
            self._start.voice,
            self._calls,
            loop,
            self._writer.put,
            self.epoch,
            self._start.redactor.protect,
            self._start.session_warning_s,
        )

    def _ports(self) -> Ports:
        import random

        from sidecar.core.ports import Ports
        from sidecar.core.sound import Needs
        from sidecar.rtc import trust
        from sidecar.rtc.livekit_api import LiveKitServerApi
        from sidecar.rtc.proxies import Proxies
        from sidecar.rtc.room import LiveKitRoom

        if self._start.voice is None:
            import sidecar.rtc.without_numpy  # noqa: F401 - a plug-in may use AudioMixer

        clock = self._clock
        trust.choose(os.environ)
        proxies = Proxies(os.environ, self._client)
        return Ports(
            room_factory=functools.partial(
                LiveKitRoom,
                now_s=lambda: clock.tick().attended_s,
                proxies=proxies,
                calls=self._calls,
                redact=self._start.redactor,
                rss_bytes=memory.rss_bytes,
            ),
            api=LiveKitServerApi(proxies),
            client=self._client,
            notify=self._writer.put,
            clock=clock,
            chance=random.random,
            process=self,
            followers=() if self._voices is None else (self._voices,),
            needs=Needs.NOTHING if self._start.voice is None else self._start.voice.needs,
            protect=self._start.redactor.protect,
            epoch=self.epoch,
            size_bytes=size_bytes,
        )

    async def _connect(self) -> None:
        try:
            await self._agent.connect(Settings())
        except SidecarError as error:
            _log.debug("The first connect: %s", error.message)

    # Input

    def _on_chunk(self, chunk: bytes) -> Iterator[None]:
        for line in self._splitter.feed(chunk):
            self._on_line(line)
            self._asked.set()
            yield

    def _on_line(self, line: bytes | LineTooLong) -> None:
        try:
            if isinstance(line, LineTooLong):
                self._dispatcher.refuse_long_line()
            else:
                self._dispatcher.receive(line)
                if self._start.wire.is_typed:
                    self._hint(line)
        except Exception:
            _log.exception("A line of stdin was skipped, by a bug; the sidecar goes on.")

    def _hint(self, line: bytes) -> None:
        from sidecar.rpc.typed import hint

        if (wanted := hint(line)) is not None:
            _log.warning("try: %s", wanted)

    def _on_end(self) -> None:
        for line in self._splitter.end():
            self._on_line(line)
        self.stop()

    def _ask_to_end(self) -> None:
        """Begin the drain; called on other threads."""
        self._ending.begin()
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending
            self._loop.call_soon_threadsafe(self.stop)

    def _tell_end(self) -> bool:
        hangs = self._writer.close_sessions(self.epoch, round(time.time() * 1000))
        self._dispatcher.refuse_open()
        if hangs:
            _log.critical("The event loop hangs; the sidecar ends without leaving its room.")
        return hangs

    def _on_broken(self, why: str) -> None:
        _log.critical("%s; the process ends.", why)
        self._start.log_handler.finish(LOG_FLUSH_WITHIN_S)
        os._exit(tasks.BUG_STATUS)

    # The end

    async def _drain(self) -> None:
        self._client.end()
        ending = tasks.start("leave and answer", self._leave())
        await asyncio.wait({ending}, timeout=LEAVE_WITHIN_S)
        self._dispatcher.refuse_open()
        if ending.done() and ending.exception() is not None:
            self._status = FAILED_STATUS
        from sidecar.rtc import native

        disposing = native.start_disposing()
        await asyncio.to_thread(self._writer.flush, FLUSH_WITHIN_S)
        end(self._status, self._start.log_handler, disposing)

    async def _leave(self) -> None:
        try:
            await self._agent.stop()
        finally:
            await self._dispatcher.answered()


@functools.cache
def _versions() -> Mapping[str, str]:
    import platform  # here: the first answer needs no version of Python

    return {
        "sidecar": __version__,
        "protocol": str(PROTOCOL_VERSION),
        "python": platform.python_version(),
        **_installed({"livekit": "livekit", "livekit_api": "livekit-api"}),
    }


def _installed(packages: Mapping[str, str]) -> dict[str, str]:
    """Return the version of each installed package, by its name; *packages* has names by folders.

    The folder of a package's metadata is named by its version (packaging.python.org, Recording
    installed projects). importlib.metadata reads the same, but held the loop for 15 ms: it parses
    the metadata as a mail.
    """
    found: dict[str, str] = {}
    for path in sys.path:
        with contextlib.suppress(OSError):
            for entry in os.listdir(path or "."):
                folder, _, version = entry.removesuffix(".dist-info").partition("-")
                if entry.endswith(".dist-info") and folder in packages:
                    found.setdefault(packages[folder], version)
    return found
