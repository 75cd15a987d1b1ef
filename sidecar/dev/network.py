"""What a development server needs of this machine's network, and whether it answers.

Owns one odd fact: on a host where only loopback is up, no client reaches even a server on loopback
(the SDK fails after 60 s with `wait_pc_connection timed out`; seen with SDK 1.2.1 and Chromium
156). Any other interface that is up and has an address cures it; it needs no route.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

IFF_UP = 0x1
IFF_LOOPBACK = 0x8
"""linux/if.h"""
SIOCGIFADDR = 0x8915
"""linux/sockios.h: the IPv4 address of an interface."""


def has_interface_beside_loopback() -> bool:
    """Tell whether one is up and has an address; true where it cannot be told (not Linux)."""
    if sys.platform != "linux":
        return True
    return any(
        _is_up_beside_loopback(name) and (_has_ipv4(name) or _has_ipv6(name))
        for _, name in socket.if_nameindex()
    )


async def answers_200(port: int) -> bool:
    """Tell whether `GET /` on 127.0.0.1 says 200 within 1 s.

    By hand, since urllib would ask a proxy.
    """
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                status = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return b" 200 " in status


def _is_up_beside_loopback(name: str) -> bool:
    try:
        flags = int(Path("/sys/class/net", name, "flags").read_text(), 16)
    except (OSError, ValueError):
        # Sandboxes without /sys: only its name is left to go by.
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
