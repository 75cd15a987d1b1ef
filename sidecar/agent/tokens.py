"""Owns the source of access tokens: the API secret, or else the client's `getToken`.

The agent asks the client for its own token again and again, until it gets one. It asks once for a
page's token, because a human waits for the answer and can try again. Does not know JSON or the
agent's state.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from sidecar import tasks
from sidecar.agent.destination import Destination
from sidecar.core.access_token import claims_for_person, doubts_about, token_claims
from sidecar.core.agent_state import Cause, Event
from sidecar.core.config import Target, server_doubt, url_problem
from sidecar.core.contract.errors import (
    ApiCallFailed,
    ClientFailed,
    IdentityPresent,
    NotAllowed,
    ShuttingDown,
)
from sidecar.core.contract.failures import no_token, token_fix
from sidecar.core.contract.messages import (
    AccessToken,
    AgentSession,
    ConnectionDetails,
    ConnectionParams,
    TokenRequest,
)
from sidecar.core.contract.wire import iso_time
from sidecar.core.page_access import WantedConnection, token_request, wanted_connection
from sidecar.core.ports import Ports
from sidecar.core.registry.stays import Recent

MAX_GIVEN = 4_096
"""Identities remembered that a page got a token for."""

_log = logging.getLogger("sidecar.agent")


class Tokens:
    """Gets tokens: one request at a time for the agent, any number of requests for pages."""

    def __init__(
        self,
        destination: Destination,
        ports: Ports,
        happen: Callable[[Cause], None],
        session_of: Callable[[str], AgentSession | None],
    ) -> None:
        """Start without requests; *happen* takes the event that follows an answer.

        *session_of* returns the open session of an identity.
        """
        self._destination = destination
        self._session_of = session_of
        self._given = Recent(MAX_GIVEN)
        """Identities for which a page got a token: a page that was reloaded asks again."""
        self._api = ports.api
        self._client = ports.client
        self._clock = ports.clock
        self._happen = happen
        self._asked: TokenRequest | None = None
        self._asking: asyncio.Task[None] | None = None

    def ask(self) -> None:
        """Ask the client for the agent's token, unless the same request is in flight already."""
        request = self._destination.token_request()
        if self._asking is not None and self._asked == request:
            return
        self.stop()
        self._asked = request
        self._asking = tasks.start("ask for a token", self._ask(request))

    def stop(self) -> None:
        """Cancel the request in flight; a late answer changes nothing."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    async def connection(
        self, params: ConnectionParams, generated_identity: str
    ) -> ConnectionDetails:
        """Return url and token, with which a page joins the agent's room as a human.

        Uses *generated_identity* if *params* have no identity and there is an API secret.

        Raises:
            NotAllowed: there is no API secret, and the client gave no suitable token.
            IdentityPresent: a participant in the room has the identity, and *params* do not have
                `replace`.
            InvalidParams: see `wanted_connection`.
            ShuttingDown: the process is shutting down.
        """
        target = self._destination.target
        if target is None and self._client.gives_tokens:
            raise NotAllowed(
                "The agent has no room yet, so a page cannot join it.",
                "Send `connect` first.",
            )
        if target is None or not self._destination.capabilities().create_connection:
            raise NotAllowed(
                "The sidecar cannot make an access token without the API secret.",
                "Send `connect` with apiKey and apiSecret, or let your own server make the token.",
            )
        wanted = wanted_connection(params, agent_identities=self._destination.identities)
        if wanted.identity and not params.replace and wanted.identity not in self._given:
            await self._check_absent(target, wanted.identity)
        if target.api_secret is None:
            details = await self._given_connection(target, params, wanted)
        else:
            identity = wanted.identity or generated_identity
            details = await self._made_connection(target, replace(wanted, identity=identity))
        self._given.add(details.identity)
        return details

    async def _check_absent(self, target: Target, identity: str) -> None:
        """Raise IdentityPresent if a participant in the room has *identity*."""
        is_present = self._session_of(identity) is not None
        if not is_present and target.api_secret is not None:
            try:
                is_present = await self._api.has_participant(target, identity)
            except ApiCallFailed as error:
                _log.debug("The server did not say who has an identity: %s", error.message)
        if is_present:
            raise IdentityPresent(
                f"A participant with the identity {identity!r} is in the room already.",
                "Choose another identity, or none. To move the person to this page, the app passes"
                " `replace: true`.",
            )

    async def _made_connection(self, target: Target, wanted: WantedConnection) -> ConnectionDetails:
        # Computed before the token is made, so that it is never later than the token's expiry.
        expires_at = iso_time(self._clock.tick().wall_ms + wanted.ttl_s * 1000)
        token = await self._api.connection_token(target, wanted)
        return ConnectionDetails(
            target.url, target.room, wanted.identity, token, expires_at, wanted.name or None
        )

    async def _given_connection(
        self, target: Target, params: ConnectionParams, wanted: WantedConnection
    ) -> ConnectionDetails:
        request = token_request(params, wanted, target.room)
        try:
            given = await self._from_client(request)
            claims = claims_for_person(
                given.token, target.room, wanted.identity, self._destination.identities
            )
            doubt = server_doubt(given.url, self._destination.url)
        except ClientFailed as error:
            raise NotAllowed(
                f"The client gave no access token that this page can use: {error}.",
                token_fix(str(error)),
            ) from None
        now_s = self._clock.tick().wall_ms / 1000
        doubts = doubts_about(claims, request.grants, now_s)
        for each in (*doubts, doubt):
            if each is not None:
                _log.warning(
                    "Look at the token that getToken gave for %r. %s", claims.identity, each
                )
        return ConnectionDetails(
            given.url or self._destination.url,
            target.room,
            claims.identity,
            given.token,
            iso_time(round((claims.expires_at_s or 0) * 1000)),
            claims.name or None,
        )

    async def _ask(self, request: TokenRequest) -> None:
        try:
            given = await self._from_client(request)
            claims = token_claims(given.token)
            if claims is not None and self._session_of(claims.identity) is not None:
                raise ClientFailed("getToken gave the agent the identity of a person in the room")
            self._destination.take_token(given)
            cause = Cause(Event.TOKEN_GIVEN)
        except ClientFailed as error:
            cause = Cause(Event.TOKEN_FAILED, failure=no_token(str(error)))
        except ShuttingDown:
            return
        except Exception:
            _log.exception("The client's token could not be used because of a bug.")
            cause = Cause(Event.TOKEN_FAILED, failure=no_token("the sidecar has a bug"))
        self._asking = None
        self._happen(cause)

    async def _from_client(self, request: TokenRequest) -> AccessToken:
        given = await self._client.get_token(request)
        if given.url is not None and (problem := url_problem(given.url)) is not None:
            raise ClientFailed(f"getToken gave a url that {problem}")
        return given
