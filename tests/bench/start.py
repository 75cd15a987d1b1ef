"""How long the sidecar takes to start, as source and frozen: `python -m tests.bench.start`.

Run by hand. Each round starts the floor, the sources, and the frozen sidecar where one can be
built, in turn, so that what else the machine does meets them alike. The floor is the least program
that could do the same: it imports asyncio and orjson, and answers one line. Timed from the
spawn: to the answer to the first request, and to the answer to `connect`, in a room. `--write` puts
the table into docs/delays.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

from sidecar.dev.server import DevServer
from sidecar.dev.server_build import find_server
from sidecar.dev.stdio_client import SidecarClient
from tests.bench.document import DOCUMENT, write_between
from tests.frozen_build import frozen_sidecar, why_no_build
from tests.livekit.stdio import connect_params

ROUNDS = 10
FLOOR = "asyncio and orjson: first answer"
_ANSWER_ONCE = """
import asyncio, sys, orjson
async def answer():
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    request = orjson.loads(await reader.readline())
    answer = orjson.dumps({"jsonrpc": "2.0", "id": request["id"], "result": None})
    print(answer.decode(), flush=True)
asyncio.run(answer())
"""


async def floor_s() -> float:
    """Seconds from the spawn of the floor to its answer to a line."""
    began_s = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _ANSWER_ONCE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"initialize"}\n')
    await process.stdout.readline()
    answered_s = time.monotonic() - began_s
    await process.wait()
    return answered_s


async def sidecar_s(command: list[str], server: DevServer, room: str) -> tuple[float, float]:
    """Seconds from the spawn to the first answer, and to the answer of a `connect`."""
    began_s = time.monotonic()
    async with SidecarClient([*command, "--wait"]) as sidecar:
        await sidecar.call("initialize", {"protocolVersion": 1}, timeout_s=60.0)
        answered_s = time.monotonic() - began_s
        await sidecar.call("connect", connect_params(server, room), timeout_s=60.0)
        joined_s = time.monotonic() - began_s
        await sidecar.stop()
    return answered_s, joined_s


async def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/delays.md")
    told = parser.parse_args(arguments)
    binary = await find_server(print, given=os.environ.get("LIVEKIT_SERVER"))
    commands = {"sources": [sys.executable, "-m", "sidecar"]}
    if why_no_build() is None:
        commands["frozen"] = [str(frozen_sidecar())]
    times: dict[str, list[float]] = defaultdict(list)
    async with DevServer(binary) as server:
        for number in range(ROUNDS + 1):
            found = {FLOOR: await floor_s()}
            for name, command in commands.items():
                answered_s, joined_s = await sidecar_s(command, server, f"start-{name}-{number}")
                found[f"{name}: first answer"] = answered_s
                found[f"{name}: in the room"] = joined_s
            if number:  # the first round fills the caches
                for what, seconds in found.items():
                    times[what].append(seconds)
    print(lines := table(times))
    if told.write:
        write_between(DOCUMENT, "start", lines)


def table(times: dict[str, list[float]]) -> str:
    """The figures, in Markdown."""
    floor = statistics.median(times[FLOOR])
    lines = ["| what | ms | of the floor |", "| --- | --- | --- |"]
    for what, seconds in times.items():
        median_s = statistics.median(seconds)
        cells = " / ".join(f"{each * 1000:.0f}" for each in (min(seconds), median_s, max(seconds)))
        lines.append(f"| {what} | {cells} | {median_s / floor:.1f} x |")
    return "\n".join(lines)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
