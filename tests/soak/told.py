"""A course of events as the tests of the judge write it: a few lines, by the second.

Owns the making of webhooks and notifications from them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import count

from tests.soak.hearing import Hearing
from tests.soak.judge import Judge
from tests.soak.ledger import Fault, Ledger

EPOCH = "e"
UNTIL_S = 500.0


class Told:
    """A ledger and a hearing that agree on one agent, connected from second 1 on."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.heard = Hearing()
        self._seq = count(1)
        self._webhooks = count(1)
        self.heard.process_began(0.0, EPOCH)
        self.agent(0.5, "idle", "connecting")
        self.agent(1.0, "connecting", "connected")

    def agent(self, at_s: float, before: str, state: str) -> None:
        self._hear(at_s, "agent-state-changed", {"state": state, "previousState": before})

    def joined(self, at_s: float, sid: str, identity: str = "bob") -> None:
        self._webhook(at_s, "participant_joined", sid, identity)

    def left(
        self,
        at_s: float,
        sid: str,
        reason: str = "CLIENT_INITIATED",
        identity: str = "bob",
        *,
        said_s: float | None = None,
    ) -> None:
        self._webhook(at_s, "participant_left", sid, identity, reason, said_s)

    def created(self, at_s: float, sid: str, identity: str = "bob", name: str = "") -> None:
        session = _session(name or sid, sid, identity, "connecting")
        self._hear(at_s, "session-created", {"session": session})

    def updated(self, at_s: float, sid: str, identity: str = "bob", *, messages: int) -> None:
        session = _session(sid, sid, identity, "connecting") | {"messageCount": messages}
        params = {"session": session, "changed": ["messageCount"]}
        self._hear(at_s, "session-updated", params)

    def closed(
        self,
        at_s: float,
        sid: str,
        reason: str = "left",
        detail: str = "",
        identity: str = "bob",
        name: str = "",
        messages: int = 0,
    ) -> None:
        session = _session(name or sid, sid, identity, "closed") | {"endTime": "2"}
        session["messageCount"] = messages
        self._hear(at_s, "session-closed", {"session": session, "reason": reason, "detail": detail})

    def fault(self, kind: str, began_s: float, ended_s: float) -> None:
        self.ledger.fault(Fault(kind, began_s, ended_s))

    def verdict(self) -> list[str]:
        self.ledger.settle(self.heard.first_created_s())
        return [each.kind for each in Judge(self.ledger, self.heard, UNTIL_S).verdict()]

    def _webhook(
        self,
        at_s: float,
        name: str,
        sid: str,
        identity: str,
        reason: str | None = None,
        said_s: float | None = None,
    ) -> None:
        participant = {"sid": sid, "identity": identity, "disconnectReason": reason or ""}
        event: dict[str, object] = {"id": str(next(self._webhooks)), "event": name}
        event["participant"] = participant
        if said_s is not None:
            event["createdAt"] = str(int(time.time() - time.monotonic() + said_s))
        self.ledger.webhook(at_s, event)

    def _hear(self, at_s: float, method: str, params: Mapping[str, object]) -> None:
        self.heard.take(at_s, method, {**params, "seq": next(self._seq), "epoch": EPOCH})


def _session(name: str, sid: str, identity: str, state: str) -> dict[str, object]:
    return {
        "sessionId": f"session_{name}",
        "participantId": identity,
        "participantSid": sid,
        "roomName": "room",
        "startTime": "1",
        "messageCount": 0,
        "connectionState": state,
    }
