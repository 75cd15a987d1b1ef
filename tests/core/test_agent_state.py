"""The agent's table: every pair of state and event, and what goes with the rows."""

from __future__ import annotations

import pytest

from sidecar.core.agent_state import (
    TABLE,
    AgentMachine,
    Do,
    Event,
)
from sidecar.core.contract.messages import AgentState

ROUTES: dict[AgentState, tuple[Event, ...]] = {
    AgentState.IDLE: (),
    AgentState.CONNECTING: (Event.CONNECT,),
    AgentState.CONNECTED: (Event.CONNECT, Event.JOINED),
    AgentState.RECONNECTING: (Event.CONNECT, Event.JOINED, Event.RECONNECTING),
    AgentState.BACKOFF: (Event.CONNECT, Event.FAILED),
    AgentState.WAITING_FOR_TOKEN: (Event.TOKEN_NEEDED,),
    AgentState.FAILED: (Event.CONNECT, Event.REFUSED),
    AgentState.STOPPING: (Event.SHUTDOWN,),
}
"""How each state is reached from idle."""

S, E, D = AgentState, Event, Do
FINAL_AND_RETRYABLE = (S.BACKOFF, {D.DROP, D.ROOM_LOST, D.WAIT})
FINAL_ROOM_GONE = (S.BACKOFF, {D.DROP, D.CLOSE_ALL, D.WAIT})
FINAL_EVICTED = (S.FAILED, {D.DROP, D.CLOSE_ALL})
TRIED_AGAIN_LATER = (S.WAITING_FOR_TOKEN, {D.CRITICAL, D.ANSWER, D.WAIT})
DESIGN: dict[tuple[AgentState, Event], tuple[AgentState, set[Do]]] = {
    (S.IDLE, E.CONNECT): (S.CONNECTING, {D.OPEN}),
    (S.FAILED, E.CONNECT): (S.CONNECTING, {D.OPEN}),
    (S.WAITING_FOR_TOKEN, E.CONNECT): (S.CONNECTING, {D.OPEN}),
    (S.BACKOFF, E.CONNECT): (S.CONNECTING, {D.OPEN}),
    (S.BACKOFF, E.TIMER): (S.CONNECTING, {D.OPEN}),
    (S.BACKOFF, E.WAKE): (S.CONNECTING, {D.OPEN}),
    (S.CONNECTING, E.JOINED): (S.CONNECTED, {D.SNAPSHOT, D.ANSWER, D.POLL}),
    (S.CONNECTING, E.ANSWER_LIMIT): (S.CONNECTING, {D.ANSWER_TIMEOUT}),
    (S.CONNECTING, E.FAILED): (S.BACKOFF, {D.CRITICAL, D.ANSWER, D.WAIT}),
    (S.CONNECTING, E.REFUSED): (S.FAILED, {D.CRITICAL, D.ANSWER}),
    (S.CONNECTING, E.TOKEN_EXPIRED): (S.WAITING_FOR_TOKEN, {D.CRITICAL, D.ANSWER}),
    # Where the client gives tokens.
    **{
        (state, E.TOKEN_NEEDED): (S.WAITING_FOR_TOKEN, {D.ASK})
        for state in (S.IDLE, S.FAILED, S.BACKOFF, S.WAITING_FOR_TOKEN)
    },
    (S.WAITING_FOR_TOKEN, E.TOKEN_GIVEN): (S.CONNECTING, {D.OPEN}),
    (S.WAITING_FOR_TOKEN, E.TIMER): (S.CONNECTING, {D.OPEN}),
    (S.WAITING_FOR_TOKEN, E.TOKEN_FAILED): TRIED_AGAIN_LATER,
    (S.CONNECTING, E.FRESH_TOKEN_REFUSED): TRIED_AGAIN_LATER,
    (S.CONNECTING, E.TOKEN_REFUSED): (S.WAITING_FOR_TOKEN, {D.CRITICAL, D.ANSWER, D.ASK}),
    (S.WAITING_FOR_TOKEN, E.ANSWER_LIMIT): (S.WAITING_FOR_TOKEN, {D.ANSWER_TIMEOUT}),
    (S.CONNECTED, E.RECONNECTING): (S.RECONNECTING, {D.LINK_LOST}),
    (S.CONNECTED, E.STEADY): (S.CONNECTED, set()),
    (S.RECONNECTING, E.RECONNECTED): (S.CONNECTED, {D.SNAPSHOT, D.POLL}),
    (S.RECONNECTING, E.WATCHDOG): (S.BACKOFF, {D.DROP, D.ROOM_LOST, D.AT_ONCE}),
    # At the edges, 2: a listed active person without a session in 3 polls.
    (S.CONNECTED, E.DEAF): (S.BACKOFF, {D.DROP, D.ROOM_LOST, D.AT_ONCE}),
    (S.CONNECTED, E.LOST): FINAL_AND_RETRYABLE,
    (S.RECONNECTING, E.LOST): FINAL_AND_RETRYABLE,
    (S.CONNECTED, E.ROOM_GONE): FINAL_ROOM_GONE,
    (S.RECONNECTING, E.ROOM_GONE): FINAL_ROOM_GONE,
    (S.CONNECTED, E.EVICTED): FINAL_EVICTED,
    (S.RECONNECTING, E.EVICTED): FINAL_EVICTED,
    **{
        (state, event): (after, {D.CLOSE_ALL, D.DROP, D.ANSWER})
        for state in S
        if state is not S.STOPPING
        for event, after in ((E.DISCONNECT, S.IDLE), (E.SHUTDOWN, S.STOPPING))
    },
}
"""Written out from the specification."""

