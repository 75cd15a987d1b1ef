"""Owns the plug-ins' thread: starts and ends the Voice of each session on it.

The agent calls it on its own loop and never waits for the thread. Does not know LiveKit, nor the
wire.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sidecar import tasks
from sidecar.core.contract.errors import (
    ApiCallFailed,
    ErrorCode,
    InvalidParams,
    NotAllowed,
    SidecarError,
    UnknownSession,
)
from sidecar.core.contract.messages import (
    AgentSession,
    ConversationPage,
    ConversationParams,
    Message,
    SendTextParams,
)
from sidecar.core.contract.wire import MAX_JSON_BYTES, EncodedJson
from sidecar.core.sound import Needs, missing_grants
from sidecar.voice.events import Events
from sidecar.voice.health import WARN_AFTER_S, HealthReport
from sidecar.voice.microphone import Meter
from sidecar.voice.plugin import Callee, Voice, methods_of
from sidecar.voice.ports import Agent, Call, Calls, Tell
from sidecar.voice.session import FAILED, Session

BLOCKED_S = 1.0
"""Seconds after which a blocked thread is said."""
LOOK_S = 0.5
"""Seconds between two looks at the thread."""
END_WITHIN_S = 5.0
"""Seconds for `run` to end after its cancellation; then the log says so."""
ANSWER_WITHIN_S = 10.0
"""Seconds for a plug-in's method to answer."""
MIN_SECRET = 8
"""Characters of the shortest text in the settings that is kept out of the log."""
MAX_RESULT_BYTES = 8 * 1024 * 1024

_log = logging.getLogger("sidecar.voice")


@dataclass(slots=True)
class _Served:
    """One session with its plug-in."""

    session: Session
    events: Events
    call: Call
    voice: Voice | None = None
    """None until the thread has made it, and after its `__init__` has failed."""
    running: asyncio.Task[None] | None = None


class NoAnswer(SidecarError):
    """The plug-in did not answer in time, or has failed."""

    code = ErrorCode.INTERNAL_ERROR


