"""`python -m sidecar demo`: the product at its main job, on real parts, in under a minute.

Owns the story and checks its outcome. The sidecar runs as a child over stdio, exactly as Electron
starts it. Two people with the real SDK join, chat and leave. `own_server.py` has the server. Knows
the names of the wire. Does not know how the sidecar works.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from sidecar import __version__
from sidecar.core.config import Settings
from sidecar.dev.child import ChildGone
from sidecar.dev.own_server import NotConfigured, own_server
from sidecar.dev.person_process import PersonFailed, PersonProcess
from sidecar.dev.server import DevServer, ServerFailed
from sidecar.dev.server_build import ServerMissing
from sidecar.dev.stdio_client import JsonObject, RpcError, SidecarClient
from sidecar.dev.timeline import Timeline
from sidecar.dev.tokens import PERSON_TTL_S, person_token

STORY_TIMEOUT_S = 55.0
"""Seconds for the whole demo: the README promises a minute. A run takes about 8 s."""
ANNOUNCED_WITHIN_S = 20.0
"""Seconds. The server announces joins and leaves of a person without tracks up to 3 s late."""
AGENT = "clara-voice-agent"
SERVER, DOUBLE = "LiveKit server", "Test double"
"""What the people and the agent meet in."""
PEOPLE = {"anna": "Hello, this is Anna.", "ben": "Ben here, good morning."}


class PromiseBroken(RuntimeError):
    """The sidecar's notifications do not match the events; the message names the difference."""


@dataclass(frozen=True)
class Options:
    """`given`: a server that runs already, with its keys and the room; None for one of our own.

    `keep`: until Ctrl-C. `embedded`: the test double in the place of our own.
    """

    given: Settings | None
    room: str
    keep: bool
    embedded: bool


def show(line: str = "") -> None:
    """Print a line at once."""
    print(line, flush=True)


@contextlib.asynccontextmanager
async def place_for(options: Options) -> AsyncIterator[tuple[str, Settings]]:
    """Give the server's name and the way into the room. Ends a server of our own at the end.

    Raises NotConfigured, ServerMissing, ServerFailed.
    """
    if options.given is not None:
        yield SERVER, options.given
        return
    own = own_server(show, is_double=options.embedded, is_kept=options.keep)
    async with own as server:
        what = SERVER if isinstance(server, DevServer) else DOUBLE
        yield what, Settings(server.url, server.api_key, server.api_secret, room=options.room)


async def tell_story(place: Settings, sidecar: SidecarClient, timeline: Timeline) -> None:
    """Let two people join, chat and leave. Raises PromiseBroken, and the errors of the parts."""
    await sidecar.call(
        "initialize",
        {
            "protocolVersion": 1,
            "parentPid": os.getpid(),
            "client": {"name": "demo", "version": __version__},
        },
    )
    await sidecar.call(
        "connect",
        {
            "url": place.url,
            "apiKey": place.api_key,
            "apiSecret": place.api_secret,
            "room": place.room,
            "identity": AGENT,
        },
    )
    async with contextlib.AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(
                PersonProcess(str(place.url), person_token(place, name), name)
            )
            for name in PEOPLE
        ]
        for person in people:
            await person.join()
            if person is people[0]:
                await person.publish()  # the server announces her at once, the others within 3 s
            timeline.act(f"{person.identity} joins")
            await sidecar.notified("session-created", _of(person), timeout_s=ANNOUNCED_WITHIN_S)
        await listed(sidecar, len(people))
        for person in people:
            timeline.act(f"{person.identity} says: {PEOPLE[person.identity]}")
            await person.chat(PEOPLE[person.identity])
        for person in people:
            timeline.act(f"{person.identity} leaves")
            await person.leave()
        for person in people:
            await sidecar.notified("session-closed", _of(person), timeout_s=ANNOUNCED_WITHIN_S)
    await listed(sidecar, 0)
    check(sidecar)


