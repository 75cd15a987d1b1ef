"""Each close reason is reached on the real server, with LiveKit's own reason where it gives one."""

from __future__ import annotations

import pytest

from sidecar.core.contract.close_reasons import CloseReason
from tests.livekit.faults import test_people_faults as people
from tests.livekit.faults import test_people_reconnect as people_reconnect
from tests.livekit.faults import test_restarts as restarts
from tests.livekit.faults import test_room_and_agent as room_and_agent
from tests.livekit.faults.rows import Matrix, Test, on_lanes, row_of

REACHED_BY: dict[CloseReason, tuple[str | None, Test]] = {
    CloseReason.LEFT: ("CLIENT_INITIATED", people.test_a_person_who_leaves),
    CloseReason.CONNECTION_LOST: ("CONNECTION_TIMEOUT", people.test_a_person_killed),
    CloseReason.JOIN_FAILED: (
        "SIGNAL_CLOSE",
        people.test_a_person_announced_who_is_dropped_and_never_was_active,
    ),
    CloseReason.REPLACED: (None, people.test_a_silent_person_replaced_by_their_own_identity),
    CloseReason.REMOVED: ("PARTICIPANT_REMOVED", people.test_a_person_kicked),
    CloseReason.ROOM_CLOSED: ("ROOM_DELETED", room_and_agent.test_a_room_deleted),
    CloseReason.LEFT_DURING_RECONNECT: (None, restarts.test_a_restart_that_resumes),
    CloseReason.SERVER_SHUTDOWN: (
        "SERVER_SHUTDOWN",
        people_reconnect.test_a_person_told_by_the_server_to_leave,
    ),
    CloseReason.AGENT_DISCONNECTED: ("PARTICIPANT_REMOVED", room_and_agent.test_an_agent_kicked),
    CloseReason.SIDECAR_SHUTDOWN: (None, room_and_agent.test_a_room_deleted),
}
"""Beside each, what `detail` says, and the row that shows it."""


def test_the_table_names_every_reason_but_the_bridges_own() -> None:
    assert set(REACHED_BY) == set(CloseReason) - {CloseReason.SIDECAR_EXITED}


@pytest.mark.full
@on_lanes
@pytest.mark.parametrize("reason", REACHED_BY)
async def test_a_close_reason_is_reached(matrix: Matrix, reason: CloseReason) -> None:
    detail, shown_by = REACHED_BY[reason]
    assert (reason.value, detail) in await matrix.outcome(row_of(shown_by))
