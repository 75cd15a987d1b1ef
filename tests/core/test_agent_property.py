"""The agent's table under any order of events, stale ones and impossible ones included."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sidecar.core.agent_state import TABLE, AgentMachine, Decision, Do, Event
from sidecar.core.contract.messages import AgentState

IN_ROOM = (AgentState.CONNECTED, AgentState.RECONNECTING)
PENDING = (AgentState.BACKOFF, AgentState.RECONNECTING)
ATTEMPT_FAILED = (
    Event.FAILED,
    Event.REFUSED,
    Event.TOKEN_EXPIRED,
    Event.TOKEN_FAILED,
    Event.TOKEN_REFUSED,
    Event.FRESH_TOKEN_REFUSED,
)


def test_every_state_is_reachable_and_every_state_but_stopping_can_be_left():
    reached = {AgentState.IDLE}
    paths: list[tuple[Event, ...]] = [()]
    left: set[AgentState] = set()
    while paths:
        path = paths.pop()
        for event in Event:
            machine = AgentMachine()
            for each in path:
                machine.on(each, 0.0)
            before = machine.state
            after = machine.on(event, 0.0).state
            if after is not before:
                left.add(before)
            if after not in reached:
                reached.add(after)
                paths.append((*path, event))
    assert reached == set(AgentState)
    assert left == set(AgentState) - {AgentState.STOPPING}


class AgentLaws(RuleBasedStateMachine):
    """Keeps the one Room that there may be, as the decisions say."""

    @initialize(start_s=st.sampled_from([0.0, 1_000_000.0]))
    def begin(self, start_s: float) -> None:
        self.machine = AgentMachine()
        self.now_s = start_s
        self.has_room = False
        self.critical_in_series = 0

    @rule(event=st.sampled_from(Event), jitter=st.floats(0, 1, exclude_max=True))
    def something_happens(self, event: Event, jitter: float) -> None:
        # A Room's events come only from the Room that counts; the shell drops all others.
        self._apply(event, jitter)

    @rule(
        event=st.sampled_from([Event.CONNECT, Event.JOINED, Event.RECONNECTING, Event.RECONNECTED])
    )
    def things_go_well(self, event: Event) -> None:
        self._apply(event, 0.5)

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        for _ in range(10_000):
            due_s = self.machine.due_s
            if due_s is None or due_s > until_s:
                break
            self.now_s = max(self.now_s, due_s)
            event = self.machine.due(self.now_s)
            assert event is not None, "a deadline without an event"
            decision = self._apply(event, 0.5)
            assert decision.does or event is Event.STEADY, "a due event that does nothing"
        else:
            raise AssertionError("deadlines that never end")
        self.now_s = until_s

    @precondition(lambda self: self.machine.due_s is not None)
    @rule(fraction=st.floats(0, 0.99))
    def nothing_is_due_early(self, fraction: float) -> None:
        due_s = self.machine.due_s
        assert due_s is not None
        early_s = self.now_s + (due_s - self.now_s) * fraction
        assert early_s >= due_s or self.machine.due(early_s) is None

    def _apply(self, event: Event, jitter: float) -> Decision:
        before = self.machine.state
        decision = self.machine.on(event, self.now_s, jitter)
        assert decision.previous is before
        assert decision.state is self.machine.state
        assert decision.attempt == self.machine.attempt
        for what in decision.does:
            if what is Do.DROP:
                self.has_room = False
            elif what is Do.OPEN:
                assert not self.has_room, "a second Room"
                self.has_room = True
        if decision.does and event in ATTEMPT_FAILED:
            self.has_room = False  # its join came to nothing
        self._keep_the_series(event, decision)
        row = TABLE.get((before, event))
        assert (decision.retry_in_s is not None) is (row is not None and row.retry is not None)
        longest_s = 300 if event in (Event.IDENTITY_TAKEN, Event.LOOK) else 30
        assert decision.retry_in_s is None or 0 <= decision.retry_in_s <= longest_s
        return decision

    def _keep_the_series(self, event: Event, decision: Decision) -> None:
        if not decision.does:
            return
        if event in (Event.JOINED, Event.DISCONNECT, Event.NOBODY_THERE):
            self.critical_in_series = 0
        asked_anew = event in (Event.CONNECT, Event.TOKEN_NEEDED)
        if asked_anew and decision.previous is AgentState.FAILED:
            self.critical_in_series = 0
        if decision.is_first_failure:
            self.critical_in_series += 1
            assert event in ATTEMPT_FAILED
        assert self.critical_in_series <= 1
        if event in ATTEMPT_FAILED:
            assert self.critical_in_series == 1, "a failure that nobody was told of"

    @invariant()
    def a_room_exists_exactly_where_the_state_says_so(self) -> None:
        has_room = self.machine.state is AgentState.CONNECTING or self.machine.state in IN_ROOM
        assert self.has_room is has_room

    @invariant()
    def backoff_and_reconnecting_always_end(self) -> None:
        if self.machine.state in PENDING:
            assert self.machine.due_s is not None

    @invariant()
    def nothing_is_pending_where_nothing_waits(self) -> None:
        may_wait = (*PENDING, AgentState.CONNECTED, AgentState.WAITING_FOR_TOKEN)
        if self.machine.state not in may_wait:
            assert self.machine.due_s is None


TestAgentLaws = AgentLaws.TestCase
