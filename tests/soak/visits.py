"""One human's join, and the process that it lives in.

Owns what a join does and tells the ledger of it, and where it is done: a home is one process of
several humans, which can be killed or frozen with all of them and then starts anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
from livekit import api

from sidecar.dev.server import DevServer
from sidecar.dev.tokens import mint_token
from tests.livekit.faults.websocket_only import websocket_only
from tests.soak.crowd_process import ActFailed, CrowdProcess, News
from tests.soak.ledger import EndKind, Ledger


@dataclass
class Scene:
    """What all humans share."""

    server: DevServer
    room: str
    ledger: Ledger
    kick: Callable[[str], Awaitable[None]]
    """Remove an identity by the server's API."""
    close_session: Callable[[str], Awaitable[None]]
    """Remove an identity by the sidecar's `closeSession`."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    keys: itertools.count[int] = field(default_factory=itertools.count)


class Home:
    """One process of humans."""

    def __init__(self, scene: Scene, name: str) -> None:
        """Not started."""
        self._scene = scene
        self._name = name
        self._process: CrowdProcess | None = None
        self._ready = asyncio.Event()
        self._visits: dict[str, Visit] = {}

    async def start(self) -> None:
        """Start the process, or the next one after a kill."""
        self._process = CrowdProcess(self._name, self._take)
        await self._process.start()
        self._ready.set()

    async def visit(self, identity: str) -> Visit:
        """A visit to come, once there is a process to make it."""
        await self._ready.wait()
        assert self._process is not None
        visit = Visit(self._scene, self._process, identity)
        self._visits[visit.key] = visit
        return visit

    async def kill(self) -> None:
        """Kill the process with all in it."""
        assert self._process is not None
        self._ready.clear()
        for visit in self._visits.values():
            visit.deed(EndKind.KILL)
        self._visits.clear()
        self._process.kill()
        await self._process.wait(timeout_s=10.0)

    def freeze(self) -> None:
        """Stop the process in its tracks; its server may give up on those in it."""
        assert self._process is not None
        for visit in self._visits.values():
            visit.deed(EndKind.KILL)
        self._process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.thaw()

    async def double(self, agent: str) -> None:
        """Let somebody else join as *agent*, and leave; never fails."""
        await self._ready.wait()
        process, key = self._process, f"{agent}#{next(self._scene.keys)}"
        assert process is not None
        server = self._scene.server
        token = mint_token(server.api_key, server.api_secret, self._scene.room, agent, kind="agent")
        with contextlib.suppress(ActFailed):
            await process.act("join", key, url=server.url, token=token, identity=agent)
        with contextlib.suppress(ActFailed):
            await process.act("leave", key)

    async def stop(self) -> None:
        """Let all leave, and end the process."""
        if self._process is not None:
            await self._process.stop()

    def _take(self, news: News) -> None:
        visit = self._visits.get(news.who)
        if visit is not None:
            visit.take(news)
            if news.event == "gone":
                del self._visits[news.who]


class Visit:
    """One join, kept up by its SDK; its sid may change."""

    def __init__(self, scene: Scene, process: CrowdProcess, identity: str) -> None:
        """Not joined yet."""
        self.key = f"{identity}#{next(scene.keys)}"
        self.identity = identity
        self.sid = ""
        self.is_gone = asyncio.Event()
        self._process = process
        self._scene = scene
        self._sids: list[str] = []
        """All that its SDK said, in order."""

    async def join(self) -> None:
        """Join. Raises ActFailed."""
        url, token = self._scene.server.url, _token(self._scene, self.identity)
        acted = await self._process.act(
            "join", self.key, url=url, token=token, identity=self.identity
        )
        if self.sid:  # its SDK had another sid by the time that we were told of the first
            self._sids.insert(0, acted.sid)
            self._scene.ledger.joined(acted.at_s, self.identity, acted.sid)
        else:
            self._is_in(acted.at_s, acted.sid)

    async def leave(self) -> None:
        """Leave in order, whatever state this is in; never fails."""
        self.deed(EndKind.LEAVE)
        with contextlib.suppress(ActFailed):
            await self._process.act("leave", self.key)
        self.is_gone.set()

    async def publish(self) -> None:
        """Publish a track. Raises ActFailed."""
        acted = await self._process.act("publish", self.key)
        self._scene.ledger.published(acted.at_s, acted.sid)

    async def chat(self) -> None:
        """Send a text. Raises ActFailed."""
        began_s, sid, done_s = time.monotonic(), self.sid, float("inf")
        try:
            done_s = (await self._process.act("chat", self.key, text="hello")).at_s
        finally:
            self._scene.ledger.chatted(began_s, done_s, sid)

    async def set_attribute(self) -> None:
        """Set an attribute to another value. Raises ActFailed."""
        await self._process.act("attribute", self.key, text=self.key)

    def deed(self, kind: EndKind) -> None:
        """What is begun now should end this stay."""
        if self.sid and not self.is_gone.is_set():
            self._scene.ledger.deed(time.monotonic(), kind, self.identity, self.sid)

    def take(self, news: News) -> None:
        """Take what the human noticed."""
        if news.event == "gone":
            # Its SDK names no sid any more.
            self._scene.ledger.gone(news.at_s, self.identity, news.sid or self.sid, news.reason)
            self.is_gone.set()
        else:
            self._is_in(news.at_s, news.sid)

    def _is_in(self, at_s: float, sid: str) -> None:
        before, self.sid = self.sid, sid
        self._scene.ledger.joined(at_s, self.identity, sid)
        if before and before != sid:
            self._scene.ledger.moved(at_s, before, sid)
        while sid in self._sids:
            other = self._sids.pop()
            if other != sid:
                self._scene.ledger.mistaken(at_s, other, sid)
        self._sids.append(sid)


async def half_way(scene: Scene, identity: str, time_s: float) -> None:
    """Join over the websocket alone, for *time_s*: one who never becomes active."""
    with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError, AssertionError):
        async with websocket_only(scene.server.url, _token(scene, identity)):
            await asyncio.sleep(time_s)


def _token(scene: Scene, identity: str) -> str:
    """An access token that lets *identity* do all but subscribe, which takes a core for itself."""
    grants = api.VideoGrants(
        room_join=True, room=scene.room, can_subscribe=False, can_update_own_metadata=True
    )
    token = api.AccessToken(scene.server.api_key, scene.server.api_secret)
    return token.with_identity(identity).with_grants(grants).to_jwt()
