"""Owns the process's stdin and stdout: claims, reads and writes them, each on its own thread.

The threads are daemons and use raw file descriptors. This works the same on Windows, never blocks
the loop, and never keeps the process alive. Does not know JSON-RPC.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import select
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from sidecar import tasks
from sidecar.core.contract.close_reasons import CloseReason
from sidecar.core.contract.messages import (
    AgentSession,
    ConnectionState,
    Notification,
    SessionClosed,
    SessionCreated,
    SessionEvent,
    SessionUpdated,
)
from sidecar.core.contract.wire import iso_time

_log = logging.getLogger("sidecar.rpc")

_CHUNK_BYTES = 65_536
WRITE_BYTES = 65_536
"""Waiting items of about so many bytes are written at once: each write waits for the loop's turn to
end."""
TURN_S = 0.05
"""Seconds of one turn of the loop that are spent on input; then other work gets its turn.

Without this limit, 20,000 requests at once blocked the loop for 30 s, and the watchdog ended the
process."""

MERGE_BYTES = 8 * 1024 * 1024
"""Above this, a newer `session-updated` replaces the queued one of the same session."""
EVENT_BYTES = 4 * 1024 * 1024
"""Above this, a `session-event` is dropped: a plug-in must not fill the queue."""
MAX_BYTES = 64 * 1024 * 1024
"""Above this the reader will not catch up, and the process ends."""

_FRAME_BYTES = 700
"""Roughly the size of a notification without the texts that participants chose."""

Item = bytes | Notification
"""An encoded answer, or a notification, which the writer encodes."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The file descriptors for messages from and to the parent. Only this module uses them."""

    read_fd: int
    write_fd: int
    is_typed: bool
    """Whether stdin is a terminal, at which a person types the lines."""


def claim() -> Wire:
    """Move fds 0 and 1 to new numbers for the wire. Then fd 0 is empty and fd 1 is stderr.

    So the output of a stray `print` or of a child process goes to stderr, never between messages.
    Call it once, before anything is printed.

    Raises:
        OSError: fd 0 or fd 1 was closed when the process began.
    """
    # Python sets these to None at its start when the fd is closed. The fd itself cannot tell: a
    # file opened since may have its number.
    if sys.stdin is None or sys.stdout is None:
        raise OSError("stdin or stdout is closed")
    null_fd = os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        os.dup2(null_fd, 2)  # before a copy of the wire takes this number
    read_fd, write_fd = os.dup(0), os.dup(1)
    os.dup2(null_fd, 0)
    if null_fd > 2:
        os.close(null_fd)
    os.dup2(2, 1)
    if sys.platform == "win32":
        _rebind_windows_handles()
    for stream in (sys.stdout, sys.stderr):
        # A program from source may have another encoding (cp1252 on Windows): an emoji that a
        # library prints would raise an exception there.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    return Wire(read_fd, write_fd, is_typed=os.isatty(read_fd))


class Reader:
    """Reads stdin and gives each chunk to the loop, once the loop is done with the one before."""

    def __init__(
        self,
        read_fd: int,
        loop: asyncio.AbstractEventLoop,
        on_chunk: Callable[[bytes], Iterator[None]],
        on_end: Callable[[], None],
        on_broken: Callable[[str], None],
        on_closed: Callable[[], None],
    ) -> None:
        """Call *on_chunk* and *on_end* on *loop*; *on_end* once, at the end of input.

        *on_chunk* returns an iterator that handles its chunk step by step; the next chunk comes
        when the iterator ends. *on_broken* is called on the reader's thread when a bug has
        stopped it; its argument says what no longer works. *on_closed* is called on that thread
        when stdin has ended, before the loop has handled the last chunks.
        """
        self._on_closed = on_closed
        self._read_fd = read_fd
        self._loop = loop
        self._on_chunk = on_chunk
        self._on_end = on_end
        self._on_broken = on_broken
        self._is_taken = threading.Lock()

    def start(self) -> None:
        """Start the thread that reads."""
        tasks.start_thread("stdin", self._run, lambda: self._on_broken("stdin cannot be read"))

    def _run(self) -> None:
        while chunk := _read(self._read_fd):
            self._is_taken.acquire()
            if not _call_on(self._loop, self._take, chunk):
                return
        self._on_closed()
        self._is_taken.acquire()
        _call_on(self._loop, self._on_end)

    def _take(self, chunk: bytes) -> None:
        self._go_on(self._on_chunk(chunk))

    def _go_on(self, steps: Iterator[None]) -> None:
        until_s = time.monotonic() + TURN_S
        try:
            for _ in steps:
                if time.monotonic() >= until_s:
                    self._loop.call_soon(self._go_on, steps)
                    return
        except Exception:
            _log.exception("A chunk of stdin was skipped, by a bug; the sidecar goes on.")
        self._is_taken.release()