async def listed(sidecar: SidecarClient, expected: int) -> None:
    """Ask for the list of sessions. Raises PromiseBroken when its length is wrong."""
    sessions = (await sidecar.call("listSessions"))["sessions"]
    if not isinstance(sessions, list) or len(sessions) != expected:
        raise PromiseBroken(f"listSessions should hold {expected} sessions, and gave {sessions}")


def check(sidecar: SidecarClient) -> None:
    """Check the notifications: each stay is created once, then closed once, as `left`, no gap.

    Raises PromiseBroken.
    """
    for identity in PEOPLE:
        told = [
            (notification.method, notification.params.get("reason"))
            for notification in sidecar.notifications
            if notification.method in ("session-created", "session-closed")
            and _session(notification.params).get("participantId") == identity
        ]
        if told != [("session-created", None), ("session-closed", "left")]:
            raise PromiseBroken(f"{identity} came and left once, and the sidecar told {told}")
    numbers = [notification.params.get("seq") for notification in sidecar.notifications]
    if numbers != list(range(1, len(numbers) + 1)):
        raise PromiseBroken(f"the seq of the notifications has a gap: {numbers}")


async def keep_running(place: Settings, sidecar: SidecarClient) -> None:
    """Say how to join, and wait until Ctrl-C (our cancellation, taken as the end of waiting).

    Raises ChildGone when the sidecar ends by itself.
    """
    show()
    show("All is kept running. Join with a LiveKit client of your own, and watch the lines here:")
    show(f"  url    {place.url}")
    show(f"  room   {place.room}")
    show(f"  token  {person_token(place, 'you')}")
    hours = PERSON_TTL_S / 3600
    show(f"The token is for the identity `you` and lasts {hours:.0f} h. Ctrl-C ends all.")
    try:
        while sidecar.returncode is None:
            with contextlib.suppress(TimeoutError):
                await sidecar.wait(timeout_s=60)
    except asyncio.CancelledError:
        if (running := asyncio.current_task()) is not None:
            running.uncancel()
        return
    raise ChildGone(sidecar.story("the sidecar ended by itself"))


async def run(options: Options) -> int:
    """Run the demo; give the exit status: 0 when the sidecar kept its promise.

    Everything it started is gone when it returns, is cancelled or raises.
    """
    async with place_for(options) as (what, place):
        show("Two people come, chat and go. `app` is this demo, in the place of Electron's main")
        show("process; the sidecar is its child, spoken to over stdin and stdout.")
        show(f"{what}: {place.url}, room: {place.room}")
        show()
        started_s = time.monotonic()
        timeline = Timeline(lambda: time.monotonic() - started_s, show)
        command = [sys.executable, "-m", "sidecar", "--wait"]
        async with SidecarClient(command, trace=timeline.trace, log=timeline.log) as sidecar:
            async with asyncio.timeout(STORY_TIMEOUT_S):
                await tell_story(place, sidecar, timeline)
            if options.keep:
                await keep_running(place, sidecar)
                show()
        if sidecar.returncode != 0:
            raise PromiseBroken(sidecar.story("the sidecar did not end with status 0"))
    show()
    show(
        f"The promise held: {len(PEOPLE)} people, one session-created and one session-closed each."
    )
    show("Next: `demo --keep` and join by yourself; `dev-server --help` for an app of your own.")
    return 0


async def main(options: Options) -> int:
    """Run the demo; give the exit status.

    1: the promise did not hold, or a part did not run.
    """
    try:
        return await run(options)
    except (
        *(ServerMissing, ServerFailed, NotConfigured, PromiseBroken),
        *(PersonFailed, ChildGone, RpcError, TimeoutError),
    ) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1


def _session(params: JsonObject) -> JsonObject:
    session = params.get("session")
    return session if isinstance(session, dict) else {}


def _of(person: PersonProcess) -> Callable[[JsonObject], bool]:
    return lambda params: _session(params).get("participantId") == person.identity
