"""Owns what a failed `Room.connect()` means: the SDK has one class of error and no codes.

The texts are those of SDK 1.2.1 against livekit-server 1.13.5; a test on the real server holds
each. Nothing of a text is passed on: that of a 401 holds the whole token.
"""

from __future__ import annotations

from sidecar.core.failures import Category

_TEXTS: tuple[tuple[str, Category], ...] = (
    ("access token has invalid characters", Category.MALFORMED),
    ("failed to parse the url", Category.MALFORMED),
    ("401 unauthorized", Category.UNAUTHORIZED),
    ("403 forbidden", Category.UNAUTHORIZED),
    ("404 not found", Category.NOT_FOUND),
    ("407 proxy authentication required", Category.PROXY),
    ("proxy", Category.PROXY),
    ("500 internal server error", Category.FULL),
    ("503 service unavailable", Category.FULL),
    ("invalid peer certificate", Category.TLS),
    ("corrupt message", Category.TLS),
    ("tls", Category.TLS),
    ("certificate", Category.TLS),
    ("wait_pc_connection timed out", Category.MEDIA_BLOCKED),
    ("transport timed out", Category.TIMEOUT),
    ("failed to receive livekit_protocol::joinresponse", Category.TIMEOUT),
    ("timed out", Category.TIMEOUT),
    ("400 bad request", Category.MALFORMED),
)


def category_of(text: str, *, through_proxy: bool) -> Category:
    """The category of an SDK error *text*; *through_proxy*: a proxy stood in between."""
    lowered = text.lower()
    # What stands behind the status line is the server's text, which may say anything.
    lowered = lowered.partition("invalid token:")[0]
    for part, category in _TEXTS:
        if part in lowered:
            return category
    # "IO error:" is there when the server's own port refuses, and not when a proxy's does.
    if through_proxy and "io error" not in lowered:
        return Category.PROXY
    return Category.UNREACHABLE
