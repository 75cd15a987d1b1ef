"""Those for whom a connection was made: asked for until they are announced, and no longer."""

from __future__ import annotations

from sidecar.core.contract.errors import ApiCallFailed
from sidecar.core.contract.messages import ConnectionParams
from sidecar.core.facts import DisconnectReason, Left, Reconnected, Reconnecting, Seen
from tests.agent.fakes import turns
from tests.agent.virtual_time import in_virtual_time
from tests.agent.world import World
from tests.core.played import someone

ALICE = someone("alice")


async def _expects(world: World, identity: str = "alice") -> None:
    await world.agent.create_connection(ConnectionParams(identity=identity), "unused")


@in_virtual_time
async def test_one_who_was_given_a_connection_is_asked_for_until_the_server_knows_them():
    world = World()
    await world.joined()
    await _expects(world)
    await world.passes(1.2)
    assert world.api.announced == ["alice"] * 2
    world.api.lists_only(ALICE)
    await world.passes(60)
    assert world.api.announced == ["alice"] * 3


@in_virtual_time
async def test_one_who_was_announced_is_not_asked_for():
    world = World()
    room = await world.joined()
    await _expects(world)
    room.emit(Seen(ALICE))
    await world.passes(60)
    assert world.api.announced == []


@in_virtual_time
async def test_one_whose_earlier_stay_is_still_open_is_left_alone_until_that_has_closed():
    world = World()
    room = await world.joined(ALICE)
    await world.agent.create_connection(ConnectionParams("alice", replace=True), "person-1")
    await world.passes(2)
    assert world.api.announced == []
    room.emit(Seen(someone("alice", sid="PA_alice_again")))
    await world.passes(60)
    assert world.api.announced == []


@in_virtual_time
async def test_one_who_never_comes_is_given_up_on():
    world = World()
    await world.joined()
    await _expects(world)
    await world.passes(600)
    assert len(world.api.announced) == 20


@in_virtual_time
async def test_a_server_that_refuses_is_asked_once():
    world = World()
    await world.joined()
    await _expects(world)
    world.api.error = ApiCallFailed("no", "none")
    await world.passes(60)
    world.api.error = None
    await world.passes(60)
    assert world.api.announced == []


@in_virtual_time
async def test_nobody_is_asked_for_by_an_agent_that_is_not_in_the_room():
    world = World()
    await world.joined()
    await _expects(world)
    await world.agent.disconnect()
    await _expects(world)
    await world.passes(60)
    assert world.api.announced == []


@in_virtual_time
async def test_at_most_32_people_are_asked_for_at_a_time():
    world = World()
    await world.joined()
    for number in range(40):
        await _expects(world, f"person-{number}")
    await world.passes(0.6)
    assert len(world.api.announced) == 32
    await world.passes(60)
    await _expects(world)
    await world.passes(0.6)
    assert world.api.announced[-1] == "alice"


@in_virtual_time
async def test_a_second_connection_for_the_same_person_begins_the_asking_anew():
    world = World()
    await world.joined()
    await _expects(world)
    await world.passes(9)
    await _expects(world)
    await turns()
    await world.passes(9)
    assert len(world.api.announced) == 17 + 17


@in_virtual_time
async def test_one_who_was_there_at_the_agent_s_reconnect_is_not_asked_for_after_the_leave():
    world = World()
    room = await world.joined()
    await _expects(world)
    room.emit(Seen(ALICE))
    room.emit(Reconnecting())
    room.emit(Reconnected((ALICE,)))
    room.emit(Left(ALICE.sid, ALICE.identity, DisconnectReason.CLIENT_INITIATED))
    await world.passes(60)
    assert world.api.announced == []
