"""Owns the choice of the proxy for a server: takes the client's answer, else the environment's.

LiveKit's native layer reads HTTP_PROXY and HTTPS_PROXY at each connect, but ignores NO_PROXY
(rust-sdks livekit-net/src/native/proxy.rs). So it would use the proxy even for a server on this
machine. `livekit.api` ignores all three. Does not know rooms.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Protocol
from urllib.parse import urlsplit

from sidecar.core.config import url_problem
from sidecar.core.contract.errors import ClientFailed, ShuttingDown

VARIABLES = ("http_proxy", "https_proxy", "all_proxy")
REMEMBERED_S = 60.0
"""Seconds for which calls of the server API reuse the client's answer. Each join asks again."""
_NAMES = (*VARIABLES, *(each.upper() for each in VARIABLES))
_READ = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_USABLE = re.compile(r"http://[^/\s]+/?")
"""The proxies that the native layer can use: it sends CONNECT over plain TCP
(livekit-net/src/native/proxy.rs)."""

_log = logging.getLogger("sidecar.rtc")


class ProxyResolver(Protocol):
    """The part of `ports.Client` that names the system's proxy."""

    @property
    def resolves_proxies(self) -> bool:
        """Whether the client answers `resolveProxy`."""

    async def resolve_proxy(self, url: str) -> str | None:
        """Ask the client for the proxy to *url*; see `ports.Client.resolve_proxy`."""


class Proxies:
    """Chooses proxies, and sets the proxy variables of this process for the native layer."""

    def __init__(
        self,
        environ: MutableMapping[str, str],
        client: ProxyResolver | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the variables in *environ*, which the native layer reads; pass `os.environ`.

        Its proxies at this moment are the default, used when *client* names none. *now_s* returns
        seconds.
        """
        self._environ = environ
        self._original = dict(environ)
        self._client = client
        self._now_s = now_s
        self._asking = asyncio.Lock()
        self._known: tuple[str, dict[str, str], float] | None = None
        self._has_warned = False
        for name in _READ:
            if (value := environ.get(name)) and not _USABLE.fullmatch(value):
                # Not the value: it may hold a password.
                _log.warning(
                    "%s is set to something that is no http://host:port. LiveKit cannot use it."
                    " Fix: correct the variable, or unset it.",
                    name,
                )

    async def prepare_join(self, url: str) -> None:
        """Set the environment for a join at *url*. Await it before each `Room.connect()`."""
        self._known = None
        set_for(url, self._environ, await self._variables(url))

    async def of(self, url: str) -> str | None:
        """Return the proxy for a call of the server API at *url*; None for a direct connection."""
        if url_problem(url) is not None:
            return None
        return proxy_of(url, await self._variables(url))

    @property
    def is_set(self) -> bool:
        """Whether the environment names a proxy now."""
        return any(name in self._environ for name in _NAMES)

    async def _variables(self, url: str) -> Mapping[str, str]:
        """The variables that count for *url*: the client's word displaces them all."""
        client = self._client
        if client is None or not client.resolves_proxies or _is_direct(url, {}):
            return self._original
        async with self._asking:
            if self._known is not None:
                known_url, variables, until_s = self._known
                if known_url == url and self._now_s() < until_s:
                    return variables
            variables = await self._asked(client, url)
            self._known = (url, variables, self._now_s() + REMEMBERED_S)
            return variables

    async def _asked(self, client: ProxyResolver, url: str) -> dict[str, str]:
        try:
            # Proxy scripts and lists of exceptions expect an http or https url.
            proxy = await client.resolve_proxy(_http_url(url))
            if proxy is not None and not _USABLE.fullmatch(proxy):
                raise ClientFailed("resolveProxy must give http://host:port or null")
        except ClientFailed as error:
            if not self._has_warned:
                self._has_warned = True
                _log.warning("The environment says which proxy to use: %s.", error)
            return self._original
        except ShuttingDown:
            return self._original
        self._has_warned = False
        return {} if proxy is None else {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}


def set_for(url: str, environ: MutableMapping[str, str], original: Mapping[str, str]) -> None:
    """Set in *environ* the proxies of *original* that apply to *url*; remove all others."""
    is_direct = _is_direct(url, original)
    for name in _NAMES:
        if name in original and not is_direct:
            environ[name] = original[name]
        else:
            environ.pop(name, None)


def proxy_of(url: str, environ: Mapping[str, str]) -> str | None:
    """Return the proxy of *environ* for *url*; None for a direct connection.

    Chooses between the variables like the native layer, and also respects NO_PROXY.
    """
    parts = urlsplit(url)
    name = "https_proxy" if parts.scheme in ("wss", "https") else "http_proxy"
    proxy = environ.get(name.upper(), environ.get(name, ""))
    return None if not proxy or _is_direct(url, environ) else proxy


def goes_direct(host: str, environ: Mapping[str, str]) -> bool:
    """Whether *host* needs no proxy: it is loopback, or NO_PROXY in *environ* names it.

    Reads NO_PROXY like curl.
    """
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost") or _is_loopback(host):
        return True
    no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return any(_covers(entry, host) for entry in no_proxy.lower().replace(",", " ").split())


def _is_direct(url: str, environ: Mapping[str, str]) -> bool:
    return goes_direct(urlsplit(url).hostname or "", environ)


def _covers(entry: str, host: str) -> bool:
    if entry == "*":
        return True
    if entry.count(":") == 1:
        entry = entry.partition(":")[0]
    entry = entry.lstrip("*").strip(".")
    if "/" in entry:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    return bool(entry) and (host == entry or host.endswith("." + entry))


def _http_url(url: str) -> str:
    return "http" + url.removeprefix("ws") if url.startswith("ws") else url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
