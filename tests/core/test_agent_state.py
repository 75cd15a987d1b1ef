"""The agent's table: every pair of state and event, and what goes with the rows."""

from __future__ import annotations

import pytest

from sidecar.core.agent_state import (
    TABLE,
    Do,
    Event,
    Retry,
    Row,
)
from sidecar.core.contract.messages import AgentState
from tests.core.machines import machine_in

PAIRS = [(state, event) for state in AgentState for event in Event]
NOT_IN_TABLE = [pair for pair in PAIRS if pair not in TABLE]
IN_ROOM = {AgentState.CONNECTED, AgentState.RECONNECTING}
WAITS = {AgentState.BACKOFF, AgentState.WAITING_FOR_TOKEN}
ROWS = [(*pair, row) for pair, row in TABLE.items()]


@pytest.mark.parametrize(("state", "event"), NOT_IN_TABLE)
def test_every_other_pair_does_nothing_and_changes_nothing(state: AgentState, event: Event):
    machine = machine_in(state)
    before = (machine.state, machine.attempt, machine.due_s)
    decision = machine.on(event, 1.0)
    assert (decision.previous, decision.state, decision.does) == (state, state, ())
    assert decision.retry_in_s is None
    assert (machine.state, machine.attempt, machine.due_s) == before


def test_every_event_every_effect_and_every_retry_has_a_row():
    assert {event for _, event in TABLE} == set(Event)
    assert {what for row in TABLE.values() for what in row.does} == set(Do)
    assert {row.retry for row in TABLE.values()} == {*Retry, None}


@pytest.mark.parametrize(("state", "event", "row"), ROWS)
def test_a_row_leads_to_its_next_state_with_its_effects(state: AgentState, event: Event, row: Row):
    decision = machine_in(state).on(event, 1.0)
    assert (decision.previous, decision.state, decision.does) == (state, row.next, row.does)
    assert (decision.retry_in_s is not None) is (row.retry is not None)


@pytest.mark.parametrize(("state", "event", "row"), ROWS)
def test_a_room_is_opened_exactly_where_connecting_begins(
    state: AgentState, event: Event, row: Row
):
    assert (Do.OPEN in row.does) is (row.next is AgentState.CONNECTING)


@pytest.mark.parametrize(("state", "event", "row"), ROWS)
def test_who_leaves_a_room_drops_it_and_tells_the_sessions(
    state: AgentState, event: Event, row: Row
):
    if state in IN_ROOM and row.next not in IN_ROOM:
        assert Do.DROP in row.does
        assert {Do.LINK_LOST, Do.CLOSE_ALL} & set(row.does)


@pytest.mark.parametrize(("state", "event", "row"), ROWS)
def test_the_sessions_are_told_of_each_change_of_the_link(
    state: AgentState, event: Event, row: Row
):
    if row.next is AgentState.CONNECTED and event is not Event.STEADY:
        assert {Do.SNAPSHOT, Do.POLL} <= set(row.does)
    if row.next is AgentState.RECONNECTING:
        assert Do.LINK_LOST in row.does


@pytest.mark.parametrize(("state", "event", "row"), ROWS)
def test_the_callers_of_connect_are_answered_wherever_an_attempt_ends(
    state: AgentState, event: Event, row: Row
):
    if state is AgentState.CONNECTING:
        assert Do.ANSWER in row.does
    if Do.LOG_FAILURE in row.does and state not in IN_ROOM:
        assert Do.ANSWER in row.does


@pytest.mark.parametrize(("state", "event", "row"), ROWS)
def test_only_what_waits_is_tried_again_and_a_backoff_always_is(
    state: AgentState, event: Event, row: Row
):
    if row.retry is not None:
        assert row.next in WAITS
    if row.next is AgentState.BACKOFF:
        assert row.retry is not None


@pytest.mark.parametrize("state", sorted(set(AgentState) - {AgentState.STOPPING}))
def test_a_disconnect_and_a_shutdown_close_all_from_everywhere(state: AgentState):
    for event, after in (
        (Event.DISCONNECT, AgentState.IDLE),
        (Event.SHUTDOWN, AgentState.STOPPING),
    ):
        row = TABLE[(state, event)]
        assert row.next is after
        assert {Do.CLOSE_ALL, Do.DROP, Do.ANSWER} == set(row.does)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Do.SNAPSHOT, Do.ANSWER),
        (Do.SNAPSHOT, Do.POLL),
        (Do.LOG_FAILURE, Do.ANSWER),
    ],
)
def test_what_is_done_stands_in_an_order_that_makes_the_answer_true(before: Do, after: Do):
    for row in TABLE.values():
        if before in row.does and after in row.does:
            assert row.does.index(before) < row.does.index(after)


@pytest.mark.parametrize("state", sorted(AgentState))
def test_a_room_is_joined_in_two_states_and_under_way_in_a_third(state: AgentState):
    machine = machine_in(state)
    assert machine.is_in_room is (state in ("connected", "reconnecting"))
    assert machine.is_under_way is (state in ("connecting", "connected", "reconnecting"))
