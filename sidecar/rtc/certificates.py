"""Owns where each system keeps the certificates that it trusts.

Python's OpenSSL looks in one place, which it got when it was built: Debian's /usr/lib/ssl, or a
folder of python.org on macOS. A frozen build runs on systems that lack it, and would then trust no
server. LiveKit's native library finds the system's certificates by itself.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import MutableMapping, Sequence

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, NixOS
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat and its kin
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # the same, newer
    "/etc/ssl/ca-bundle.pem",  # openSUSE, SLES
    "/var/lib/ca-certificates/ca-bundle.pem",  # the same, where the link is missing
    "/etc/ssl/cert.pem",  # macOS, Alpine
)
"""As the Rust crate openssl-probe has them, which LiveKit's native library uses."""


def use_those_of_the_system(
    environment: MutableMapping[str, str], bundles: Sequence[str] = BUNDLES
) -> None:
    """Set SSL_CERT_FILE in *environment* where OpenSSL would find no certificate by itself.

    Call it before aiohttp is imported: aiohttp reads the certificates then. SSL_CERT_FILE and
    SSL_CERT_DIR of the user are stronger. Does nothing on Windows: Python asks Windows.
    """
    found = ssl.get_default_verify_paths()
    if os.name == "nt" or found.cafile is not None or found.capath is not None:
        return
    bundle = next((each for each in bundles if os.path.isfile(each)), None)
    if bundle is not None:
        environment["SSL_CERT_FILE"] = bundle
