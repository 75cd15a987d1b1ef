"""What the doubles of these tests do that no real server would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.rtc import SignalResponse

from sidecar.dev.embedded.script import Outgoing, Script

AGENT = "clara-voice-agent"
SIGNALLING = ("/rtc", "/rtc/v1", "/rtc/validate", "/rtc/v1/validate")
ROOM_SERVICE = (
    "/twirp/livekit.RoomService/ListParticipants",
    "/twirp/livekit.RoomService/RemoveParticipant",
)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Answering(Script):
    """Answers these paths itself, while `is_on`."""

    def __init__(self, paths: Sequence[str], answer: Answer) -> None:
        """*answer* makes each answer."""
        self.is_on = True
        self._paths = paths
        self._answer = answer

    async def answers(self, request: web.Request) -> web.StreamResponse | None:
        """Answer, where it is one of the paths."""
        if not self.is_on or request.path not in self._paths:
            return None
        return await self._answer(request)


def status(number: int, text: str = "") -> Answer:
    """Answer with this status."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=number, text=text)

    return answer


def redirect(to: str, number: int = 307) -> Answer:
    """Send to the same path at *to*; 307 keeps the method and the body."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=number, headers={"Location": f"{to}{request.path_qs}"})

    return answer


async def silence(request: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def a_byte_a_second(request: web.Request) -> web.StreamResponse:
    """Begin an answer, and go on with it at one byte a second."""
    transport = request.transport
    line = b"HTTP/1.1 101 Switching Protocols\r\nX-Filler: " + b"x" * 600
    for number in line:
        if transport is None or transport.is_closing():
            break
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(bytes([number]))
        await asyncio.sleep(1)
    if transport is not None:
        transport.close()
    return web.Response()  # which nobody reads


class Losing(Script):
    """Loses messages of these kinds to the agent, while `is_on`."""

    def __init__(self, *kinds: str) -> None:
        """The *kinds* by their names in SignalResponse."""
        self.is_on = True
        self._kinds = kinds

    def sends(self, identity: str, message: SignalResponse) -> Outgoing:
        """Lose it, or let it pass."""
        lost = self.is_on and identity == AGENT and message.WhichOneof("message") in self._kinds
        return [] if lost else [message]


class Peopled(Script):
    """Lets the agent believe that these people are in the room, beside those who are."""

    def __init__(self, *people: ParticipantInfo) -> None:
        """*people* are in its snapshots, and in the room service's list."""
        self.people = list(people)
        self._resumes = False

    def sends(self, identity: str, message: SignalResponse) -> Outgoing:
        """Add them to a join's others, and to the update that goes with a resume."""
        if identity != AGENT:
            return [message]
        if message.HasField("join"):
            message.join.other_participants.extend(self.people)
        elif message.HasField("reconnect"):
            self._resumes = True
        elif message.HasField("update") and self._resumes:
            self._resumes = False
            message.update.participants.extend(self.people)
        return [message]

    def lists(self, room: str, people: Sequence[ParticipantInfo]) -> Sequence[ParticipantInfo]:
        """Add them to the list."""
        return [*people, *self.people]


def imagined(
    identity: str, sid: str = "", *, joined_at_ms: int = 1_700_000_000_000, **more: Any
) -> ParticipantInfo:
    """One who is active in a room, as the server tells of them."""
    return ParticipantInfo(
        sid=sid or f"PA_{identity}",
        identity=identity,
        state=ParticipantInfo.State.ACTIVE,
        joined_at=joined_at_ms // 1000,
        joined_at_ms=joined_at_ms,
        **more,
    )
