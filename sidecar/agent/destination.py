"""Owns the agent's target: server, room, identity and credentials, and the warnings about them.

Does not know whether the agent is in the room.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sidecar.core.access_token import (
    TOKEN_LEEWAY_S,
    claims_for_agent,
    doubts_about,
    has_expired,
    is_early,
    times_problem,
)
from sidecar.core.agent_state import Event
from sidecar.core.config import (
    NO_CAPABILITIES,
    Settings,
    Target,
    plain_problem,
    server_doubt,
    shown_url,
    url_problem,
)
from sidecar.core.config import target as resolved
from sidecar.core.contract.errors import OtherRoom
from sidecar.core.contract.failures import (
    BrokenInstall,
    Category,
    Failure,
    failure,
    identity_taken,
    name_unknown,
    token_early,
    token_refused,
    tokens_refused,
)
from sidecar.core.contract.messages import (
    AccessToken,
    AgentState,
    Capabilities,
    Diagnosis,
    TokenGrants,
    TokenRequest,
)
from sidecar.core.diagnosis import diagnosis
from sidecar.core.facts import JoinFailed
from sidecar.core.ports import Ports
from sidecar.core.sound import Needs, missing_grants
from sidecar.core.token_asking import MAX_REFUSALS, TokenAsking

_log = logging.getLogger("sidecar.agent")

_WRONG_KIND = (
    "The agent's token is not of kind `agent`, so LiveKit takes the agent for a person: apps show"
    " it, and the room stays open without people. Issue the token with kind `agent`."
)
_DOUBT = "Look at the access token that getToken gave for the agent. "
_LATER = (
    "`connect` gave another name or autoSubscribe after the agent had joined, or begun to join. The"
    " agent uses it from its next join on. To use it now, send `disconnect`, then `connect`."
)


_NOT_ON_NEED = (
    "`connect` has `join: 'needed'`, but with this token the agent cannot know whether a person"
    " comes, so it is in the room all the time. Pass apiKey and apiSecret, or offer `getToken`."
)
_NOT_LISTED = "The agent is out of its room, and cannot look whether a person is there:"

_NOT_GRANTED = "The agent's token does not grant what the voice plug-in needs:"
_GRANT = "Issue the token with these grants; until then the plug-in cannot hear, speak or write."


class Destination:
    """Keeps the newest settings, and the target that results from them."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        """Start without a target; later settings override *settings*."""
        self._settings = settings
        self._clock = ports.clock
        self._api = ports.api
        self._client = ports.client
        self._protect = ports.protect
        self._needs = ports.needs
        self._wanted: Target | None = None
        self._joined: Target | None = None
        self._asking = TokenAsking()
        self.target: Target | None = None
        """The wanted target, with token, identity and url of the client's newest token."""
        self.warnings: list[str] = []

    def take_settings(self, settings: Settings, *, is_under_way: bool) -> bool:
        """Merge *settings* over the earlier ones, and resolve the target.

        Returns whether server or room are other ones than before.

        If the client gives tokens, a token in *settings* serves the first join only. Pass
        *is_under_way* if a Room is joined or joining.

        Raises:
            InvalidParams: a setting is missing or invalid; nothing changed.
            OtherRoom: the agent *is_under_way* to another target; nothing changed.
        """
        merged = settings.over(self._settings)
        self._protect(merged.secrets)
        gives_tokens = self._client.gives_tokens
        wanted = lasting = self._resolved(merged, gives_tokens=gives_tokens)
        if gives_tokens and wanted.api_secret is None:
            merged = merged.without_token()
            lasting = self._resolved(merged, gives_tokens=True)
        if is_under_way and self.target is not None and self._wanted is not None:
            if lasting.server_room_identity != self._wanted.server_room_identity:
                raise OtherRoom(
                    f"The agent is in room {self.target.room!r} already, or is joining it.",
                    "Send `disconnect` first, or pass `switch: true`.",
                )
            if wanted.api_secret is None and wanted.token is None:
                now = self.target
                wanted = replace(wanted, token=now.token, identity=now.identity, url=now.url)
            self._warn_of_later(wanted)
        is_other = self._wanted is None or self._wanted.server_room != lasting.server_room
        self._settings, self._wanted, self.target = merged, lasting, wanted
        self._look_at_target()
        return is_other

    def _resolved(self, settings: Settings, *, gives_tokens: bool) -> Target:
        return resolved(settings, client_gives_tokens=gives_tokens, needs=self._needs)

    @property
    def needs_token(self) -> bool:
        """Return whether to ask the client for a token before the next join."""
        if self.target is None or not self._client.gives_tokens:
            return False
        return self.target.needs_token(self._now_s())

    @property
    def identities(self) -> frozenset[str]:
        """Return the agent's identities, now and at its next join. A human must not use them."""
        both = (self.target, self._wanted)
        return frozenset(each.identity for each in both if each is not None)

    @property
    def url(self) -> str:
        """Return the server's url from `connect`."""
        return self._required(self._wanted).url

    def token_request(self) -> TokenRequest:
        """Build the request for the agent's token, with only the rights that the agent needs."""
        wanted = self._required(self._wanted)
        return TokenRequest(
            purpose="agent",
            room=wanted.room,
            identity=wanted.identity,
            name=wanted.name,
            grants=TokenGrants(
                can_publish=Needs.SPEAK in wanted.grants,
                can_subscribe=Needs.HEAR in wanted.grants,
                can_publish_data=Needs.TEXT in wanted.grants,
            ),
        )

    def take_token(self, given: AccessToken) -> None:
        """Use the client's token for the next join.

        Raises:
            ClientFailed: the agent cannot join the room with this token; nothing changed.
        """
        wanted = self._required(self._wanted)
        self._protect((given.token,))
        claims = claims_for_agent(given.token, wanted.room)
        doubts = [*doubts_about(claims, self.token_request().grants, self._now_s())]
        if claims.identity != wanted.identity:
            doubts.append(
                f"It has the identity {claims.identity!r}, and {wanted.identity!r} was asked for."
            )
        if (doubt := server_doubt(given.url, wanted.url)) is not None:
            doubts.append(doubt)
        self._say_doubts(doubts)
        self.target = replace(
            wanted, token=given.token, identity=claims.identity, url=given.url or wanted.url
        )
        self._asking.given()
        self._look_at_target()

    def joins(self) -> Target:
        """Return the target for a Room that opens now, and remember it as the joined one."""
        self._joined = self.required()
        self._keep_warnings(_LATER, [])
        return self._joined

    def has_joined(self, granted: Needs | None) -> None:
        """Note that the server took the token; warn if it *granted* less than the plug-in needs."""
        self._asking.joined()
        self.warnings = [each for each in self.warnings if not each.startswith(_NOT_GRANTED)]
        lacking = () if granted is None else missing_grants(self._needs, granted)
        if lacking:
            self.warn(f"{_NOT_GRANTED} {', '.join(lacking)}. {_GRANT}")

    def required(self) -> Target:
        """Return the target. Call only after `take_settings` has succeeded."""
        return self._required(self.target)

    def capabilities(self) -> Capabilities:
        """Return what the credentials allow now."""
        if self.target is None:
            return NO_CAPABILITIES
        return self.target.capabilities(
            self._now_s(), client_gives_tokens=self._client.gives_tokens
        )

    @property
    def may_list(self) -> bool:
        """Return whether the credentials allow a look at the server's list of participants."""
        return self.capabilities().reconcile

    @property
    def is_join_on_need(self) -> bool:
        """Return whether the agent is to be in the room only while a person is there.

        False for credentials with which the agent could not know that a person comes.
        """
        if self.target is None or not self.target.is_join_on_need:
            return False
        able = self.capabilities()
        return able.create_connection or able.reconcile

    def not_listed(self, why: str | None) -> None:
        """Warn that the server's list could not be read, and *why*; None: it was read."""
        if why is None:
            self._keep_warnings(_NOT_LISTED, [])
        elif not any(_NOT_LISTED in each for each in self.warnings):
            self.warn(f"{_NOT_LISTED} {why} It looks again every 30 s.")

    def take_failure(self, fact: JoinFailed) -> tuple[Event, Failure]:
        """Record a failed join; return its event, and its failure for the client."""
        tried = self._joined or self.required()
        url = shown_url(tried.url)
        category = Category(fact.category)
        if tried.api_secret is not None and self._is_clock_wrong(fact.server_ms):
            category = Category.CLOCK
        found = name_unknown(url) if fact.is_name_unknown else failure(category, url, fact.answer)
        if found.retryable:
            return Event.FAILED, found
        if category is Category.BROKEN_INSTALL:
            return Event.REFUSED, found
        # The server answers the same for an expired and a wrong token: read the token's times.
        claims = tried.claims
        now_s = self._now_s() if fact.server_ms is None else fact.server_ms / 1000
        times = None if claims is None else times_problem(claims, now_s)
        is_token_s = tried.token is not None and url_problem(tried.url) is None
        if is_token_s and self._client.gives_tokens:
            self.target = replace(self.required(), token=None)
            event = self._asking.refused()
            if event is Event.REFUSED:
                return event, tokens_refused(found, url, MAX_REFUSALS, times)
            return event, token_refused(found, times)
        if claims is not None and has_expired(claims, now_s):
            return Event.TOKEN_EXPIRED, found
        if claims is not None and is_early(claims, now_s):
            return Event.FAILED, token_early(found)
        return Event.REFUSED, found

    def _is_clock_wrong(self, server_ms: int | None) -> bool:
        """Return whether the server refuses a token made by this machine's clock."""
        if server_ms is None:
            return False
        return abs(server_ms / 1000 - self._now_s()) > TOKEN_LEEWAY_S

    async def diagnose(
        self, state: AgentState, last_error: Failure | None, *, awaits_people: bool
    ) -> Diagnosis:
        """Check installation, server, credentials and room, within 10 s."""
        target = self.target
        broken = None
        try:
            await self._api.check_install()
        except BrokenInstall as error:
            broken = error
        probe = None if target is None else await self._api.probe(target)
        return diagnosis(
            target,
            probe,
            self._clock.tick().wall_ms,
            state,
            last_error,
            broken,
            client_gives_tokens=self._client.gives_tokens,
            awaits_people=awaits_people,
        )

    def put_out(self, event: Event) -> tuple[Event, Failure | None]:
        """Return the event for an end of the Room by *event*, and the failure if it has one.

        IDENTITY_TAKEN becomes EVICTED if the credentials do not allow a look at the server's list.
        """
        url = shown_url(self.required().url)
        if event is Event.EVICTED:
            return event, failure(Category.REMOVED, url)
        if event is not Event.IDENTITY_TAKEN:
            return event, None
        if not self.may_list:
            return Event.EVICTED, failure(Category.IDENTITY_TAKEN, url)
        return event, identity_taken(url)

    def warn(self, warning: str) -> None:
        """Log *warning* once, and keep it for `getStatus`."""
        if warning not in self.warnings:
            self.warnings.append(warning)
            _log.warning("%s", warning)

    def _keep_warnings(self, mark: str, said: Sequence[str]) -> None:
        """Replace the warnings that contain *mark* by *said*; see warn."""
        self.warnings = [each for each in self.warnings if mark not in each or each in said]
        for each in said:
            self.warn(each)

    def _say_doubts(self, doubts: Iterable[str]) -> None:
        """Replace the warnings about the client's earlier token by *doubts* about its new one."""
        self._keep_warnings(_DOUBT, [_DOUBT + each for each in doubts])

    def _look_at_target(self) -> None:
        plain = plain_problem(self.required().url)
        self._keep_warnings("is not encrypted", [] if plain is None else [plain])
        claims = self.required().claims
        is_wrong = claims is not None and claims.kind != "agent"
        self._keep_warnings(_WRONG_KIND, [_WRONG_KIND] if is_wrong else [])
        is_unable = self.required().is_join_on_need and not self.is_join_on_need
        self._keep_warnings(_NOT_ON_NEED, [_NOT_ON_NEED] if is_unable else [])

    def _warn_of_later(self, wanted: Target) -> None:
        now = self._joined or self.target
        if now is None:
            return
        is_later = (wanted.name, wanted.auto_subscribe) != (now.name, now.auto_subscribe)
        self._keep_warnings(_LATER, [_LATER] if is_later else [])

    @staticmethod
    def _required(target: Target | None) -> Target:
        if target is None:
            raise RuntimeError("there is no target: call take_settings first")
        return target

    def _now_s(self) -> float:
        return self._clock.tick().wall_ms / 1000