class Outbox:
    """The queue of answers and notifications to write: keeps their order, bounds their size.

    The loop puts items in, and the writer's thread takes them out. Merges `session-updated`
    notifications when the reader is slow.
    """

    def __init__(self, on_full: Callable[[], None]) -> None:
        """Make an empty, open queue. Calls *on_full* when more than MAX_BYTES wait."""
        self._on_full = on_full
        self._items: OrderedDict[int, tuple[Item, int]] = OrderedDict()
        self._updates: dict[str, int] = {}
        self._next = 0
        self._bytes = 0
        self._open: dict[str, AgentSession] = {}
        """The open sessions of the client, once it has read all that was put."""
        self._seq = 0
        self._takes_notifications = True
        self._is_closed = False
        self._is_dropping = False
        self._lock = threading.RLock()
        self._is_awaited = False
        """Whether `take` waits, for the lock `_wake`; `_tell` releases it."""
        self._wake = threading.Lock()
        self._wake.acquire()

    def put(self, item: Item) -> None:
        """Queue *item*; never blocks."""
        with self._lock:
            if not isinstance(item, bytes):
                if not self._takes_notifications:
                    return
                self._seq = getattr(item, "seq", self._seq)
            if isinstance(item, SessionEvent):
                if self._drop_if_over(item):
                    return
            elif isinstance(item, SessionCreated):
                self._open[item.session.session_id] = item.session
            elif isinstance(item, SessionUpdated):
                self._open[item.session.session_id] = item.session
                if self._bytes > MERGE_BYTES:
                    item = self._merged(item)
                self._updates[item.session.session_id] = self._next
            elif isinstance(item, SessionClosed):
                self._open.pop(item.session.session_id, None)
            weight = _weight(item)
            self._items[self._next] = (item, weight)
            self._next += 1
            self._bytes += weight
            self._tell()
            is_full = self._bytes > MAX_BYTES
        if is_full:
            self._on_full()

    def take(self) -> list[Item]:
        """Remove and return the oldest items, WRITE_BYTES or one; wait until there is one.

        Only one thread may call it. Returns an empty list when the queue is closed and empty.
        """
        while True:
            with self._lock:
                if self._items or self._is_closed:
                    return self._oldest()
                self._is_awaited = True
            self._wake.acquire()

    def _oldest(self) -> list[Item]:
        """Remove the oldest items, WRITE_BYTES or one. Call it with the lock."""
        taken: list[Item] = []
        rest_bytes = WRITE_BYTES
        while self._items and rest_bytes > 0:
            key, (item, weight) = self._items.popitem(last=False)
            rest_bytes -= weight
            if isinstance(item, SessionUpdated):
                if self._updates.get(item.session.session_id) == key:
                    del self._updates[item.session.session_id]
            taken.append(item)
        self._bytes -= WRITE_BYTES - rest_bytes
        return taken

    def _tell(self) -> None:
        """Let `take` go on if it waits. Call it with the lock.

        A Condition makes a lock for each wait: that took 8 % of a `ping`.
        """
        if self._is_awaited:
            self._is_awaited = False
            self._wake.release()

    def close(self) -> None:
        """End the queue; do not `put` again. `take` returns the rest, then empty lists."""
        with self._lock:
            self._is_closed = True
            self._tell()

    def _drop_if_over(self, event: SessionEvent) -> bool:
        """Drop *event*, and warn once, if too many bytes wait; its number is missing then."""
        if self._bytes <= EVENT_BYTES:
            self._is_dropping = False
            return False
        if not self._is_dropping:
            self._is_dropping = True
            _log.warning(
                "Session %s has more events than the app reads; events are dropped.",
                event.session_id,
            )
        return True

    def resumed(self, sessions: Iterable[AgentSession]) -> None:
        """Note that the client has these open sessions from an earlier process."""
        with self._lock:
            self._open.update((each.session_id, each) for each in sessions)

    def close_sessions(self, epoch: str, now_ms: int) -> bool:
        """Queue a `session-closed` for each open session of the client; False without a session.

        Later notifications are ignored: the loop did not close the sessions in time, and must not
        close any twice. *now_ms* is milliseconds since 1970.
        """
        with self._lock:
            left = list(self._open.values())
            for session in left:
                end_time = max(iso_time(now_ms), session.start_time)
                closed = replace(
                    session, connection_state=ConnectionState.CLOSED, end_time=end_time
                )
                reason = CloseReason.SIDECAR_SHUTDOWN
                self.put(SessionClosed(closed, reason, seq=self._seq + 1, epoch=epoch))
            self._takes_notifications = False
        return bool(left)

    def _merged(self, newer: SessionUpdated) -> SessionUpdated:
        # Drops the older seq on purpose: the gap tells a consumer to call `listSessions`.
        key = self._updates.get(newer.session.session_id)
        if key is None:
            return newer
        older, weight = self._items.pop(key)
        self._bytes -= weight
        if not isinstance(older, SessionUpdated):
            return newer
        return replace(newer, changed=tuple(dict.fromkeys(older.changed + newer.changed)))