class Host:
    """Runs one Voice for each session, all of them on one thread with one loop."""

    def __init__(
        self,
        plugin: type[Voice],
        calls: Calls,
        loop: asyncio.AbstractEventLoop,
        tell: Tell,
        epoch: str,
        protect: Callable[[tuple[str, ...]], None],
        warn_after_s: float = WARN_AFTER_S,
    ) -> None:
        """Prepare; *loop* runs on the plug-ins' thread, which starts with the first session.

        Call `attach` before that. *protect* keeps the texts of the settings out of the log. The log
        warns of a session that lasts over *warn_after_s* seconds.
        """
        self.plugin = plugin
        self._callees = methods_of(plugin)
        self.methods = {name: each.described for name, each in self._callees.items()}
        """The plug-in's methods, by their names on the wire."""
        self._protect = protect
        self._settings: Mapping[str, object] = {}
        self._loop = loop
        self._tell = tell
        self._epoch = epoch
        self._calls = calls
        self._agent: Agent | None = None
        self._agent_loop = asyncio.get_running_loop()
        self._served: dict[str, _Served] = {}
        self._meter = Meter()
        self._failures = 0
        self._warn_after_s = warn_after_s
        self._health: HealthReport | None = None
        self._thread: threading.Thread | None = None
        self._asked_s: float | None = None
        """When the thread was asked to answer, on the agent loop's clock; None after its answer."""
        self._is_blocked = False
        self._looking: asyncio.TimerHandle | None = None

    def attach(self, agent: Agent) -> None:
        """Set the agent. Its sessions become the sessions of the plug-in."""
        self._agent = agent
        self._health = HealthReport(
            agent.status, self._tell, self._meter, lambda: self._failures, self._warn_after_s
        )
        self._health.start()

    def configure(self, settings: object) -> None:
        """Take the settings of `initialize`, for each Voice that starts from now on.

        Raises:
            InvalidParams: they are no object, or over 64 KiB.
        """
        try:
            if not isinstance(settings, Mapping):
                raise ValueError("it is no object")
            EncodedJson(settings, MAX_JSON_BYTES)
        except ValueError as error:
            raise InvalidParams(
                f"Invalid params: params.voice is refused: {error}.",
                "Pass an object of at most 64 KiB of JSON.",
            ) from None
        self._protect(tuple(_texts(settings)))
        self._settings = settings

    # The follower of the agent's sessions; on the agent's loop

    def opened(self, session: AgentSession, earlier: Sequence[Message] = ()) -> None:
        """Start the Voice of *session*; *earlier* are the messages of its conversation."""
        agent = self._agent
        if agent is None:
            raise RuntimeError("attach the agent first")
        self._start_thread()
        session_id = session.session_id
        call = self._calls.open(session.participant_sid, session.participant_id)
        events = Events(session_id, self._epoch, self._tell)
        shown = Session(
            session,
            call,
            events,
            needs=self.plugin.needs,
            settings=self._settings,
            earlier=earlier,
            meter=self._meter,
            add_message=lambda: self._on_agent_loop(agent.add_messages, session_id, 1),
            set_context=lambda context: self._on_agent_loop(agent.set_context, session_id, context),
        )
        served = self._served[session_id] = _Served(shown, events, call)
        if self._health is not None:
            self._health.opened(session_id)
        self._tell_missing(served)
        self._loop.call_soon_threadsafe(self._begin, served)
        if self._looking is None:
            self._look()

    def changed(self, session: AgentSession) -> None:
        """Give the plug-in the changed *session*."""
        if (served := self._served.get(session.session_id)) is not None:
            served.session.now = session

    def closed(self, session: AgentSession) -> None:
        """End the Voice of *session*. The Voice can send no event afterwards."""
        served = self._served.pop(session.session_id, None)
        if served is None:
            return
        if self._health is not None:
            self._health.closed(session.session_id)
        served.events.end()
        served.session.now = session
        served.call.close()
        self._loop.call_soon_threadsafe(self._end, served)

    def joined(self) -> None:
        """Tell each session what the agent's new token does not grant."""
        for served in self._served.values():
            self._tell_missing(served)

    # Requests; on the agent's loop

    def conversation(self, params: ConversationParams) -> ConversationPage:
        """Return a page of a session's conversation.

        Raises:
            UnknownSession: no open session has this id.
            InvalidParams: after or limit is out of range.
        """
        if (params.after or 0) < 0 or (params.limit is not None and params.limit < 1):
            raise InvalidParams(
                "Invalid params: params.after is negative, or params.limit is below 1.",
                "Pass the `next` of the last page as `after`.",
            )
        return self._of(params.session_id).session.page(params.after or 0, params.limit)

    async def call(self, name: str, params: Mapping[str, object]) -> EncodedJson:
        """Call the method *name* of the session's plug-in; *params* contain `sessionId`.

        Raises:
            InvalidParams: the params do not fit the method.
            UnknownSession: no open session has this id.
            NoAnswer: the plug-in did not answer within 10 s, or its `__init__` has failed.
        """
        method, given = self._callees[name], dict(params)
        session_id = given.pop("sessionId", None)
        if not isinstance(session_id, str):
            raise InvalidParams(
                "Invalid params: params.sessionId must be a string.",
                "Pass the id of an open session.",
            )
        served = self._of(session_id)
        checked = method.checked(given)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await tasks.run_on(self._loop, self._call(served, method, checked))
        except TimeoutError:
            raise NoAnswer(
                f"The voice plug-in did not answer {method.name} within {ANSWER_WITHIN_S:.0f} s.",
                "Look for code that blocks the plug-ins' thread; the log names it.",
            ) from None

    async def send_text(self, params: SendTextParams) -> None:
        """Send a text to the session's person.

        Raises:
            UnknownSession: no open session has this id.
            NotAllowed: the plug-in's `needs`, or the agent's token, lack TEXT.
            ApiCallFailed: the room did not take the text.
        """
        served = self._of(params.session_id)
        if Needs.TEXT not in self.plugin.needs & ~self._calls.missing():
            raise NotAllowed(
                "The agent's token does not allow sending text.",
                "Put Needs.TEXT into the plug-in's `needs`; a token needs canPublishData.",
            )
        try:
            text, topic = params.text, params.topic or "lk.chat"
            await tasks.run_on(self._loop, served.call.send_text(text, topic))
        except (TimeoutError, ConnectionError) as error:
            raise ApiCallFailed(
                f"The text was not sent: {error}.", "Send it again when the agent is connected."
            ) from None

    def _of(self, session_id: str) -> _Served:
        served = self._served.get(session_id)
        if served is None:
            raise UnknownSession
        return served

    def _tell_missing(self, served: _Served) -> None:
        if missing := missing_grants(self.plugin.needs, self.plugin.needs & ~self._calls.missing()):
            lacks = f"The agent's token does not grant {', '.join(missing)}."
            served.events.emit(FAILED, {"error": lacks})

    # The thread

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = tasks.start_thread("voice", self._run)

    def _look(self) -> None:
        """Ask the thread for a sign of life, and say so when it gives none for 1 s."""
        if not self._served:
            self._looking = None
            return
        now_s = self._agent_loop.time()
        if self._asked_s is None:
            self._asked_s, self._is_blocked = now_s, False
            self._loop.call_soon_threadsafe(self._answer)
        elif now_s - self._asked_s >= BLOCKED_S and not self._is_blocked:
            self._is_blocked = True
            self._say_blocked()
        self._looking = self._agent_loop.call_later(LOOK_S, self._look)

    def _answer(self) -> None:
        self._asked_s = None

    def _say_blocked(self) -> None:
        ident = None if self._thread is None else self._thread.ident
        frame = None if ident is None else sys._current_frames().get(ident)
        where = "".join(traceback.format_stack(frame)[-3:]) if frame is not None else ""
        _log.error(
            "The voice plug-in blocks its thread, and so the sound of all sessions, for over"
            " %.0f s. Give such work to asyncio.to_thread. It is at:\n%s",
            BLOCKED_S,
            where,
        )
        error = f"The plug-in blocks its thread for over {BLOCKED_S:.0f} s; the log says where."
        for served in self._served.values():
            served.events.emit(FAILED, {"error": error})

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(tasks.log_callback_bug)
        while True:
            try:
                return self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):  # asyncio lets a task end its loop with these
                self._failures += 1
                _log.exception("A task of a voice plug-in tried to end the process.")

    def _begin(self, served: _Served) -> None:
        served.running = tasks.start("run a plug-in", self._serve(served))

    async def _serve(self, served: _Served) -> None:
        try:
            served.voice = self.plugin()
            await served.voice.run(served.session)
        except asyncio.CancelledError:
            return
        except BaseException as error:  # SystemExit too: it would end the thread of all sessions
            self._failures += 1
            session_id = served.session.now.session_id
            _log.error("The voice of session %s failed.", session_id, exc_info=error)
            served.events.emit(FAILED, {"error": f"{type(error).__name__}: {error}"[:1000]})

    def _end(self, served: _Served) -> None:
        if served.running is None or served.running.done():
            return
        served.running.cancel()
        self._loop.call_later(END_WITHIN_S, self._say_endless, served)

    def _say_endless(self, served: _Served) -> None:
        if served.running is not None and not served.running.done():
            _log.error(
                "The voice of session %s goes on %.0f s after the session closed: its `run` must"
                " end at asyncio.CancelledError.",
                served.session.now.session_id,
                END_WITHIN_S,
            )

    async def _call(
        self, served: _Served, method: Callee, params: Mapping[str, object]
    ) -> EncodedJson:
        if served.voice is None:
            raise NoAnswer(
                "The voice plug-in of this session could not be made.",
                "Read the log for the error.",
            )
        try:
            result = getattr(served.voice, method.attribute)(**params)
            if asyncio.iscoroutine(result) or isinstance(result, asyncio.Future):
                result = await result
        except (SystemExit, KeyboardInterrupt) as error:  # it would end the agent's loop too
            raise RuntimeError(f"{method.name} tried to end the process") from error
        return EncodedJson(result, MAX_RESULT_BYTES)

    def _on_agent_loop(self, call: object, *args: object) -> None:
        self._agent_loop.call_soon_threadsafe(call, *args)  # type: ignore[arg-type]


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in *value* that are long enough for a secret."""
    if isinstance(value, str):
        if len(value) >= MIN_SECRET:
            yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
