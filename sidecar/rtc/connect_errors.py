"""Owns the meaning of a failed `Room.connect()`: finds a category by the text of the SDK's error.

The SDK has one error class and no codes. The texts come from SDK 1.2.1 with livekit-server 1.13.5;
tests on the real server check the frequent ones. After a failed WebSocket handshake the SDK asks
`/rtc/validate`: "client error" and "server error" have that answer, with its body; "handshake
error" means that validate answered well, and the handshake did not. Do not log or pass on
a text before it is redacted: with status 401 it contains the whole token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sidecar.core.contract.failures import Category

ANSWER_CHARS = 120
"""Characters that are told of an answer that no category explains."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The category of a failed connect, and the text that came in place of a LiveKit answer."""

    category: Category
    answer: str = ""
    """The status and the first words of the answer, for a category that does not explain it."""
    is_name_unknown: bool = False
    """Whether no address was found for the server's name."""


_STATUS = re.compile(r"(client|server|handshake) error: (\d{3})(?: .*?)?(?: - (.*))?$", re.S)
"""The last part comes from the server and may contain anything."""

_OWN_WORDS = ("token", "api key", "permission", "identity", "authorization header", "grant")
"""LiveKit's own refusals are plain text with one of these (livekit-server pkg/service/auth.go)."""
_LIMIT_WORDS = ("exceeds", "no room name", "identity", "join request", "join_request", "attributes")
"""LiveKit's own texts for status 400 (pkg/service/errors.go and rtcservice.go)."""
_NO_ROOM_WORDS = ("requested room does not exist", "404 page not found")
"""LiveKit's own texts for status 404; the second is Go's, for an unknown path."""
_TLS_PORT_WORDS = ("plain http request was sent to https port", "http request to an https server")
"""nginx's and Go's words for a request without TLS at a port with TLS."""

_TEXTS: tuple[tuple[str, Category], ...] = (
    ("access token has invalid characters", Category.MALFORMED),
    ("failed to parse the url", Category.MALFORMED),
    ("invalid peer certificate", Category.UNTRUSTED_CERTIFICATE),
    ("native root", Category.UNTRUSTED_CERTIFICATE),
    ("received corrupt message", Category.TLS),
    ("received fatal alert", Category.TLS),
    ("received unexpected", Category.TLS),
    ("peer is incompatible", Category.TLS),
    ("peer misbehaved", Category.TLS),
    ("cannot decrypt peer", Category.TLS),
    ("tls handshake eof", Category.TLS),
    ("wait_pc_connection timed out", Category.MEDIA_BLOCKED),
    ("transport timed out", Category.TIMEOUT),
    ("failed to receive livekit_protocol::joinresponse", Category.TIMEOUT),
    ("timed out", Category.TIMEOUT),
    ('no "upgrade', Category.NO_WEBSOCKETS),
    ('no "connection', Category.NO_WEBSOCKETS),
    ("sec-websocket", Category.NO_WEBSOCKETS),
)
_NO_HTTP = "websocket protocol error"
"""What answers speaks no HTTP, or closes the connection before its answer."""

_LOCAL = re.compile(
    r"too many open files|no buffer space|cannot allocate memory|cannot assign requested address"
    r"|operation not permitted|permission denied|os error (?:10013|10024|10049|10055)\b"
)
"""Errors of this machine's system: limits and rules, by the words of POSIX and the numbers of
Windows (WSAEACCES, WSAEMFILE, WSAEADDRNOTAVAIL, WSAENOBUFS)."""
_REFUSED = re.compile(
    r"connection refused|connection reset|lookup address|unreachable|os error \d"
    r"|end of file|eof|closed connection|broken pipe"
)
"""What the network says, in the words of Rust and POSIX; Windows' words are a language's own."""

_NAME_UNKNOWN = re.compile(r"lookup address|os error (?:11001|11002|11004)\b")
"""A failed name look-up, in Rust's words and by the numbers of Windows (WSAHOST_NOT_FOUND,
WSATRY_AGAIN, WSANO_DATA)."""


def meaning_of(text: str, *, through_proxy: bool) -> Meaning:
    """Return the meaning of the *text* of an SDK error. Redact the text first.

    *through_proxy*: whether the connection went through a proxy.
    """
    lowered = text.lower()
    status = _STATUS.search(lowered)
    if status is not None:
        number, body = int(status[2]), status[3] or ""
        category = category_of_status(number, body, is_handshake=status[1] == "handshake")
        is_explained = category in _EXPLAINED
        return Meaning(category, "" if is_explained else _shown(text[status.start(2) :]))
    for part, category in _TEXTS:
        if part in lowered:
            return Meaning(category)
    if _NO_HTTP in lowered:
        return Meaning(Category.OTHER_SERVER, "no HTTP")
    # The text has "IO error:" when the server's port refuses, not when the proxy's port does.
    if through_proxy and "io error" not in lowered:
        return Meaning(Category.PROXY)
    if _LOCAL.search(lowered):
        return Meaning(Category.LOCAL, _shown(text.rpartition("IO error: ")[2]))
    if _REFUSED.search(lowered):
        is_name_unknown = _NAME_UNKNOWN.search(lowered) is not None
        return Meaning(Category.UNREACHABLE, is_name_unknown=is_name_unknown)
    return Meaning(Category.UNKNOWN, _shown(text))


_EXPLAINED = frozenset(
    {
        Category.UNAUTHORIZED,
        Category.NOT_FOUND,
        Category.MALFORMED,
        Category.FULL,
        Category.PROXY,
        Category.USE_WSS,
        Category.RATE_LIMITED,
    }
)
"""Categories with sentences that need no words of the answer."""


def may_be_clock(text: str) -> bool:
    """Whether a wrong clock may be why the server refused the token, by the error's *text*."""
    lowered = text.lower()
    return "signature is invalid" not in lowered and "invalid api key" not in lowered


def category_of_status(status: int, body: str, *, is_handshake: bool) -> Category:
    """Return the category of an answer with *status* that is no success.

    *body* is its text in small letters. *is_handshake*: whether a WebSocket was asked for, and the
    server has taken the token.
    """
    is_page = not body.strip() or body.lstrip()[0] in "<{["
    if status == 407:
        return Category.PROXY
    if status == 429:
        return Category.RATE_LIMITED
    if status == 503 and not is_page and "exceeded its configured limit" in body:
        return Category.FULL
    if status in (502, 503, 504) or 520 <= status <= 530:  # 520 to 530 are Cloudflare's
        return Category.SERVER_DOWN
    if is_handshake and 400 <= status < 500:
        return Category.NO_WEBSOCKETS
    if is_handshake and status == 500:
        return Category.FULL  # the answer of livekit-server for a full room
    if status in (401, 403):
        is_own = not is_page and any(each in body for each in _OWN_WORDS)
        return Category.UNAUTHORIZED if is_own else Category.OTHER_SERVER
    if status == 400 and any(each in body for each in _TLS_PORT_WORDS):
        return Category.USE_WSS
    if status == 400:
        is_own = not is_page and any(each in body for each in _LIMIT_WORDS)
        return Category.MALFORMED if is_own else Category.OTHER_SERVER
    if status == 404:
        is_own = any(each in body for each in _NO_ROOM_WORDS)
        return Category.NOT_FOUND if is_own else Category.OTHER_SERVER
    if status < 500 or status == 511:  # 511 is a captive portal's (RFC 6585)
        return Category.OTHER_SERVER
    return Category.UNKNOWN


def _shown(text: str) -> str:
    """Return the first words of *text* in one line."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return words[:ANSWER_CHARS].removesuffix(" -").strip()
