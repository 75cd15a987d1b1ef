"""One row's world: a server of its own, people, sidecars under the law, and the way between.

Owns what is started, and that it is gone afterwards. Knows no fault; the rows make those.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType

from livekit import api

from sidecar.dev.person import Person
from sidecar.dev.person_process import PersonProcess
from sidecar.dev.server import DevServer, Ports
from sidecar.dev.stdio_client import JsonObject
from sidecar.dev.tokens import Kind, mint_token
from tests.livekit.faults.lasting_ports import lasting_ports
from tests.livekit.faults.proxy import Network
from tests.livekit.faults.watched import (
    ANNOUNCED_S,
    GIVEN_UP_S,
    LOOK_S,
    OUTAGE_S,
    REJOINED_S,
    SETTLED_S,
    Agent,
    AnyPerson,
)
from tests.livekit.stdio import connect_params

ROOM = "the-room"
STORY_S = 3.0
"""For what is asked after a failure."""


class Stage:
    """`async with Stage(...) as stage`: what a row acts on."""

    def __init__(self, binary: Path, command: list[str], folder: Path) -> None:
        """*command* is the sidecar's; *folder* is this row's own."""
        self.folder = folder
        self._binary = binary
        self._command = command
        self._server: DevServer | None = None
        self._ports: Ports | None = None
        self._network: Network | None = None
        self._agents: list[Agent] = []
        self._reached: set[tuple[str, str | None]] = set()
        self._exits = contextlib.AsyncExitStack()
        self._looking: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails as soon as the law is broken."""

    @property
    def server(self) -> DevServer:
        """This row's server."""
        assert self._server is not None, "serve() comes first"
        return self._server

    @property
    def network(self) -> Network:
        """The way of agents that are started with `far=True`."""
        assert self._network is not None, "serve(far=True) comes first"
        return self._network

    async def serve(
        self,
        *,
        far: bool = False,
        media_far: bool = False,
        ice_tcp: bool = False,
        empty_timeout_s: int = 300,
        departure_timeout_s: int = 20,
    ) -> DevServer:
        """Start the server; *far*: the agent reaches it through `network`.

        *media_far*: media too, which then goes over TCP for everybody.
        """
        self._ports = ports = lasting_ports(with_tcp=ice_tcp or media_far)
        self._server = DevServer(
            _tcp_alone(self._binary, self.folder) if media_far else self._binary,
            ports,
            empty_timeout_s=empty_timeout_s,
            departure_timeout_s=departure_timeout_s,
            log_path=self.folder / "server.log",
        )
        await self._exits.enter_async_context(self._server)
        if far or media_far:
            self._network = await self.way(media_far=media_far)
        return self._server

    async def way(self, *, media_far: bool = False) -> Network:
        """Another way to the server, which can be cut by itself; *media_far* as in serve()."""
        assert self._ports is not None, "serve() comes first"
        way = Network(self._ports.http, self._ports.tcp if media_far else None)
        await way.start()
        self._exits.push_async_callback(way.stop)
        return way

    def token(self, identity: str, kind: Kind = "standard") -> str:
        """A token for the room."""
        return mint_token(self.server.api_key, self.server.api_secret, ROOM, identity, kind=kind)

    def newcomer(self, identity: str, kind: Kind = "standard") -> Person:
        """A person of this process, who has yet to join."""
        person = Person(self.server.url, self.token(identity, kind), identity)
        self._exits.push_async_callback(person.leave)
        return person

    async def person(self, identity: str, *, publishes: bool = False) -> Person:
        """A person of this process, who has joined."""
        person = self.newcomer(identity)
        await person.join()
        if publishes:
            await person.publish()
        return person

    async def machine(
        self, identity: str, *, publishes: bool = False, url: str | None = None
    ) -> PersonProcess:
        """A person with a process of their own, which can be killed and frozen; has joined."""
        person = PersonProcess(url or self.server.url, self.token(identity), identity)
        await self._exits.enter_async_context(person)
        await person.join()
        if publishes:
            await person.publish()
        return person

    async def agent(
        self,
        *,
        connects: bool = True,
        driven: bool = False,
        resumes: list[JsonObject] | None = None,
        **params: object,
    ) -> Agent:
        """A sidecar; *driven*: with a handle on its Room. *params* are added to `connect`'s."""
        socket_path = self.folder / f"room-{len(self._agents)}.sock"
        command = [*self._command, "--wait"]
        if driven:
            program = Path(__file__).parent / "driven.py"
            command = [sys.executable, str(program), str(socket_path), "--wait"]
        url = self.server.url if self._network is None else self._network.url
        wanted = connect_params(self.server, ROOM) | {"url": url} | params
        agent = Agent(command, wanted, socket_path)
        await self._exits.enter_async_context(agent.client)
        self._agents.append(agent)
        if resumes is not None:
            await agent.resume(resumes)
        self._watch(agent)
        if connects:
            await agent.tries()  # on a busy machine it may be told 1002, and joins all the same
            await agent.is_in("connected")
        return agent

    def forget(self, agent: Agent) -> None:
        """Judge an agent no more: the row itself ended its process."""
        self._agents.remove(agent)
        self._reached |= {(close.reason, close.detail) for close in agent.fold().closes}

    async def listed(self) -> list[api.ParticipantInfo]:
        """Whom the server lists; empty when it does not run."""
        server = self.server
        if not server.alive:
            return []
        async with self.room_service() as rooms:
            answer = await rooms.list_participants(api.ListParticipantsRequest(room=ROOM))
        return list(answer.participants)

    @contextlib.asynccontextmanager
    async def room_service(self) -> AsyncIterator[api.room_service.RoomService]:
        """The server's own API, not through the network."""
        server = self.server
        async with api.LiveKitAPI(
            server.url.replace("ws", "http", 1), server.api_key, server.api_secret
        ) as there:
            yield there.room

    async def remove(self, identity: str) -> None:
        """Kick *identity*."""
        wanted = api.RoomParticipantIdentity(room=ROOM, identity=identity)
        async with self.room_service() as rooms:
            await rooms.remove_participant(wanted)

    async def delete_room(self) -> None:
        """Delete the room with all who are in it."""
        async with self.room_service() as rooms:
            await rooms.delete_room(api.DeleteRoomRequest(room=ROOM))

    async def returned(self, *people: Person) -> None:
        """Wait until each is in the room again; one whose SDK has given up joins anew."""
        async with asyncio.timeout(REJOINED_S):
            for each in people:
                while each.identity not in {there.identity for there in await self.listed()}:
                    if each.gone.is_set():
                        await self.person(each.identity)
                    await asyncio.sleep(LOOK_S)

    async def settled(self, agent: Agent, *identities: str, within_s: float = SETTLED_S) -> None:
        """Wait until exactly these people are active in the room, and have exactly one session.

        Without a name: whoever is there. A person's SDK may come back late, and be listed then.
        """
        last: tuple[object, object] = ((), ())
        try:
            async with asyncio.timeout(within_s):
                while True:
                    there = {p.sid: p.identity for p in await self.listed() if _is_person(p)}
                    law = agent.fold()
                    last = (there, law.identities())
                    wanted = sorted(identities) or sorted(there.values())
                    if sorted(there.values()) == wanted and set(there) == law.sids():
                        return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            there_now, sessions = last
            raise TimeoutError(
                f"wanted {sorted(identities)}; the server lists {there_now}, there are sessions of"
                f" {sessions}"
            ) from None

    async def life_goes_on(self, agent: Agent, leaver: AnyPerson | None = None) -> None:
        """The Room hears: *leaver*'s leave closes `left`, and one who comes now is seen.

        `connection-lost` where the leaver's SDK dropped its websocket before the server had read
        its word, which a busy machine brings about.
        """
        newcomer = await self.person("newcomer", publishes=True)
        await agent.sees(newcomer)
        if leaver is not None:
            agent.law.accept({leaver.identity: {"left", "connection-lost"}})
            await leaver.leave()
            await agent.closes(leaver, within_s=GIVEN_UP_S + ANNOUNCED_S)
            assert agent.law.closed(leaver.identity)[-1] in (
                ("left", "CLIENT_INITIATED"),
                ("connection-lost", "CONNECTION_TIMEOUT"),
            )

    async def judge(self) -> None:
        """The end of the row: who is in the room has a session, nobody else; then all ends."""
        for agent in self._agents:
            await agent.until(
                "in a room, or without a session",
                lambda law: law.agent_state == "connected" or not law.open,
                OUTAGE_S + ANNOUNCED_S,
            )
            if agent.law.agent_state == "connected":
                await self.settled(agent)
        for agent in list(self._agents):
            await agent.end()
            self.forget(agent)

    def reached(self) -> frozenset[tuple[str, str | None]]:
        """(reason, detail) of all that closed; after judge()."""
        return frozenset(self._reached)

    async def story(self) -> str:
        """What every sidecar told and logged, and whom the server lists."""
        listed = "nobody, for it does not answer"
        with contextlib.suppress(Exception):
            async with asyncio.timeout(STORY_S):
                listed = ", ".join(f"{p.identity} {p.sid}" for p in await self.listed())
        told = (
            agent.client.story(f"sidecar {number} told:\n{agent.law.story()}\nand then")
            for number, agent in enumerate(self._agents)
        )
        where = f"The server lists {listed}; its log is {self.folder / 'server.log'}"
        return "\n".join((*told, where))

    async def __aenter__(self) -> Stage:
        """Nothing runs yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all that was started."""
        for task in self._looking:
            task.cancel()
        if self._server is not None and self._server.alive:
            self._server.thaw()
        await self._exits.aclose()

    def _watch(self, agent: Agent) -> None:
        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                if not self.broken.done() and agent in self._agents:
                    self.broken.set_exception(error)

        task = agent.watch()
        self._looking.add(task)
        task.add_done_callback(done)


def _is_person(info: api.ParticipantInfo) -> bool:
    kinds, states = api.ParticipantInfo.Kind, api.ParticipantInfo.State
    people = (kinds.STANDARD, kinds.SIP, kinds.CONNECTOR)
    is_there = info.state == states.ACTIVE and not info.permission.hidden
    return info.kind in people and is_there


def _tcp_alone(binary: Path, folder: Path) -> Path:
    """A server that offers media over TCP alone."""
    program = folder / "livekit-server"
    program.write_text(f'#!/bin/sh\nexec "{binary}" --rtc.force_tcp "$@"\n')
    program.chmod(0o755)
    return program
