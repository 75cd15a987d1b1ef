"""`dev-server`: a LiveKit server for an app under development, and how to reach it.

Owns the four LIVEKIT_* lines, on stdout and in a .env file. `own_server.py` has the server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import set_key

from sidecar.dev.commands import FAILED_STATUS, WrongUsage
from sidecar.dev.own_server import NotConfigured, own_server
from sidecar.dev.server import DevServer, ServerFailed, answers_200
from sidecar.dev.server_build import ServerMissing
from sidecar.env_files import read_env_file

MAX_PORT = 65_535


@dataclass(frozen=True)
class Options:
    """`is_double`: the test double in place of the server; `env_file`: written, or None."""

    room: str
    is_double: bool
    env_file: Path | None


async def main(options: Options) -> int:
    """Run the server until it ends by itself (status 1) or this is cancelled.

    Raises WrongUsage, before anything is started or written.
    """
    if not options.room:
        raise WrongUsage("--room is empty. Fix: give a name, or leave it out for `dev`.")
    if options.env_file is not None:
        check_env_file(options.env_file)
        await check_no_server(options.env_file)
    try:
        async with own_server(_say, is_double=options.is_double, is_kept=True) as server:
            variables = {
                "LIVEKIT_URL": server.url,
                "LIVEKIT_API_KEY": server.api_key,
                "LIVEKIT_API_SECRET": server.api_secret,
                "LIVEKIT_ROOM": options.room,
            }
            if options.env_file is not None:
                write_env_file(options.env_file, variables)
                _say(f"Written to {options.env_file}: a sidecar started in its folder reads it.")
            for name, value in variables.items():
                print(f"{name}={value}", flush=True)
            file = "" if options.env_file is None else f" --env-file {options.env_file}"
            _say(f"It runs until Ctrl-C. Next, in another terminal: `join --say hello{file}`.")
            if isinstance(server, DevServer):
                _say(f"The server ended, status {await server.wait()}: {server.log[-999:]}")
                return FAILED_STATUS
            await asyncio.Event().wait()
            return 0
    except (NotConfigured, ServerFailed, ServerMissing, OSError) as error:
        _say(str(error))
        return FAILED_STATUS


def check_env_file(path: Path) -> None:
    """Check that the file at *path* can be written or created. Raises WrongUsage."""
    problem = read_env_file(path).problem
    if problem is not None:
        raise WrongUsage(problem)
    folder = path.resolve().parent
    if not folder.is_dir():
        raise WrongUsage(f"{path} cannot be made: {folder} is no folder. Fix: make the folder.")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise WrongUsage(f"{path} cannot be written. Fix: correct its rights, or name another.")


async def check_no_server(path: Path) -> None:
    """Check that the file at *path* names no server of this machine that runs. Raises WrongUsage.

    A second dev-server would overwrite the address of the first, which still runs.
    """
    url = read_env_file(path).variables.get("LIVEKIT_URL", "")
    named = re.match(r"ws://(?:127\.0\.0\.1|localhost):(\d{1,5})(?:/|$)", url)
    if named and int(named[1]) <= MAX_PORT and await answers_200(int(named[1])):
        raise WrongUsage(
            f"{path} names a server that runs: {url}. Fix: use it, or end it first, or name "
            "another file."
        )


def write_env_file(path: Path, variables: Mapping[str, str]) -> None:
    """Set *variables* in the file at *path*, which keeps its other lines.

    Only its owner can read a new file, since it holds a secret. Raises OSError.
    """
    # python-dotenv would warn at each write of every line that it cannot read.
    logging.getLogger("dotenv.main").setLevel(logging.ERROR)
    target = path.resolve()
    if not target.exists():
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    for name, value in variables.items():
        set_key(target, name, value, quote_mode="never")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
