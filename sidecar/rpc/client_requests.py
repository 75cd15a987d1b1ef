"""Owns the sidecar's own requests to its client, and the client's responses.

Sends only requests that `client.capabilities` of `initialize` names. Does not know how an answer is
used, nor how bytes travel.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping

from sidecar.core.access_token import given_token
from sidecar.core.contract.errors import ClientFailed, ShuttingDown
from sidecar.core.contract.messages import (
    AccessToken,
    ClientCapabilities,
    ProxyRequest,
    TokenRequest,
)
from sidecar.core.contract.protocol import CLIENT_REQUEST_ID_PREFIX
from sidecar.core.contract.wire import to_wire
from sidecar.rpc.jsonrpc import encode_request

GET_TOKEN_WITHIN_S = 30.0
"""Seconds; longer than the bridge gives the app's own function (20 s), which fails clearer."""
RESOLVE_PROXY_WITHIN_S = 3.0
"""Seconds; a proxy script that has to be fetched from a network that is down takes minutes, and
`diagnose`, which waits for this too, answers within 10 s."""
MAX_WAITING = 256
"""Requests to the client without an answer yet."""
LOOK_S = 0.25
"""The clock counts only time in which it is looked at."""
SHOWN_CHARS = 300
"""How much of the client's own error goes into ours."""

_log = logging.getLogger("sidecar.rpc")


class ClientRequests:
    """A `ports.Client` at the other end of the wire."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        now_s: Callable[[], float],
        redact: Callable[[str], str],
    ) -> None:
        """*send* takes one line without its newline; *now_s* tells attended seconds.

        *redact* takes tokens and passwords out of the client's own words.
        """
        self.gives_tokens = False
        self.resolves_proxies = False
        self._send = send
        self._now_s = now_s
        self._redact = redact
        self._numbers = itertools.count(1)
        self._waiting: dict[str, tuple[str, asyncio.Future[object]]] = {}
        self._has_ended = False

    def offers(self, capabilities: ClientCapabilities | None) -> None:
        """Note the requests that the client answers, as it says in `initialize`."""
        if capabilities is not None:
            self.gives_tokens = capabilities.get_token is True
            self.resolves_proxies = capabilities.resolve_proxy is True

    async def get_token(self, request: TokenRequest) -> AccessToken:
        """The client's answer to `getToken`, within GET_TOKEN_WITHIN_S.

        Raises:
            ClientFailed: it gave no access token; says why.
            ShuttingDown: the process ends.
        """
        return given_token(await self._ask("getToken", to_wire(request), GET_TOKEN_WITHIN_S))

    async def resolve_proxy(self, url: str) -> str | None:
        """The client's answer to `resolveProxy`, within RESOLVE_PROXY_WITHIN_S.

        Raises:
            ClientFailed: it gave neither a text nor null; says why.
            ShuttingDown: the process ends.
        """
        params = to_wire(ProxyRequest(url))
        answer = await self._ask("resolveProxy", params, RESOLVE_PROXY_WITHIN_S)
        if answer is None or isinstance(answer, str):
            return answer
        raise ClientFailed("resolveProxy must give a proxy's url or null")

    def take_response(self, response: Mapping[str, object]) -> None:
        """Take a response of the client: an object with `result` or `error` and no `method`."""
        request_id = response.get("id")
        name, waiter = self._waiting.get(str(request_id), ("", None))
        if not isinstance(request_id, str) or waiter is None or waiter.done():
            _log.debug("A response that nothing waits for was ignored.")
            return
        problem = self._problem(name, response)
        if problem is None:
            waiter.set_result(response["result"])
        else:
            waiter.set_exception(ClientFailed(problem))

    def end(self) -> None:
        """Fail every request that waits for an answer, and every later one: the process ends."""
        self._has_ended = True
        for _, waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(ShuttingDown())

    async def _ask(self, name: str, params: object, within_s: float) -> object:
        if self._has_ended:
            raise ShuttingDown
        if len(self._waiting) >= MAX_WAITING:
            raise ClientFailed(f"{name} was not asked: {MAX_WAITING} requests wait for an answer")
        request_id = f"{CLIENT_REQUEST_ID_PREFIX}{next(self._numbers)}"
        waiter: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = (name, waiter)
        try:
            self._send(encode_request(request_id, name, params))
            until_s = self._now_s() + within_s
            while not waiter.done() and (rest_s := until_s - self._now_s()) > 0:
                await asyncio.wait({waiter}, timeout=min(LOOK_S, rest_s))
            if not waiter.done():
                raise ClientFailed(f"{name} gave no answer within {within_s:g} s")
            return waiter.result()
        finally:
            del self._waiting[request_id]
            waiter.cancel()

    def _problem(self, name: str, response: Mapping[str, object]) -> str | None:
        """Why *response* is no answer, as a part of a sentence; None when it is an answer."""
        is_error = "error" in response
        if response.get("jsonrpc") != "2.0" or is_error == ("result" in response):
            return f"the answer to {name} is no response of JSON-RPC 2.0"
        if not is_error:
            return None
        error = response["error"]
        message = error.get("message") if isinstance(error, Mapping) else None
        if not isinstance(message, str):
            return f"the answer to {name} is no response of JSON-RPC 2.0"
        words = self._redact(message).removeprefix(f"{name} failed: ")
        return f"{name} failed: {words.rstrip('.')[:SHOWN_CHARS]}"
