"""The sidecar with a handle on its Room: run as `driven.py SOCKET [the sidecar's arguments]`.

Some faults can be made only from within the process: LiveKit's own simulated scenarios, and a
message that its SDK loses. On the Unix socket SOCKET it takes one JSON line per connection,
`{"simulate": "FULL_RECONNECT"}`, `{"deaf": ["participant_disconnected"]}`, or `{"lose": "bob"}`:
the SDK takes the end of an earlier stay for bob's own; `{"count": true}` counts tasks and objects.
It answers one line.
Nothing of the sidecar is changed; the SDK's Room class is replaced by one that is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
from collections.abc import Sequence

from livekit import rtc

from sidecar.cli import main


class KnownRoom(rtc.Room):
    """LiveKit's Room, the newest of which takes the commands."""

    newest: KnownRoom | None = None
    socket_path = ""
    deaf_to: frozenset[str] = frozenset()
    """Events that the SDK loses."""
    _serving: asyncio.Task[None] | None = None

    def __init__(self) -> None:
        """As the SDK has it, on the running loop."""
        super().__init__()
        KnownRoom.newest = self
        if KnownRoom._serving is None:
            KnownRoom._serving = asyncio.get_running_loop().create_task(_serve())

    def emit(self, event: rtc.room.EventTypes, *args: object) -> None:
        """Tell the handlers, unless this event is one that is lost."""
        if event not in KnownRoom.deaf_to:
            super().emit(event, *args)


async def _serve() -> None:
    server = await asyncio.start_unix_server(_take, KnownRoom.socket_path)
    await server.serve_forever()


async def _take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answer = await _obey(json.loads(await reader.readline()))
    writer.write(json.dumps(answer).encode() + b"\n")
    # Whoever asked a sidecar that was stopped or starved may have given up.
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    writer.close()


async def _obey(command: dict[str, object]) -> str | dict[str, int]:
    if "count" in command:
        gc.collect()
        return {"tasks": len(asyncio.all_tasks()), "objects": len(gc.get_objects())}
    room = KnownRoom.newest
    if room is None:
        return "there is no Room"
    if "deaf" in command:
        events = command["deaf"]
        KnownRoom.deaf_to = frozenset(events if isinstance(events, list) else ())
        return "done"
    if "lose" in command:
        lost = [
            each for each in room.remote_participants.values() if each.identity == command["lose"]
        ]
        for each in lost:
            room.emit("participant_disconnected", each)
        return "done" if lost else "nobody has this identity"
    kind = rtc.SimulateScenarioKind.Value(f"SIMULATE_{command['simulate']}")
    try:
        await room.simulate_scenario(kind)
    except RuntimeError as error:
        return str(error)
    return "done"


def run(arguments: Sequence[str]) -> int:
    """Be the sidecar."""
    KnownRoom.socket_path = arguments[0]
    vars(rtc)["Room"] = KnownRoom
    return main(arguments[1:])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
