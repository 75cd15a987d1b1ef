"""What a development livekit-server is told: its ports, and its configuration on loopback.

Pure but for the look at which ports are free. Knows nothing of the process.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Ports:
    """Ports on 127.0.0.1: `http` for signalling and API, `udp` for media.

    `tcp` is for media over TCP (what FORCE_TCP needs); None leaves it out, since the server
    listens for it on every interface.
    """

    http: int
    udp: int
    tcp: int | None = None

    @classmethod
    def free(cls, *, with_tcp: bool = False) -> Ports:
        """Pick ports that are free now."""
        return cls(
            http=_free_port(socket.SOCK_STREAM),
            udp=_free_port(socket.SOCK_DGRAM),
            tcp=_free_port(socket.SOCK_STREAM) if with_tcp else None,
        )


@dataclass(frozen=True)
class RoomDefaults:
    """What the server does with rooms; timeouts in whole seconds, as it takes them."""

    auto_create: bool = True
    empty_timeout_s: int = 300
    departure_timeout_s: int = 20


def configuration(
    ports: Ports,
    keys: dict[str, str],
    rooms: RoomDefaults,
    webhook_url: str | None,
) -> dict[str, object]:
    """Give the server's configuration; as JSON it is the YAML that the server reads.

    The first of `keys` (API key: secret of 32 characters or more) signs the webhooks.
    """
    rtc: dict[str, object] = {
        "udp_port": ports.udp,
        "tcp_port": ports.tcp or 0,
        "node_ip": "127.0.0.1",
        "use_external_ip": False,
        "enable_loopback_candidate": True,
        # Without a list of our own, clients are told to ask public STUN servers.
        "stun_servers": ["127.0.0.1:3478"],
    }
    loopback = {"linux": "lo", "darwin": "lo0"}.get(sys.platform)
    if loopback is not None:
        rtc["interfaces"] = {"includes": [loopback]}
    given: dict[str, object] = {
        "port": ports.http,
        "bind_addresses": ["127.0.0.1"],
        "keys": keys,
        "rtc": rtc,
        "room": {
            "auto_create": rooms.auto_create,
            "empty_timeout": rooms.empty_timeout_s,
            "departure_timeout": rooms.departure_timeout_s,
        },
    }
    if webhook_url is not None:
        given["webhook"] = {"api_key": next(iter(keys)), "urls": [webhook_url]}
    return given


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
