"""Owns what a failed `Room.connect()` means: the SDK has one class of error and no codes.

The texts are those of SDK 1.2.1 against livekit-server 1.13.5; tests on the real server hold the
more frequent ones. Nothing of a text is passed on: that of a 401 holds the whole token.
"""

from __future__ import annotations

import re

from sidecar.core.contract.failures import Category

_STATUS = re.compile(r"(?:client|server|handshake) error: (\d{3})")
"""What follows the status is the server's own text, which may say anything."""
_STATUSES = {
    400: Category.MALFORMED,
    401: Category.UNAUTHORIZED,
    403: Category.UNAUTHORIZED,
    404: Category.NOT_FOUND,
    407: Category.PROXY,
}
"""Any other is the server's refusal for now: its limits, or a fault of its own."""

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
    """The category of an SDK error *text*; *through_proxy*: a proxy stood in between."""
    lowered = text.lower()
    status = _STATUS.search(lowered)
    if status is not None:
        return _STATUSES.get(int(status[1]), Category.FULL)
    for part, category in _TEXTS:
        if part in lowered:
            return category
    # "IO error:" is there when the server's own port refuses, and not when a proxy's does.
    if through_proxy and "io error" not in lowered:
        return Category.PROXY
    return Category.UNREACHABLE
