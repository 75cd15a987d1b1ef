"""Owns the health report: every 30 s a notification and a log line, and a warning of long sessions.

Lives on the agent's loop. Does not know where the figures come from.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sidecar.core.contract.messages import Health, Status
from sidecar.voice.microphone import Meter

REPORT_S = 30.0
WARN_AFTER_S = 30 * 60.0
"""Seconds of a session after which it is warned of once."""

_log = logging.getLogger("sidecar.voice")


class HealthReport:
    """Reports the health of the sidecar until the process ends."""

    def __init__(
        self,
        status: Callable[[], Status],
        tell: Callable[[Health], None],
        meter: Meter,
        failures: Callable[[], int],
        warn_after_s: float = WARN_AFTER_S,
    ) -> None:
        """Call `start` next; *failures* returns how often a plug-in failed."""
        self._status = status
        self._tell = tell
        self._meter = meter
        self._failures = failures
        self._warn_after_s = warn_after_s
        self._opened_s: dict[str, float] = {}
        """When each session opened that was not warned of yet."""

    def start(self) -> None:
        """Begin; the first report comes after 30 s."""
        asyncio.get_running_loop().call_later(REPORT_S, self._report)

    def opened(self, session_id: str) -> None:
        """Note that a session opened."""
        self._opened_s[session_id] = asyncio.get_running_loop().time()

    def closed(self, session_id: str) -> None:
        """Note that a session closed."""
        self._opened_s.pop(session_id, None)

    def _report(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(REPORT_S, self._report)
        status = self._status()
        meter, frames = self._meter, self._meter.frames
        waited_s, worked_s = meter.waited_s, meter.worked_s
        meter.frames, meter.waited_s, meter.worked_s = 0, 0.0, 0.0
        health = Health(
            active_sessions=status.sessions,
            audio_latency=round(waited_s * 1000 / max(1, frames), 2),
            processing_time=round(worked_s * 1000 / max(1, frames), 2),
            memory_usage=round(status.rss_bytes / 1_000_000, 1),
            error_count=status.counters.errors + self._failures(),
            reconnection_count=status.counters.reconnects,
            epoch=status.epoch,
        )
        _log.info(
            "Active Sessions: %d, Total Errors: %d, Memory Usage: %.0f MB",
            health.active_sessions,
            health.error_count,
            health.memory_usage,
        )
        self._tell(health)
        for session_id, opened_s in list(self._opened_s.items()):
            if loop.time() - opened_s > self._warn_after_s:
                del self._opened_s[session_id]
                minutes = self._warn_after_s / 60
                _log.warning("Session %s lasts over %.0f minutes.", session_id, minutes)
