"""Owns the sidecar's own requests to its client, and the client's responses.

Sends only requests that `client.capabilities` of `initialize` names. Does not know how the agent
uses an answer, nor how bytes travel.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from sidecar.core.access_token import given_token
from sidecar.core.contract.errors import ClientFailed, ShuttingDown
from sidecar.core.contract.messages import (
    AccessToken,
    ClientCapabilities,
    ProxyRequest,
    TokenRequest,
)
from sidecar.core.contract.protocol import CLIENT_REQUEST_ID_PREFIX
from sidecar.rpc.jsonrpc import encode_request

GET_TOKEN_WITHIN_S = 30.0
"""Seconds. The bridge stops the app's own function after 20 s, and its error names the function: so
the sidecar waits longer."""
RESOLVE_PROXY_WITHIN_S = 3.0
"""Seconds. Chromium can take minutes to load a proxy script when the network is down. `diagnose`
waits for the answer too, and must answer within 10 s."""
MAX_WAITING = 256
"""Requests that the client has not answered yet; more are refused."""
SHOWN_CHARS = 300
"""Characters of the client's error message that our own message repeats."""
READ_CHARS = 8_192
"""Characters of it that are redacted, before it is cut: a line has up to 16 MiB."""

_log = logging.getLogger("sidecar.rpc")


class ClientRequests:
    """Implements `ports.Client`: sends requests over the wire and waits for the responses."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        within: Callable[[float], AbstractAsyncContextManager[object]],
        redact: Callable[[str], str],
    ) -> None:
        """Start with no capabilities, until `offers` names some.

        *send* takes one line without its newline. *within* limits a wait to so many seconds; see
        `ports.Clock`. *redact* removes tokens and passwords from the client's error messages.
        """
        self.gives_tokens = False
        self.resolves_proxies = False
        self._send = send
        self._within = within
        self._redact = redact
        self._numbers = itertools.count(1)
        self._waiting: dict[str, tuple[str, asyncio.Future[object]]] = {}
        self._has_ended = False

    def offers(self, capabilities: ClientCapabilities | None) -> None:
        """Store which requests the client can answer: its `capabilities` in `initialize`."""
        if capabilities is not None:
            self.gives_tokens = capabilities.get_token is True
            self.resolves_proxies = capabilities.resolve_proxy is True

    async def get_token(self, request: TokenRequest) -> AccessToken:
        """Ask the client for an access token. Waits GET_TOKEN_WITHIN_S at most.

        Raises:
            ClientFailed: the client gave no access token; the message says why.
            ShuttingDown: the process is ending.
        """
        return given_token(await self._ask("getToken", request, GET_TOKEN_WITHIN_S))

    async def resolve_proxy(self, url: str) -> str | None:
        """Ask the client for the proxy to *url*. Waits RESOLVE_PROXY_WITHIN_S at most.

        Returns the proxy's url as the client wrote it: check it before use. None: no proxy.

        Raises:
            ClientFailed: the client gave neither a text nor null; the message says why.
            ShuttingDown: the process is ending.
        """
        params = ProxyRequest(url)
        answer = await self._ask("resolveProxy", params, RESOLVE_PROXY_WITHIN_S)
        if answer is None or isinstance(answer, str):
            return answer
        raise ClientFailed("resolveProxy must give a proxy's url or null")

    def take_response(self, response: Mapping[str, object]) -> None:
        """Give *response* to the request that waits for it; ignore it when no request does.

        *response* is a JSON object with `result` or `error` and without `method`.
        """
        request_id = response.get("id")
        name, waiter = self._waiting.get(str(request_id), ("", None))
        if not isinstance(request_id, str) or waiter is None or waiter.done():
            _log.debug("A response was ignored: no request waits for it.")
            return
        problem = self._problem(name, response)
        if problem is None:
            waiter.set_result(response["result"])
        else:
            waiter.set_exception(ClientFailed(problem))

    def end(self) -> None:
        """Fail every open request with ShuttingDown, and refuse every later one."""
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
            async with self._within(within_s):
                return await waiter
        except TimeoutError:
            raise ClientFailed(f"{name} gave no answer within {within_s:g} s") from None
        finally:
            del self._waiting[request_id]
            waiter.cancel()

    def _problem(self, name: str, response: Mapping[str, object]) -> str | None:
        """Return why *response* cannot be used, as part of a sentence; None when it can."""
        is_error = "error" in response
        if response.get("jsonrpc") != "2.0" or is_error == ("result" in response):
            return f"the answer to {name} is no response of JSON-RPC 2.0"
        if not is_error:
            return None
        error = response["error"]
        message = error.get("message") if isinstance(error, Mapping) else None
        if not isinstance(message, str):
            return f"the answer to {name} is no response of JSON-RPC 2.0"
        words = self._redact(message[:READ_CHARS]).removeprefix(f"{name} failed: ")
        return f"{name} failed: {words.rstrip('.')[:SHOWN_CHARS]}"