def _weight(item: Item) -> int:
    if isinstance(item, bytes):
        return len(item)
    if isinstance(item, SessionEvent):
        return _FRAME_BYTES + len(item.content.text)
    session: AgentSession | None = getattr(item, "session", None)
    if session is None:
        return _FRAME_BYTES
    texts = 2 * len(session.session_id) + len(session.name) + len(session.metadata)
    attributes = (*session.attributes.keys(), *session.attributes.values())
    context = 0 if session.context is None else len(session.context.text)
    return _FRAME_BYTES + texts + sum(map(len, attributes)) + context


class Writer:
    """Writes each queued item as one line to stdout, on its own thread."""

    def __init__(
        self,
        write_fd: int,
        encode: Callable[[Notification], bytes],
        on_gone: Callable[[], None],
        on_broken: Callable[[str], None],
    ) -> None:
        """Encode each notification with *encode*, on the writer's thread.

        *on_gone* is called on that thread when the reader has closed its end. *on_broken* is
        called when the writer cannot go on; its argument says why.
        """
        self._write_fd = write_fd
        self._encode = encode
        self._on_gone = on_gone
        self._on_broken = on_broken
        self._outbox = Outbox(lambda: on_broken("The parent does not read stdout"))
        self.put = self._outbox.put
        """Queues an answer or a notification. Never blocks."""
        self.resumed = self._outbox.resumed
        self.close_sessions = self._outbox.close_sessions
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread = tasks.start_thread("stdout", self._run, self._break)

    def flush(self, timeout_s: float) -> None:
        """Write all queued items, then stop; wait *timeout_s* at most. Do not `put` after it."""
        self._outbox.close()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while items := self._outbox.take():
            lines = [each if isinstance(each, bytes) else self._encode(each) for each in items]
            if not _write_lines(self._write_fd, lines):
                self._on_gone()
                return

    def _break(self) -> None:
        self._on_broken("stdout cannot be written, or a notification has no JSON form")


def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:  # the parent shares the open file and made it non-blocking
            select.select([fd], [], [])
        except OSError:
            return b""


def _write_lines(fd: int, lines: list[bytes]) -> bool:
    """Write *lines*, each with its newline; False when the reader has closed its end."""
    if len(lines) == 1 and len(lines[0]) > WRITE_BYTES:  # to join it would copy it
        return _write(fd, lines[0]) and _write(fd, b"\n")
    return _write(fd, b"\n".join([*lines, b""]))


def _write(fd: int, line: bytes) -> bool:
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(fd, rest[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            select.select([], [fd], [])
        except OSError:
            return False
    return True


def _call_on(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: object) -> bool:
    try:
        loop.call_soon_threadsafe(call, *args)
    except RuntimeError:  # the loop is closed: the process is ending
        return False
    return True


def _rebind_windows_handles() -> None:
    # os.dup2 does not move the Win32 standard handles, which child processes and native code use.
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        for number, fd in ((-10, 0), (-11, 1)):
            ctypes.windll.kernel32.SetStdHandle(number, msvcrt.get_osfhandle(fd))
