"""What can be wrong, and which close reasons the server's words and our faults ask for: tables."""

from __future__ import annotations

KINDS = (
    "missed",
    "doubled",
    "fake end",
    "out of order",
    "ghost",
    "wrong reason",
    "miscounted",
    "unknown sid",
)
"""Of violations, in the order in which they are told."""

LATE_S = 30.0
"""From a fault to the last that comes of it, webhooks held back by it included."""

BY_SERVERS_REASON = {
    "CLIENT_INITIATED": {"left"},
    "DUPLICATE_IDENTITY": {"replaced"},
    "PARTICIPANT_REMOVED": {"removed"},
    "ROOM_DELETED": {"room-closed"},
    "ROOM_CLOSED": {"room-closed"},
    "CONNECTION_TIMEOUT": {"connection-lost"},
    "STATE_MISMATCH": {"connection-lost"},
    "JOIN_FAILURE": {"join-failed"},
    "SIGNAL_CLOSE": {"join-failed", "connection-lost"},
    "SERVER_SHUTDOWN": {"server-shutdown"},
}
"""By LiveKit's reason in the webhook of the end, what a session may close with."""

ASKED_TO_CLOSE = {
    "disconnect": ("agent-disconnected", 5.0),
    "agent removed": ("agent-disconnected", LATE_S),
    "agent doubled": ("agent-disconnected", LATE_S),
    "sidecar ended": ("sidecar-shutdown", 5.0),
}
"""By fault, what sessions close with, and for how many seconds after it."""
