"""What the consumer heard: every notification of every sidecar process, in the order of arrival.

Owns the fold of the changes, which is what a bridge shows, and the sessions as stories with a
beginning and an end. Judges nothing but the order. Times are seconds of the machine's monotonic
clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.dev.stdio_client import JsonObject

RESUMED = ("sessionId", "participantId", "participantSid", "roomName", "startTime", "messageCount")


@dataclass
class Session:
    """One session's story."""

    id: str
    sid: str
    identity: str
    created_s: float
    closed_s: float = float("inf")
    reason: str = ""
    detail: str = ""
    message_count: int = 0


@dataclass(frozen=True)
class Disorder:
    """Something that broke the order or the shape."""

    at_s: float
    words: str
    identity: str = ""


@dataclass
class AgentState:
    """The agent was in `state` from here on; `gone` while there is no process."""

    at_s: float
    state: str
    why: str = ""


class Hearing:
    """Takes notifications; keeps what they come to."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.sessions: list[Session] = []
        self.states: list[AgentState] = [AgentState(0.0, "gone")]
        self.disorders: list[Disorder] = []
        self.lines: list[tuple[float, str, str]] = []
        """When, whose identity, and what in words."""
        self.shown: dict[str, JsonObject] = {}
        """The fold: open sessions by id, as last announced."""
        self.seq = 0
        self._epoch = ""
        self._open: dict[str, Session] = {}
        self._used: set[str] = set()

    @property
    def state(self) -> str:
        """The agent's state."""
        return self.states[-1].state

    def first_created_s(self) -> dict[str, float]:
        """When each sid had its session first."""
        return {each.sid: each.created_s for each in reversed(self.sessions)}

    def resumable(self) -> list[JsonObject]:
        """The open sessions as `initialize.resume` takes them."""
        return [_essence(each) for each in self.shown.values()]

    def process_began(self, at_s: float, epoch: str) -> None:
        """A new process: its seq starts anew."""
        self._epoch, self.seq = epoch, 0
        self.states.append(AgentState(at_s, "idle"))

    def process_ended(self, at_s: float) -> None:
        """The process is gone, and all it had to say has been taken."""
        self.states.append(AgentState(at_s, "gone"))

    def forget_ids(self) -> None:
        """An end in order: ids are unique in a process and those that resume it."""
        self._used.clear()

    def take(self, at_s: float, method: str, params: Mapping[str, object]) -> None:
        """Take one notification."""
        self._check_stamp(at_s, method, params)
        if method == "agent-state-changed":
            state, why = str(params["state"]), str(params.get("reason", ""))
            self.lines.append((at_s, "", f"agent   {params['previousState']} -> {state} ({why})"))
            if params["previousState"] != self.state:
                self._disorder(at_s, f"agent was {self.state}, not {params['previousState']}")
            self.states.append(AgentState(at_s, state, why))
            return
        shown = params["session"]
        assert isinstance(shown, dict)
        session_id, identity = str(shown["sessionId"]), str(shown["participantId"])
        more = {k: params[k] for k in ("reason", "detail", "changed") if k in params}
        words = f"{method} {session_id} {shown['participantSid']} {shown['connectionState']} {more}"
        self.lines.append((at_s, identity, f"sidecar {words}"))
        if method == "session-created":
            self._created(at_s, session_id, shown)
        elif session_id not in self._open:
            self._disorder(at_s, f"{method} of {session_id}, which is not open", identity)
        elif method == "session-updated":
            self._updated(at_s, session_id, shown, params["changed"])
        elif method == "session-closed":
            self._closed(at_s, session_id, shown, params)
        else:
            self._disorder(at_s, f"unknown notification {method}", identity)

    def resumed(self, at_s: float, result: Mapping[str, object]) -> None:
        """Hold what a process lists that took the sessions over against the fold; go on from it."""
        listed = {str(each["sessionId"]): each for each in _list(result["sessions"])}
        kept = {session_id: _essence(each) for session_id, each in self.shown.items()}
        if {session_id: _essence(each) for session_id, each in listed.items()} != kept:
            self._disorder(at_s, f"resumed {sorted(listed)} differs from the fold {sorted(kept)}")
        for session_id in kept.keys() & listed.keys():
            self.shown[session_id] = listed[session_id]

    def compare(self, at_s: float, result: Mapping[str, object]) -> bool:
        """Hold a `listSessions` result against the fold; False when it is of another seq."""
        if result["seq"] != self.seq or result["epoch"] != self._epoch:
            return False
        listed = {str(each["sessionId"]): each for each in _list(result["sessions"])}
        if listed != self.shown:
            theirs, ours = sorted(listed), sorted(self.shown)
            self._disorder(at_s, f"listSessions {theirs} differs from the fold {ours}")
        return True

    def _created(self, at_s: float, session_id: str, shown: JsonObject) -> None:
        identity, sid = str(shown["participantId"]), str(shown["participantSid"])
        if session_id in self._used:
            self._disorder(at_s, f"{session_id} is created a second time", identity)
        if shown["connectionState"] != "connecting":
            self._disorder(at_s, f"{session_id} is created {shown['connectionState']}", identity)
        for other in self._open.values():
            if identity == other.identity:
                self._disorder(at_s, f"{session_id} is created while {other.id} is open", identity)
        self._used.add(session_id)
        session = Session(session_id, sid, identity, at_s)
        self.sessions.append(session)
        self._open[session_id] = session
        self.shown[session_id] = shown

    def _updated(self, at_s: float, session_id: str, shown: JsonObject, changed: object) -> None:
        before = self.shown[session_id]
        differs = {
            name for name in before.keys() | shown.keys() if before.get(name) != shown.get(name)
        }
        assert isinstance(changed, list)
        if differs != set(changed):
            words = f"{session_id}: changed says {changed}, what differs is {sorted(differs)}"
            self._disorder(at_s, words, self._open[session_id].identity)
        self.shown[session_id] = shown
        self._open[session_id].message_count = int(str(shown["messageCount"]))

    def _closed(
        self, at_s: float, session_id: str, shown: JsonObject, params: Mapping[str, object]
    ) -> None:
        session = self._open.pop(session_id)
        del self.shown[session_id]
        session.closed_s = at_s
        session.reason, session.detail = str(params["reason"]), str(params.get("detail", ""))
        session.message_count = int(str(shown["messageCount"]))
        if shown["connectionState"] != "closed" or str(shown["endTime"]) < str(shown["startTime"]):
            self._disorder(at_s, f"{session_id} is closed as {shown}", session.identity)

    def _check_stamp(self, at_s: float, method: str, params: Mapping[str, object]) -> None:
        if params["epoch"] != self._epoch or params["seq"] != self.seq + 1:
            words = f"{method} has seq {params['seq']} after {self.seq}, epoch {params['epoch']}"
            self._disorder(at_s, words)
        self.seq = int(str(params["seq"]))

    def _disorder(self, at_s: float, words: str, identity: str = "") -> None:
        self.disorders.append(Disorder(at_s, words, identity))


def _essence(session: JsonObject) -> JsonObject:
    return {name: session[name] for name in RESUMED}


def _list(value: object) -> list[JsonObject]:
    assert isinstance(value, list)
    return value
