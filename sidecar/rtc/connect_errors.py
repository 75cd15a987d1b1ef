"""Owns the meaning of a failed `Room.connect()`: finds a category by the text of the SDK's error.

The SDK has one error class and no codes. The texts come from SDK 1.2.1 with livekit-server 1.13.5;
tests on the real server check the frequent ones. A text must not be logged or passed on: with
status 401 it contains the whole token.
"""

from __future__ import annotations

import re

from sidecar.core.contract.failures import Category

_STATUS = re.compile(r"(?:client|server|handshake) error: (\d{3})")
"""The rest of the text comes from the server and may contain anything: do not search in it."""
_STATUSES = {
    400: Category.MALFORMED,
    401: Category.UNAUTHORIZED,
    403: Category.UNAUTHORIZED,
    404: Category.NOT_FOUND,
    407: Category.PROXY,
}
"""Any other status is FULL: the server refuses for now, by a limit or a fault of its own."""

_TEXTS: tuple[tuple[str, Category], ...] = (
    ("access token has invalid characters", Category.MALFORMED),
    ("failed to parse the url", Category.MALFORMED),
    ("invalid peer certificate", Category.TLS),
    ("received corrupt message", Category.TLS),
    ("received fatal alert", Category.TLS),
    ("wait_pc_connection timed out", Category.MEDIA_BLOCKED),
    ("transport timed out", Category.TIMEOUT),
    ("failed to receive livekit_protocol::joinresponse", Category.TIMEOUT),
    ("timed out", Category.TIMEOUT),
)


def category_of(text: str, *, through_proxy: bool) -> Category:
    """Return the category for the *text* of an SDK error.

    *through_proxy*: whether the connection went through a proxy.
    """
    lowered = text.lower()
    status = _STATUS.search(lowered)
    if status is not None:
        return _STATUSES.get(int(status[1]), Category.FULL)
    for part, category in _TEXTS:
        if part in lowered:
            return category
    # The text has "IO error:" when the server's port refuses, not when the proxy's port does.
    if through_proxy and "io error" not in lowered:
        return Category.PROXY
    return Category.UNREACHABLE
