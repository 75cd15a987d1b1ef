"""The agent's time: the ladder of delays, the watchdog, the end of a room, and who is told."""

from __future__ import annotations

import pytest

from sidecar.core.agent_state import AgentMachine, Event
from sidecar.core.contract.messages import AgentState
from tests.core.machines import machine_in


def failing(machine: AgentMachine, now_s: float, jitter: float = 1.0) -> float:
    """The delay after one more failed attempt at *now_s*."""
    if machine.state is not AgentState.CONNECTING:
        machine.on(Event.CONNECT, now_s)
    delay_s = machine.on(Event.FAILED, now_s, jitter).retry_in_s
    assert delay_s is not None
    return delay_s


def test_the_delays_double_up_to_30_s_for_ever():
    machine = AgentMachine()
    delays = [failing(machine, 0.0) for _ in range(100)]
    assert delays == [1, 2, 4, 8, 16] + [30] * 95


@pytest.mark.parametrize("jitter", [0.0, 0.25, 0.5, 0.999])
def test_jitter_scales_each_delay_between_nothing_and_all_of_it(jitter: float):
    machine = AgentMachine()
    assert [failing(machine, 0.0, jitter) for _ in range(3)] == [jitter, 2 * jitter, 4 * jitter]


def test_the_timer_is_due_when_the_delay_is_over_and_not_before():
    machine = AgentMachine()
    delay_s = failing(machine, 100.0, 0.5)
    assert machine.due_s == 100.0 + delay_s
    assert machine.due(100.0 + delay_s - 0.001) is None
    assert machine.due(100.0 + delay_s) is Event.TIMER


def rejoined(machine: AgentMachine, now_s: float) -> None:
    """Join at *now_s*, from whatever state a join can come from."""
    if machine.state is not AgentState.CONNECTING:
        machine.on(Event.CONNECT, now_s)
    machine.on(Event.JOINED, now_s)


def test_the_ladder_goes_on_when_the_room_is_lost_before_30_s():
    machine = AgentMachine()
    failing(machine, 0.0)
    failing(machine, 0.0)
    rejoined(machine, 10.0)
    assert machine.on(Event.LOST, 39.9).retry_in_s == 4


def test_the_ladder_starts_again_after_30_s_connected():
    machine = AgentMachine()
    for _ in range(5):
        failing(machine, 0.0)
    rejoined(machine, 10.0)
    assert machine.due_s == 40.0
    assert machine.due(40.0) is Event.STEADY
    machine.on(Event.STEADY, 40.0)
    assert machine.due_s is None
    assert machine.on(Event.LOST, 41.0).retry_in_s == 1


def test_the_30_s_begin_anew_with_a_reconnect():
    machine = machine_in(AgentState.CONNECTED, 0.0)
    machine.on(Event.RECONNECTING, 20.0)
    machine.on(Event.RECONNECTED, 25.0)
    assert machine.due_s == 55.0
    assert machine.due(30.0) is None


def test_a_disconnect_starts_the_ladder_again():
    machine = AgentMachine()
    failing(machine, 0.0)
    machine.on(Event.DISCONNECT, 1.0)
    assert failing(machine, 2.0) == 1


@pytest.mark.parametrize("event", [Event.CONNECT, Event.WAKE, Event.TIMER])
def test_whatever_ends_a_backoff_leaves_no_timer_behind(event: Event):
    machine = machine_in(AgentState.BACKOFF)
    machine.on(event, 0.1)
    assert machine.due_s is None


# The watchdog


def test_reconnecting_for_30_s_ends_in_a_backoff_that_is_over_at_once():
    machine = machine_in(AgentState.CONNECTED, 0.0)
    machine.on(Event.RECONNECTING, 50.0)
    assert machine.due_s == 80.0
    assert machine.due(79.9) is None
    assert machine.due(80.0) is Event.WATCHDOG
    decision = machine.on(Event.WATCHDOG, 80.0)
    assert (decision.retry_in_s, machine.due_s) == (0.0, 80.0)
    assert machine.due(80.0) is Event.TIMER


def test_a_reconnect_in_time_takes_the_watchdog_away():
    machine = machine_in(AgentState.RECONNECTING, 0.0)
    machine.on(Event.RECONNECTED, 29.0)
    assert machine.due(30.0) is None


# The end of a room


@pytest.mark.parametrize(
    ("lived_s", "at_once"), [(0.0, False), (4.9, False), (5.0, True), (99.0, True)]
)
@pytest.mark.parametrize("is_reconnecting", [True, False])
def test_a_closed_room_is_rejoined_at_once_only_when_it_lived_5_s(
    lived_s: float, at_once: bool, is_reconnecting: bool
):
    machine = machine_in(AgentState.CONNECTED, 100.0)
    if is_reconnecting:
        machine.on(Event.RECONNECTING, 100.0)
    decision = machine.on(Event.ROOM_GONE, 100.0 + lived_s)
    assert decision.retry_in_s == (0.0 if at_once else 1.0)