PAIRS = [(state, event) for state in AgentState for event in Event]
ILLEGAL = [pair for pair in PAIRS if pair not in DESIGN]


def machine_in(state: AgentState, now_s: float = 0.0) -> AgentMachine:
    """A machine in *state* since *now_s*."""
    machine = AgentMachine()
    for event in ROUTES[state]:
        machine.on(event, now_s)
    assert machine.state is state
    return machine


@pytest.mark.parametrize(("state", "event"), sorted(DESIGN, key=str))
def test_each_pair_of_the_table_leads_where_the_specification_says(state: AgentState, event: Event):
    machine = machine_in(state)
    decision = machine.on(event, 1.0)
    after, does = DESIGN[(state, event)]
    assert (decision.previous, decision.state, machine.state) == (state, after, after)
    assert set(decision.does) == does
    assert len(decision.does) == len(does)


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_every_other_pair_does_nothing_and_changes_nothing(state: AgentState, event: Event):
    machine = machine_in(state)
    before = (machine.state, machine.room_number, machine.attempt, machine.deadline())
    decision = machine.on(event, 1.0)
    assert (decision.previous, decision.state, decision.does) == (state, state, ())
    assert decision.retry_in_s is None
    assert (machine.state, machine.room_number, machine.attempt, machine.deadline()) == before


def test_the_product_s_table_has_no_row_beside_the_specification_s():
    assert set(TABLE) == set(DESIGN)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (D.SNAPSHOT, D.ANSWER),
        (D.SNAPSHOT, D.POLL),
        (D.CRITICAL, D.ANSWER),
    ],
)
def test_what_is_done_stands_in_an_order_that_makes_the_answer_true(before: Do, after: Do):
    for row in TABLE.values():
        if before in row.does and after in row.does:
            assert row.does.index(before) < row.does.index(after)


# The number of the Room


@pytest.mark.parametrize(("state", "event"), sorted(DESIGN, key=str))
def test_a_room_opened_or_dropped_changes_the_number_that_counts(state: AgentState, event: Event):
    machine = machine_in(state)
    before = machine.room_number
    decision = machine.on(event, 1.0)
    changes = bool({D.OPEN, D.DROP} & set(decision.does))
    assert (decision.room_number > before) is changes
    assert decision.room_number == machine.room_number
