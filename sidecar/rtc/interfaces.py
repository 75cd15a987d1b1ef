"""Owns the check for a network interface besides loopback: LiveKit clients need one.

Without such an interface, they cannot even connect to a server on loopback. The SDK fails after
60 s with `wait_pc_connection timed out` (seen with SDK 1.2.1 and Chromium 156). Any interface that
is up and has an address is enough; it needs no route. Does not know rooms.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

IFF_UP = 0x1
IFF_LOOPBACK = 0x8
"""linux/if.h"""
SIOCGIFADDR = 0x8915
"""linux/sockios.h: the IPv4 address of an interface."""


def has_interface_beside_loopback() -> bool:
    """Whether an interface besides loopback is up and has an address. Always True off Linux."""
    if sys.platform != "linux":
        return True
    return any(
        _is_up_beside_loopback(name) and (_has_ipv4(name) or _has_ipv6(name))
        for _, name in socket.if_nameindex()
    )


def _is_up_beside_loopback(name: str) -> bool:
    try:
        flags = int(Path("/sys/class/net", name, "flags").read_text(), 16)
    except (OSError, ValueError):
        # A sandbox without /sys: only the name tells loopback from the others.
        return name != "lo"
    return bool(flags & IFF_UP) and not flags & IFF_LOOPBACK


def _has_ipv4(name: str) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            fcntl.ioctl(probe.fileno(), SIOCGIFADDR, name.encode()[:15].ljust(32, b"\0"))
        except OSError:
            return False
    return True


def _has_ipv6(name: str) -> bool:
    try:
        table = Path("/proc/net/if_inet6").read_text()
    except OSError:
        return False
    return any(line.split()[-1:] == [name] for line in table.splitlines())
