"""`python -m tests.soak --minutes 60`: a working day, squeezed; status 1 if a promise broke.

A day (day.py) has 20,000 stays, 500 outages, 50 server restarts and 50 crashes of the sidecar. It
takes 25 minutes on two quiet cores; with fewer `--minutes` it is as much of a day as fits, and says
how much. It fails where a session is missing, doubled, or closes with an untrue reason, and where
memory, threads, file descriptors, tasks, the JavaScript heap or listeners grow. The figures of the
last whole day are in docs/decisions.md. Only Linux tells these figures.

`python -m tests.soak --seconds 60 --seed 1`: random people and faults on a real server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from sidecar.dev.server_build import find_server
from sidecar.dev.toolchain import find
from tests.soak.account import account, everything
from tests.soak.day import run_day
from tests.soak.soak import Outcome, Settings, run


async def soak(settings: Settings, given_server: str | None) -> Outcome:
    """Find the server, and run."""
    binary = await find_server(lambda line: print(line, file=sys.stderr), given=given_server)
    return await run(replace(settings, binary=binary))


def main() -> int:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="of the day (1)")
    parser.add_argument("--seconds", type=float, help="random people and faults, so long")
    parser.add_argument("--seed", type=int, default=1, help="decides what is tried (1)")
    parser.add_argument("--people", type=int, default=30, help="at a time (30)")
    parser.add_argument("--faults", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--bridge", action="store_true", help="hear it through the bridge, by Node")
    parser.add_argument("--frozen", type=Path, help="this sidecar instead of the sources")
    parser.add_argument(
        "--journal",
        type=Path,
        help="write the whole course, or the samples of the day, to this file",
    )
    told = parser.parse_args()
    if told.seconds is None:
        day = asyncio.run(run_day(told.minutes * 60, find("node")))
        print("\n".join(day.lines()))
        if told.journal is not None:
            told.journal.write_text("\n".join(day.samples()) + "\n", encoding="utf-8")
        return 0 if day.is_good else 1
    given = os.environ.pop("LIVEKIT_SERVER", None)
    command = None if told.frozen is None else (str(told.frozen.resolve()),)
    node = find("node") if told.bridge else None
    settings = Settings(told.seconds, told.seed, told.people, told.faults, command, node=node)
    outcome = asyncio.run(soak(settings, given))
    for line in account(outcome):
        print(line)
    if told.journal is not None:
        told.journal.write_text("\n".join(everything(outcome)) + "\n", encoding="utf-8")
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
