"""Owns the customer's log lines and the notifications with their seq.

Never awaits: a notification is queued before the next fact is taken. Does not know the causes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from sidecar.core.agent_state import Cause, Decision, Event
from sidecar.core.contract.failures import Failure
from sidecar.core.contract.messages import (
    AgentSession,
    AgentState,
    AgentStateChanged,
    Capabilities,
    Counters,
    Message,
    SessionClosed,
    SessionCreated,
    SessionUpdated,
)
from sidecar.core.facts import MessagesDropped
from sidecar.core.ports import Notify, SessionFollower
from sidecar.core.registry.changes import Closed, Updated

CRITICAL_LINE = (
    "Critical: ClaraVoiceAgent failed to connect to the LiveKit server."
    " Voice features will be unavailable."
)
"""The customer's text. The cause goes on the next line of the same log record."""

BOUT_MS = 10_000
"""After a pause of this many milliseconds, dropped messages of a participant are a new bout."""

_IN_ROOM = (AgentState.CONNECTED, AgentState.RECONNECTING)
_OUT_OF_ROOM = (AgentState.BACKOFF, AgentState.FAILED)

_log = logging.getLogger("sidecar.agent")


class Announcer:
    """Numbers the notifications, from 1, and counts sessions, errors and reconnects."""

    def __init__(self, notify: Notify, followers: Sequence[SessionFollower], epoch: str) -> None:
        """Start at seq 0. *followers* are told of each session after the client."""
        self.epoch = epoch
        self.seq = 0
        self.reason: str | None = None
        """The reason of the last agent-state-changed."""
        self._created = 0
        self._closed = 0
        self._errors = 0
        self._reconnects = 0
        self._dropped = 0
        self._flooding_ms: dict[str, int] = {}
        """When messages of an identity were last dropped, on the steady clock."""
        self._notify = notify
        self._followers = tuple(followers)

    def counters(self) -> Counters:
        """Return the totals since the process started."""
        return Counters(self._created, self._closed, self._errors, self._reconnects, self._dropped)

    def session_created(self, session: AgentSession) -> None:
        """Announce a new session, then start its followers."""
        _log.info("🎤 Participant joined: %s", session.participant_id)
        self._created += 1
        self._notify(SessionCreated(session, **self._stamp()))
        if self._follow(session):
            _log.info("✅ Session %s initialized successfully", session.session_id)

    def session_resumed(self, session: AgentSession, earlier: Sequence[Message]) -> None:
        """Start the followers of a session of an earlier process; *earlier* are its messages."""
        self._follow(session, earlier)

    def session_updated(self, updated: Updated) -> None:
        """Announce the changed members of a session."""
        self._notify(SessionUpdated(updated.session, updated.changed, **self._stamp()))
        self._tell("changed", lambda follower: follower.changed(updated.session))

    def session_closed(self, closed: Closed) -> None:
        """End the followers of a session, then announce that the session closed."""
        _log.info("🧹 Cleaning up session %s", closed.session.session_id)
        self._closed += 1
        self._tell("closed", lambda follower: follower.closed(closed.session))
        self._notify(
            SessionClosed(closed.session, closed.reason, detail=closed.detail, **self._stamp())
        )

    def messages_dropped(self, dropped: MessagesDropped, now_ms: int) -> None:
        """Count dropped messages; log the first ones of a bout. *now_ms*: the steady clock."""
        self._dropped += dropped.count
        over = [who for who, ms in self._flooding_ms.items() if ms + BOUT_MS <= now_ms]
        for who in over:
            del self._flooding_ms[who]
        if dropped.identity not in self._flooding_ms:
            _log.warning(
                "Participant %s sends more than 100 messages a second. The rest is dropped and not"
                " counted; `getStatus` has the number. To stop it, send `closeSession`.",
                dropped.identity,
            )
        self._flooding_ms[dropped.identity] = now_ms

    def _follow(self, session: AgentSession, earlier: Sequence[Message] = ()) -> bool:
        """Start the followers of *session*; False if a follower failed. The session goes on."""
        for follower in self._followers:
            try:
                follower.opened(session, earlier)
            except Exception as error:
                self._errors += 1
                _log.error(
                    "Failed to initialize session for participant %s. Error: %s",
                    session.participant_id,
                    error,
                )
                _log.debug("The follower failed, by a bug.", exc_info=True)
                return False
        return True

    def _tell(self, what: str, tell: Callable[[SessionFollower], None]) -> None:
        for follower in self._followers:
            try:
                tell(follower)
            except Exception:
                _log.exception("A follower did not take that a session %s, by a bug.", what)

    def agent_state_changed(
        self,
        decision: Decision,
        cause: Cause,
        capabilities: Capabilities,
        server_ahead_ms: int | None,
    ) -> None:
        """Announce the agent's new state, or its next attempt to join."""
        _log.debug("Agent %s -> %s (%s)", decision.previous, decision.state, cause.words)
        self._reconnects += cause.event is Event.RECONNECTED
        self._log_link(decision, cause)
        self.reason = cause.words
        retry_in_s = decision.retry_in_s
        self._notify(
            AgentStateChanged(
                state=decision.state,
                previous_state=decision.previous,
                capabilities=capabilities,
                reason=cause.words,
                error=cause.failure,
                attempt=decision.attempt or None,
                retry_in_ms=None if retry_in_s is None else round(retry_in_s * 1000),
                server_ahead_ms=server_ahead_ms,
                **self._stamp(),
            )
        )

    def _log_link(self, decision: Decision, cause: Cause) -> None:
        was_in_room = decision.previous in _IN_ROOM
        if decision.state is AgentState.RECONNECTING:
            _log.warning("The connection to the LiveKit server is interrupted; reconnecting.")
        elif decision.state is AgentState.CONNECTED and was_in_room:
            _log.info("The connection to the LiveKit server is back.")
        elif cause.event is Event.NOBODY_THERE:
            _log.info("No person is in the room. The agent joins it when a person comes.")
        elif decision.state in _OUT_OF_ROOM and was_in_room:
            _log.warning("The agent lost its room (%s). %s", cause.words, _next_try(decision))

    def joined(self, room_name: str, url: str, identity: str) -> None:
        """Log that the agent joined a room. Pass *url* through `config.shown_url` first."""
        _log.info("Connected to room %s at %s as %s.", room_name, url, identity)
        self._tell("has a Room", lambda follower: follower.joined())

    def failed(self, failure: Failure, cause: Cause, decision: Decision) -> None:
        """Log that a join failed, or that the server removed the agent."""
        what = f"{failure.category}: {failure.detail}"
        if cause.event in (Event.EVICTED, Event.IDENTITY_TAKEN):
            _log.error("%s %s", what, failure.fix)
            return
        self._errors += 1
        if decision.is_first_failure:
            words = f"{what} {failure.fix} {_next_try(decision)}"
            _log.critical(CRITICAL_LINE, extra={"cause": words})
        elif failure.retryable:
            _log.warning("%s %s", what, _next_try(decision))
        else:
            _log.error("%s %s %s", what, failure.fix, _next_try(decision))

    def _stamp(self) -> dict[str, Any]:  # Any: two members of different types, by name
        self.seq += 1
        return {"seq": self.seq, "epoch": self.epoch}


def _next_try(decision: Decision) -> str:
    if decision.retry_in_s is not None:
        return f"Next try in {decision.retry_in_s:.1f} s."
    if decision.state is AgentState.WAITING_FOR_TOKEN:
        return "Next try with a new token."
    return "It does not try again until `connect`."