def test_the_life_of_a_room_begins_when_the_agent_has_joined_it():
    machine = AgentMachine()
    machine.on(Event.CONNECT, 0.0)
    machine.on(Event.JOINED, 100.0)
    assert machine.on(Event.ROOM_GONE, 101.0).retry_in_s == 1.0


def test_a_room_that_closes_again_and_again_is_rejoined_ever_more_slowly():
    machine = AgentMachine()
    delays = []
    for _ in range(6):
        rejoined(machine, 0.0)
        delays.append(machine.on(Event.ROOM_GONE, 1.0).retry_in_s)
    assert delays == [1, 2, 4, 8, 16, 30]


# Who is told


def test_the_critical_line_comes_once_in_a_series_of_failures():
    machine = AgentMachine()
    criticals = []
    for _ in range(5):
        machine.on(Event.CONNECT, 0.0)
        criticals.append(machine.on(Event.FAILED, 0.0).is_first_failure)
    assert criticals == [True, False, False, False, False]


@pytest.mark.parametrize("last", [Event.REFUSED, Event.TOKEN_EXPIRED])
def test_the_last_failure_of_a_series_is_of_that_series(last: Event):
    machine = machine_in(AgentState.BACKOFF)
    machine.on(Event.TIMER, 1.0)
    assert not machine.on(last, 1.0).is_first_failure


@pytest.mark.parametrize("ending", [Event.LOST, Event.ROOM_GONE])
def test_a_join_ends_a_series_of_failures(ending: Event):
    machine = machine_in(AgentState.BACKOFF)
    rejoined(machine, 1.0)
    machine.on(ending, 2.0)
    machine.on(Event.CONNECT, 3.0)
    assert machine.on(Event.FAILED, 3.0).is_first_failure


@pytest.mark.parametrize("between", [Event.DISCONNECT, None])
def test_a_disconnect_or_a_connect_out_of_failed_begins_a_new_series(between: Event | None):
    machine = machine_in(AgentState.FAILED)
    if between is not None:
        machine.on(between, 1.0)
    machine.on(Event.CONNECT, 2.0)
    assert machine.on(Event.FAILED, 2.0).is_first_failure


def test_attempts_are_the_failures_since_the_last_success():
    machine = AgentMachine()
    for _ in range(3):
        failing(machine, 0.0)
    assert machine.attempt == 3
    rejoined(machine, 1.0)
    assert machine.attempt == 0
    machine.on(Event.LOST, 2.0)
    assert machine.attempt == 0
    assert failing(machine, 3.0) == 16
    assert machine.attempt == 1


@pytest.mark.parametrize("event", sorted(Event, key=str))
def test_nothing_starts_again_after_a_shutdown(event: Event):
    machine = machine_in(AgentState.STOPPING)
    assert machine.on(event, 1.0).does == ()
    assert machine.due_s is None


@pytest.mark.parametrize("state", sorted(set(AgentState) - {AgentState.BACKOFF}))
def test_a_wake_up_call_means_nothing_outside_a_backoff(state: AgentState):
    assert machine_in(state).on(Event.WAKE, 1.0).does == ()


def put_out(machine: AgentMachine) -> AgentMachine:
    """Take the machine into a room, and out of it by another participant of its identity."""
    machine.on(Event.CONNECT, 0.0)
    machine.on(Event.JOINED, 0.0)
    machine.on(Event.IDENTITY_TAKEN, 0.0)
    return machine


def test_an_agent_that_was_put_out_only_looks_until_its_identity_is_free_or_the_app_says_connect():
    machine = put_out(AgentMachine())
    assert machine.is_put_out
    machine.on(Event.LOOK, 30.0)
    assert machine.is_put_out
    machine.on(Event.IDENTITY_FREE, 60.0)
    assert not machine.is_put_out
    for event in (Event.CONNECT, Event.DISCONNECT):
        machine = put_out(AgentMachine())
        machine.on(event, 10.0)
        assert not machine.is_put_out


def test_the_looks_of_an_agent_that_was_put_out_double_from_30_s_to_5_minutes_and_begin_anew():
    machine = put_out(AgentMachine())
    looks = [machine.on(Event.LOOK, 0.0).retry_in_s for _ in range(6)]
    assert looks == [60, 120, 240, 300, 300, 300]
    machine.on(Event.DISCONNECT, 0.0)
    put_out(machine)
    assert machine.on(Event.LOOK, 0.0).retry_in_s == 60
