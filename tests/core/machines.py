"""The agent's machine in each of its states, reached as the agent reaches it."""

from __future__ import annotations

from sidecar.core.agent_state import AgentMachine, Event
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


def machine_in(state: AgentState, now_s: float = 0.0) -> AgentMachine:
    """A machine in *state* since *now_s*."""
    machine = AgentMachine()
    for event in ROUTES[state]:
        machine.on(event, now_s)
    assert machine.state is state
    return machine
