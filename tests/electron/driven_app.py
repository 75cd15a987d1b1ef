"""The driven app in a real Electron: steps go in, the bridge's events come out.

Owns the two ends of fixtures/driven-app: JSON lines on its stdin and among its console's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from sidecar.dev.stdio_client import Notification
from tests.electron.electron_app import ElectronApp
from tests.livekit.faults.law import Law

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

        def look() -> int | None:
            nonlocal place
            events = self.events
            while place < len(events):
                place += 1
                if events[place - 1]["event"] == name and is_it(events[place - 1]):
                    return place
            return None

        return await self.until(look, f"{name} behind event {after}")

    async def take(self, step: str, **facts: object) -> None:
        """Let the app take a step; it says `done` afterwards, if it still can."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"step": step, **facts}).encode() + b"\n")
        await self.process.stdin.drain()

    async def done(self, step: str, after: int = 0) -> Event:
        """Wait for the end of a step; give `result` or `error {code, message}` in it."""
        place = await self.event("done", lambda event: event["step"] == step, after)
        return self.events[place - 1]

    async def ask(self, method: str, **params: object) -> Any:
        """Give the result of a request of the sidecar."""
        place = len(self.events)
        await self.take("request", method=method, params=params)
        answer = await self.done("request", place)
        assert "error" not in answer, answer
        return answer["result"]

    async def session(self, identity: str, state: str, after: int = 0) -> int:
        """Wait until a session of that identity is told in that connectionState."""
        names = {"connecting": "session-created", "closed": "session-closed"}

        def is_it(event: Event) -> bool:
            told = event["session"]
            return bool(told["participantId"] == identity and told["connectionState"] == state)

        return await self.event(names.get(state, "session-updated"), is_it, after)

    def judged(self, accept: Mapping[str, Collection[str]] | None = None) -> Law:
        """Fold all that the bridge has told; raises LawBroken."""
        law = Law()
        law.accept(accept or {})
        for event in self.events:
            if "seq" in event:
                params = {name: value for name, value in event.items() if name != "event"}
                law.take(Notification(event["event"], params, 0.0))
        return law
