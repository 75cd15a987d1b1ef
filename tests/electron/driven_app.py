"""The driven app in a real Electron: steps go in, the bridge's events come out.

Owns the two ends of fixtures/driven-app: JSON lines on its stdin and among its console's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.electron.electron_app import ElectronApp

FOLDER = Path(__file__).resolve().parent / "fixtures" / "driven-app"

Event = dict[str, Any]
"""`event` is its name; the rest its facts."""


class DrivenApp(ElectronApp):
    """`async with DrivenApp(program, arguments, environment, home, options) as app`."""

    def __init__(
        self,
        program: Path,
        arguments: list[str],
        environment: Mapping[str, str],
        home: Path,
        options: Mapping[str, object],
    ) -> None:
        """Prepare. `options` are those of createSidecar but `electron`."""
        given = {**environment, "SIDECAR_OPTIONS": json.dumps(options)}
        super().__init__(program, arguments, given, home)
        self._events: list[Event] = []
        self._read_lines = 0

    @property
    def events(self) -> list[Event]:
        """All events so far, oldest first."""
        for line in self.console[self._read_lines :]:
            if line.startswith('{"event":'):
                self._events.append(json.loads(line))
        self._read_lines = len(self.console)
        return self._events

    async def event(self, name: str, is_it: Callable[[Event], bool] = bool, after: int = 0) -> int:
        """Wait for such an event at place `after` or behind it; give the place behind it."""
        place = after

        def found(_line: str) -> bool:
            nonlocal place
            while place < len(self.events):
                event = self.events[place]
                place += 1
                if event["event"] == name and is_it(event):
                    return True
            return False

        await self.line(found, f"{name} behind event {after}")
        return place

    async def take(self, step: str, **facts: object) -> None:
        """Let the app take a step; it says `done` afterwards, if it still can."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"step": step, **facts}).encode() + b"\n")
        await self.process.stdin.drain()

    async def done(self, step: str, after: int = 0) -> Event:
        """Wait for the end of a step; give `result` or `error {code, message}` in it."""
        place = await self.event("done", lambda event: event["step"] == step, after)
        return self.events[place - 1]
