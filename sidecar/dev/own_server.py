"""The server that a command starts for itself: the real one, or the test double.

Owns this choice, and tells the person about it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from sidecar.dev.server import DevServer
from sidecar.dev.server_build import ServerMissing, find_server, needs_build
from sidecar.rtc.interfaces import has_interface_beside_loopback

if TYPE_CHECKING:
    from sidecar.dev.embedded_room import EmbeddedRoom

KEPT_ROOM_S = 24 * 3600
"""With --keep: how long the server leaves the room open with only the agent in it."""
IS_DOUBLE = (
    "This room is a test double, not a LiveKit server. "
    "Without `--embedded` a real one runs, if it is installed or can be built."
)

Show = Callable[[str], None]
"""Takes one line to show to a person."""


class NotConfigured(RuntimeError):
    """A package or a network interface is missing; the message has the fix."""


@contextlib.asynccontextmanager
async def own_server(
    show: Show, *, is_double: bool, is_kept: bool
) -> AsyncIterator[DevServer | EmbeddedRoom]:
    """Run a server for the block; the test double when no livekit-server is available.

    *show* takes lines for a person to read. *is_kept*: its rooms stay open for a day.
    Raises NotConfigured, ServerFailed, and ServerMissing where $LIVEKIT_SERVER is no server.
    """
    binary = None
    why = None
    if not is_double:
        if needs_build():
            show(
                "The first run builds a LiveKit server (1 to 3 minutes, once). Later ones take"
                " 10 s. --embedded does without."
            )
        try:
            binary = await find_server(lambda line: show(f"  {line}"))
        except ServerMissing as missing:
            if os.environ.get("LIVEKIT_SERVER"):
                raise  # the person named this one
            why = str(missing)
    if binary is None:
        async with _double(show, why) as double:
            yield double
        return
    async with DevServer(binary, departure_timeout_s=KEPT_ROOM_S if is_kept else 20) as server:
        yield server


@contextlib.asynccontextmanager
async def _double(show: Show, why: str | None) -> AsyncIterator[EmbeddedRoom]:
    """Run the double. *why* is the reason, None when a person asked for the double."""
    unavailable = "" if why is None else f"No LiveKit server is available: {why}\n"
    try:
        from sidecar.dev.embedded_room import EmbeddedRoom
    except ImportError as error:
        raise NotConfigured(
            f"The test double needs {error.name}, which is not installed.\n{unavailable}"
            'Fix: `pip install ".[demo]"` in the checkout (`uv run` there does it by itself). '
            "There are no wheels of it for Windows on ARM, Macs with Intel processors and "
            "macOS before 14; there, give LIVEKIT_SERVER a livekit-server of your own."
        ) from error
    if not has_interface_beside_loopback():
        raise NotConfigured(
            "Only the loopback network interface is up. LiveKit's clients need another one.\n"
            f"{unavailable}"
            "Fix: bring up any other interface; it needs no route."
        )
    show(IS_DOUBLE)
    if why is not None:
        show(f"No LiveKit server is available: {why}")
    async with EmbeddedRoom() as double:
        yield double
