"""The sidecar of `tests/livekit/faults/driven.py` that leaks a task and a descriptor a stay.

The soak must see them. Run as driven.py.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
from pathlib import Path

from livekit import rtc

DRIVEN = Path(__file__).parents[1] / "livekit" / "faults" / "driven.py"
_leaked: list[tuple[asyncio.Task[bool], int]] = []


class LeakyRoom(rtc.Room):
    """Leaves something behind when a participant joins."""

    def emit(self, event: rtc.room.EventTypes, *args: object) -> None:
        """Leak, then tell the handlers."""
        if event == "participant_connected":
            waiting = asyncio.get_running_loop().create_task(asyncio.Event().wait())
            _leaked.append((waiting, os.dup(sys.stderr.fileno())))
        super().emit(event, *args)


if __name__ == "__main__":
    vars(rtc)["Room"] = LeakyRoom
    runpy.run_path(str(DRIVEN), run_name="__main__")
