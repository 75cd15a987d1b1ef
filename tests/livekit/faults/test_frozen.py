"""Rows that run on the frozen sidecar too: what freezing could break is threads, TLS and timers."""

from __future__ import annotations

import pytest

from tests.livekit.faults import test_network as network
from tests.livekit.faults import test_restarts as restarts
from tests.livekit.faults import test_room_and_agent as room_and_agent
from tests.livekit.faults import test_server_faults as server_faults
from tests.livekit.faults import test_stopped_sidecar as stopped_sidecar
from tests.livekit.faults.rows import on_frozen

test_frozen_restart = on_frozen(restarts.test_a_restart_that_resumes)
test_frozen_server_killed_and_back = pytest.mark.full(
    on_frozen(server_faults.test_a_server_killed_and_back_after_1_s)
)
test_frozen_signal_cut = pytest.mark.full(
    on_frozen(
        network.test_a_participant_who_stays_keeps_the_session_and_one_who_leaves_has_left,
        "signal cut 5 s",
    )
)
test_frozen_sleep = pytest.mark.full(on_frozen(stopped_sidecar.test_a_sleep_of_20_s))
test_frozen_room_deleted = pytest.mark.full(on_frozen(room_and_agent.test_a_room_deleted))
