"""Owns which hosts are reached without the proxy of the environment, and which with which.

LiveKit's native layer honours HTTP_PROXY and HTTPS_PROXY but not NO_PROXY
(rust-sdks livekit-net/src/native/proxy.rs), and so would look for a server on this machine at the
proxy. It reads the variables at each connect. `livekit.api` honours none of them. Does not know
rooms.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, MutableMapping
from urllib.parse import urlsplit

VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


def set_for(url: str, environ: MutableMapping[str, str], original: Mapping[str, str]) -> None:
    """Leave in *environ* the proxies of *original* that hold for *url*, and no others."""
    is_direct = goes_direct(urlsplit(url).hostname or "", original)
    for name in (*VARIABLES, *(each.upper() for each in VARIABLES)):
        if name in original and not is_direct:
            environ[name] = original[name]
        else:
            environ.pop(name, None)


def proxy_of(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy of *environ* for *url*, chosen as the native layer does; None: directly."""
    parts = urlsplit(url)
    name = "https_proxy" if parts.scheme in ("wss", "https") else "http_proxy"
    proxy = environ.get(name.upper(), environ.get(name, ""))
    return None if not proxy or goes_direct(parts.hostname or "", environ) else proxy


def goes_direct(host: str, environ: Mapping[str, str]) -> bool:
    """Whether *host* is loopback, or named by NO_PROXY (as curl reads it) in *environ*."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost") or _is_loopback(host):
        return True
    no_proxy = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return any(_covers(entry, host) for entry in no_proxy.lower().replace(",", " ").split())


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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
