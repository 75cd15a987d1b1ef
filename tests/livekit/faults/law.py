"""The law that every row is judged by: what a consumer of the notifications may rely on.

Owns the fold of one sidecar's notifications. Knows no server, no clock and no process; a broken
law is a LawBroken that says which; `story()` is all that was told until then. A law once broken
stays broken: each later call raises the first breach again, so that no second one hides it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sidecar.core.contract.close_reasons import CloseReason
from sidecar.dev.stdio_client import JsonObject, Notification

AGENT_STATES = frozenset(
    {
        *("idle", "connecting", "connected", "reconnecting"),
        *("backoff", "waiting-for-token", "failed", "stopping"),
    }
)
FIXED = ("sessionId", "participantId", "participantSid", "roomName", "startTime", "kind")
"""Members that never change while a session is open."""
SHUTDOWN = CloseReason.SIDECAR_SHUTDOWN.value


class LawBroken(AssertionError):
    """A promise was not kept."""


@dataclass(frozen=True)
class Close:
    """One `session-closed`."""

    identity: str
    reason: str
    detail: str | None
    session_id: str
    sid: str


class Law:
    """Folds the notifications of one sidecar process and raises at the first broken promise.

    `resumed` are the sessions that it lists right after an `initialize` with `resume`.
    """

    def __init__(self, resumed: Iterable[JsonObject] = ()) -> None:
        """Nothing is accepted yet: a close needs accept() before, unless it is the shutdown's."""
        self.open: dict[str, JsonObject] = {}
        """The fold: session id to session, oldest announcement first."""
        self.closes: list[Close] = []
        self.created_sids: list[str] = []
        """Of each `session-created`, in order."""
        self.seq = 0
        self.agent_state = "idle"
        self.agent_states: list[str] = []
        self._epoch: object = None
        self._used_ids: set[str] = set()
        self._accepted: dict[str, frozenset[str]] = {}
        self._may_reopen: set[str] = set()
        self._told: list[str] = []
        self._began_s: float | None = None
        self._broken: LawBroken | None = None
        for session in resumed:
            session_id = str(session["sessionId"])
            self.open[session_id] = session
            self._used_ids.add(session_id)

    def accept(self, closes: Mapping[str, Collection[str]]) -> None:
        """From now on, sessions of these identities may close for these reasons alone."""
        self._accepted |= {identity: frozenset(reasons) for identity, reasons in closes.items()}

    def accept_reopening(self, *identities: str) -> None:
        """Let a sid of these identities that closed by inference come back under a new id.

        Only where the agent itself was away for over 45 s, or was disconnected.
        """
        self._may_reopen |= set(identities)

    def take(self, told: Notification) -> None:
        """Fold one notification. Raises LawBroken."""
        self._keep(told)
        self._holds_so_far()
        params = told.params
        seq = params.get("seq")
        self._holds(seq == self.seq + 1, f"seq {seq} follows {self.seq}")
        self.seq += 1
        if self._epoch is None:
            self._epoch = params.get("epoch")
        self._holds(bool(self._epoch) and params.get("epoch") == self._epoch, "another epoch")
        if told.method == "agent-state-changed":
            self._agent(params)
        elif told.method == "session-created":
            self._created(self._session(params))
        elif told.method == "session-updated":
            self._updated(self._session(params), params.get("changed"))
        elif told.method == "session-closed":
            self._closed(self._session(params), params)
        else:
            self._holds(False, f"the notification {told.method} is not of this protocol")

    def check_list(self, answer: JsonObject) -> None:
        """Hold a `listSessions` answer against the fold of all up to its seq. Raises LawBroken."""
        self._holds_so_far()
        self._holds(answer["seq"] == self.seq, f"a list of seq {answer['seq']} at {self.seq}")
        if self._epoch is not None:
            self._holds(answer["epoch"] == self._epoch, "a list of another epoch")
        listed, fold = answer["sessions"], list(self.open.values())
        self._holds(listed == fold, f"listSessions is not the fold:\nlist {listed}\nfold {fold}")

    def check_end(self) -> None:
        """After the process's orderly end: each created was closed. Raises LawBroken."""
        self._holds_so_far()
        self._holds(not self.open, f"never closed: {sorted(self.open)}")

    def identities(self) -> list[str]:
        """Whose sessions are open, sorted; an identity is there once."""
        return sorted(str(each["participantId"]) for each in self.open.values())

    def sids(self) -> set[str]:
        """The sids of the open sessions."""
        return {str(each["participantSid"]) for each in self.open.values()}

    def closed(self, identity: str) -> list[tuple[str, str | None]]:
        """(reason, detail) of each close of this identity, in order."""
        return [(c.reason, c.detail) for c in self.closes if c.identity == identity]

    def story(self) -> str:
        """All that was told, one line each, with seconds since the first."""
        return "\n".join(self._told)

    def _agent(self, params: JsonObject) -> None:
        state, previous = params.get("state"), params.get("previousState")
        self._holds(state in AGENT_STATES, f"the agent's state is {state}")
        self._holds(previous == self.agent_state, f"from {previous}, but was {self.agent_state}")
        self.agent_state = str(state)
        self.agent_states.append(self.agent_state)

    def _created(self, session: JsonObject) -> None:
        session_id, sid = str(session["sessionId"]), str(session["participantSid"])
        identity = str(session["participantId"])
        self._holds(session_id not in self._used_ids, f"the id {session_id} comes twice")
        self._holds(identity not in self.identities(), f"{identity} has two open sessions")
        self._holds(sid not in self.sids(), f"{sid} has two open sessions")
        again = sid in self.created_sids
        self._holds(not again or identity in self._may_reopen, f"{sid} of {identity} reopens")
        self._holds(session["connectionState"] == "connecting", "created, and not connecting")
        self._holds("endTime" not in session, "created with an endTime")
        self._used_ids.add(session_id)
        self.created_sids.append(sid)
        self.open[session_id] = session

    def _updated(self, session: JsonObject, changed: object) -> None:
        before = self._known(session, "updated")
        differing = {
            name for name in before.keys() | session.keys() if before.get(name) != session.get(name)
        }
        told = set(changed) if isinstance(changed, list) else set()
        self._holds(told == differing, f"changed says {sorted(told)}, not {sorted(differing)}")
        self._holds(session["connectionState"] != "closed", "closed by an update")
        self.open[str(session["sessionId"])] = session

    def _closed(self, session: JsonObject, params: JsonObject) -> None:
        self._known(session, "closed")
        reason, detail = str(params.get("reason")), params.get("detail")
        self._holds(reason in set(CloseReason), f"{reason} is no reason of the enum")
        self._holds(session["connectionState"] == "closed", "closed, and not in that state")
        end, start = str(session.get("endTime", "")), str(session["startTime"])
        self._holds(end >= start, f"it ends at {end!r}, before {start}")
        identity = str(session["participantId"])
        accepted = self._accepted.get(identity, frozenset())
        orderly = reason == SHUTDOWN and self.agent_state == "stopping"
        self._holds(
            orderly or reason in accepted,
            f"{identity}'s session closed {reason} ({detail}); accepted: {sorted(accepted)}",
        )
        session_id = str(session["sessionId"])
        del self.open[session_id]
        shown = None if detail is None else str(detail)
        self.closes.append(
            Close(identity, reason, shown, session_id, str(session["participantSid"]))
        )

    def _known(self, session: JsonObject, what: str) -> JsonObject:
        before = self.open.get(str(session["sessionId"]))
        if before is None:
            raise self._breach(f"{session['sessionId']} {what} while not open")
        for name in FIXED:
            self._holds(before[name] == session[name], f"{name} changed to {session[name]}")
        return before

    def _keep(self, told: Notification) -> None:
        if self._began_s is None:
            self._began_s = told.at_s
        params = {n: v for n, v in told.params.items() if n not in ("epoch", "capabilities")}
        session = params.pop("session", None)
        if isinstance(session, dict):
            names = ("sessionId", "participantSid", "connectionState", "startTime", "endTime")
            params |= {name: session[name] for name in names if name in session}
        self._told.append(f"{told.at_s - self._began_s:8.3f} s  {told.method}  {params}")

    def _session(self, params: JsonObject) -> JsonObject:
        session = params.get("session")
        if not isinstance(session, dict):
            raise self._breach(f"no session in {params}")
        return session

    def _holds(self, held: bool, otherwise: str) -> None:
        if not held:
            raise self._breach(otherwise)

    def _holds_so_far(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _breach(self, what: str) -> LawBroken:
        self._broken = LawBroken(what)
        return self._broken
