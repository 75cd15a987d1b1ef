"""Owns the trust in certificates: one store for the SDK's connections and for calls of the API.

LiveKit's native layer trusts the system's store. If SSL_CERT_FILE or SSL_CERT_DIR is set, it trusts
only their certificates (rustls-native-certs). Python's OpenSSL looks where its builder's system
keeps certificates, so a frozen build may find none. Does not know servers.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora and RHEL before that
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
)
"""Where the systems with Linux keep their certificate authorities."""


def choose(environ: MutableMapping[str, str], bundles: tuple[str, ...] = SYSTEM_BUNDLES) -> None:
    """Set SSL_CERT_FILE in *environ* to the store of a system with Linux, unless it is set.

    Call it once at the start, with `os.environ`. A system without a store gets certifi's bundle.
    """
    if sys.platform != "linux" or environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR"):
        return
    environ["SSL_CERT_FILE"] = next((each for each in bundles if Path(each).is_file()), _own())


def context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context for clients, with the store that the native layer has with *environ*."""
    return _context(environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", ""))


def of_request(url: str, proxy: str | None, environ: Mapping[str, str]) -> ssl.SSLContext | bool:
    """Return aiohttp's `ssl` for a request of the HTTP address *url* through *proxy*.

    It is the context, or True, aiohttp's default, if no connection of the request has TLS: to read
    the store takes 3 MB and 40 ms of CPU.
    """
    has_tls = any(each.startswith("https:") for each in (url, proxy or ""))
    return context(environ) if has_tls else True


@functools.cache
def _context(file: str, folder: str) -> ssl.SSLContext:
    if not file and not folder:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    files = [Path(file)] if file else []
    with contextlib.suppress(OSError):
        files += sorted(Path(folder).iterdir()) if folder else []
    for each in files:
        with contextlib.suppress(OSError):  # ssl.SSLError is an OSError: not a certificate
            trusting.load_verify_locations(each)
    return trusting


def _own() -> str:
    import certifi

    return certifi.where()
