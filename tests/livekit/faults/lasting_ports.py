"""Ports for a server that goes away and comes back at the same address.

Owns the choice of three. Knows no server.
"""

from __future__ import annotations

import contextlib
import random
import socket

from sidecar.dev.server import Ports


def lasting_ports(*, with_tcp: bool) -> Ports:
    """Free ports that no outgoing connection is given while the server is away.

    Below the ephemeral ones (Linux: from 32768, others: from 49152); of five digits, see proxy.py.
    """
    chosen: list[int] = []
    while len(chosen) < 3:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - not for secrets
        kind = socket.SOCK_DGRAM if len(chosen) == 1 else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            chosen.append(port)
    http, udp, tcp = chosen
    return Ports(http, udp, tcp if with_tcp else None)
