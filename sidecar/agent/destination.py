"""Owns where the agent is to be and with which credentials, and what follows from those.

Does not know whether it is there.
"""

from __future__ import annotations

import logging

from sidecar.core.agent_state import Event
from sidecar.core.config import (
    NO_CAPABILITIES,
    Settings,
    Target,
    has_expired,
    shown_url,
    with_newer_token,
)
from sidecar.core.config import target as resolved
from sidecar.core.contract.errors import NotAllowed, OtherRoom
from sidecar.core.contract.failures import Category, Failure, failure
from sidecar.core.contract.messages import (
    AgentState,
    Capabilities,
    ConnectionDetails,
    ConnectionParams,
    Diagnosis,
)
from sidecar.core.contract.wire import iso_time
from sidecar.core.diagnosis import diagnosis
from sidecar.core.page_access import wanted_connection
from sidecar.core.ports import Ports

_log = logging.getLogger("sidecar.agent")

_WRONG_KIND = (
    "The agent's token is not of kind `agent`: it keeps the room open by itself, and others see it"
    " as a person. Issue it with kind `agent`."
)


class Destination:
    """The newest settings and the target that they come to."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        """*settings* are what later ones go over."""
        self._settings = settings
        self._clock = ports.clock
        self._api = ports.api
        self._protect = ports.protect
        self.target: Target | None = None
        self.warnings: list[str] = []

    def want(self, settings: Settings, *, is_under_way: bool) -> None:
        """Take *settings*, over the earlier ones.

        Raises:
            InvalidParams: they do not come to a target; nothing changed.
            OtherRoom: the agent *is_under_way* to another target; nothing changed.
        """
        merged = settings.over(self._settings)
        self._protect(merged.secrets)
        wanted = resolved(merged)
        if is_under_way and self.target is not None:
            if wanted.place != self.target.place:
                raise OtherRoom(
                    f"The agent is in room {self.target.room!r} already, or on its way there.",
                    "Send `disconnect` first.",
                )
            wanted = with_newer_token(self.target, wanted)
        self._settings, self.target = merged, wanted
        if wanted.claims is not None and wanted.claims.kind != "agent":
            self.warn(_WRONG_KIND)
        elif _WRONG_KIND in self.warnings:
            self.warnings.remove(_WRONG_KIND)

    def required(self) -> Target:
        """The target; there is one whenever a Room is opened."""
        if self.target is None:
            raise RuntimeError("a Room is opened only for a target")
        return self.target

    def capabilities(self) -> Capabilities:
        """What the credentials allow now."""
        if self.target is None:
            return NO_CAPABILITIES
        return self.target.capabilities(self._now_s())

    def failed(self, category: Category) -> tuple[Event, Failure]:
        """What a failed join means, and how a person is told of it."""
        target = self.required()
        found = failure(category, shown_url(target.url))
        if found.retryable:
            return Event.FAILED, found
        # The server's texts do not tell an expired token from a wrong one: its own `exp` does.
        if target.claims is not None and has_expired(target.claims, self._now_s()):
            return Event.TOKEN_EXPIRED, found
        return Event.REFUSED, found

    async def create_connection(
        self, params: ConnectionParams, generated_identity: str
    ) -> ConnectionDetails:
        """What a page needs to join the agent's room as a person.

        Raises:
            NotAllowed: there is no API secret to make a token with.
            InvalidParams: see `wanted_connection`.
        """
        target = self.target
        if target is None or not self.capabilities().create_connection:
            raise NotAllowed(
                "Making an access token needs the API secret.",
                "Connect with apiKey and apiSecret, or have your own server make the page's token.",
            )
        wanted = wanted_connection(
            params, agent_identity=target.identity, generated_identity=generated_identity
        )
        # Taken before the token is made, so that it never claims to last longer than it does.
        expires_at = iso_time(self._clock.tick().wall_ms + wanted.ttl_s * 1000)
        token = await self._api.connection_token(target, wanted)
        return ConnectionDetails(target.url, target.room, wanted.identity, token, expires_at)

    async def diagnose(self, state: AgentState, last_error: Failure | None) -> Diagnosis:
        """What a look at the target's server finds, within 10 s; *state* is the agent's."""
        target = self.target
        probe = None if target is None else await self._api.probe(target)
        return diagnosis(target, probe, self._clock.tick().wall_ms, state, last_error)

    def evicted(self) -> None:
        """Somebody else took our identity, or put us out."""
        self.warn(
            f"Another participant took the identity {self.required().identity!r}, or removed this"
            " agent from the room; give each agent an identity of its own."
        )

    def warn(self, warning: str) -> None:
        """Log *warning* and keep it for `getStatus`, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)
            _log.warning("%s", warning)

    def _now_s(self) -> float:
        return self._clock.tick().wall_ms / 1000
