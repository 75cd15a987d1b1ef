"""Owns the reasons why a join can fail: the categories, each with a sentence and a fix.

Does not know SDK texts. The adapters map each text to a category and drop the text: LiveKit's
answer to a refused token contains the whole token.
"""

from __future__ import annotations

import errno
import re
from dataclasses import replace
from enum import StrEnum

from sidecar.core.contract.wire import member
from sidecar.core.values import dataclass


class Category(StrEnum):
    """Why the agent could not join, or was removed from the room."""

    UNREACHABLE = "unreachable"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not-found"
    PROXY = "proxy"
    TLS = "tls"
    MEDIA_BLOCKED = "media-blocked"
    FULL = "full"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    BROKEN_INSTALL = "broken-install"
    """A part of the sidecar is missing or cannot be loaded."""
    INTERNAL = "internal"
    """A bug in the sidecar."""
    IDENTITY_TAKEN = "identity-taken"
    """Another participant joined with the agent's identity, so the server removed the agent."""
    REMOVED = "removed"
    """An operator removed the agent from the room."""
    OTHER_SERVER = "other-server"
    """Another program than a LiveKit server answers."""
    NO_WEBSOCKETS = "no-websockets"
    """A proxy in front of the server does not let WebSockets through."""
    SERVER_DOWN = "server-down"
    """A proxy answers in place of the server behind it: 502, 503 or 504."""
    RATE_LIMITED = "rate-limited"
    USE_WSS = "use-wss"
    """The server takes only connections with TLS."""
    UNTRUSTED_CERTIFICATE = "untrusted-certificate"
    CLOCK = "clock"
    """This machine's clock is wrong, so the server refuses the tokens that are made here."""
    LOCAL = "local"
    """The system of this machine refused the connection."""
    EARLIER_ATTEMPT = "earlier-attempt"
    """An earlier attempt to join has not ended yet; the next one waits for its end."""
    UNKNOWN = "unknown"
    """No other category fits. The detail has the status and the first words of the answer."""


class BrokenInstall(Exception):
    """A part of the sidecar is missing or cannot be loaded; the text names it."""

    category = Category.BROKEN_INSTALL


class Shortage(BrokenInstall):
    """The system has no file handle or memory for a part now; the text has the system's words."""

    category = Category.LOCAL


_SHORTAGES = {
    errno.EMFILE: "Too many open files",
    errno.ENFILE: "Too many open files in system",
    errno.ENOMEM: "Cannot allocate memory",
}
"""The words are the dynamic linker's, too, whose errors have no number."""


def shortage(error: BaseException | None) -> str | None:
    """Return what the system lacked, in its words, if *error* came of that; else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _SHORTAGES:
            return _SHORTAGES[error.errno]
        for words in _SHORTAGES.values():
            if isinstance(error, ImportError | OSError) and words in str(error):
                return words
        error = error.__context__
    return None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt to join failed, or why the server removed the agent.

    On the wire: `{"category": str, "detail": str, "fix": str, "retryable": bool}`.
    """

    category: Category = member("The cause, as one word.")
    detail: str = member("The cause, as a sentence for a human.")
    fix: str = member("The fix, as a sentence for a human.")
    retryable: bool = member("Whether the agent tries again by itself.")


_SENTENCES: dict[Category, tuple[str, str]] = {
    Category.UNREACHABLE: (
        "No LiveKit server answers at {url}.",
        "Start the server, or correct the url (LIVEKIT_URL); check network, VPN and firewall.",
    ),
    Category.UNAUTHORIZED: (
        "The LiveKit server at {url} refused the access token.",
        "Check that the API key and secret (LIVEKIT_API_KEY, LIVEKIT_API_SECRET) or the token"
        " belong to this server, that the token has not expired and grants this room, and that"
        " the clock of this machine is right.",
    ),
    Category.NOT_FOUND: (
        "The LiveKit server at {url} does not know this address or room.",
        "Use the server's base url without a path. If the server does not create rooms on demand,"
        " create the room first.",
    ),
    Category.PROXY: (
        "The connection to {url} failed at the proxy set for this process.",
        "Correct HTTP_PROXY or HTTPS_PROXY, or name the server's host in NO_PROXY.",
    ),
    Category.TLS: (
        "No secure connection to {url} could be made.",
        "For a server without TLS use ws://. Otherwise check the port, and the TLS settings of the"
        " server.",
    ),
    Category.MEDIA_BLOCKED: (
        "The LiveKit server at {url} answers, but the media connection to it failed.",
        "Open the server's UDP and TCP media ports in the firewall, or set up TURN. A machine"
        " needs a network interface other than loopback.",
    ),
    Category.FULL: (
        "The LiveKit server at {url} cannot take the agent now: the room or the server is full,"
        " or it failed.",
        "Raise the room's or the server's limit, or read the server's log.",
    ),
    Category.TIMEOUT: (
        "The LiveKit server at {url} did not answer in time.",
        "Check that the server is healthy, and that no firewall or proxy delays its traffic.",
    ),
    Category.MALFORMED: (
        "The url or the token for {url} is not well formed.",
        "Give a url like wss://host or ws://host:7880, and the complete token.",
    ),
    Category.BROKEN_INSTALL: (
        "The sidecar's installation is broken: LiveKit's native library, or a file that it needs,"
        " cannot be loaded.",
        "Reinstall the application. If an antivirus program has put livekit_ffi into quarantine,"
        " restore the file and allow it. Windows N editions need the Media Feature Pack.",
    ),
    Category.INTERNAL: (
        "The sidecar could not join {url} because of a bug in the sidecar.",
        "Report the bug, with the traceback in the sidecar's log (stderr).",
    ),
    Category.IDENTITY_TAKEN: (
        "Another participant joined the room at {url} with the agent's identity, so the server"
        " removed the agent.",
        "Is the app open twice? Call Electron's `app.requestSingleInstanceLock()`. Otherwise give"
        " each agent an identity of its own. Then send `connect`.",
    ),
    Category.REMOVED: (
        "An operator or a program removed the agent from the room at {url}.",
        "The agent stays out. Send `connect` to let the agent join again.",
    ),
    Category.OTHER_SERVER: (
        "Something answers at {url}, but not as a LiveKit server does.",
        "Correct the url (LIVEKIT_URL). A proxy, a VPN or the sign-in page of a network may answer"
        " in place of the server: open {url} in a browser on this machine.",
    ),
    Category.NO_WEBSOCKETS: (
        "The proxy in front of the LiveKit server at {url} does not let WebSockets through.",
        "Let the proxy pass the headers Upgrade and Connection on to the server (HTTP/1.1).",
    ),
    Category.SERVER_DOWN: (
        "A proxy answers at {url}, but the LiveKit server behind it does not.",
        "Start the LiveKit server, and check the address that the proxy has for it.",
    ),
    Category.RATE_LIMITED: (
        "The server at {url} refuses the agent for now: it got too many requests.",
        "Wait; the agent tries again. If this goes on, raise the server's limit, or find the"
        " program that sends so many requests.",
    ),
    Category.USE_WSS: (
        "The server at {url} takes only secure connections.",
        "Use the url with wss:// in place of ws://.",
    ),
    Category.UNTRUSTED_CERTIFICATE: (
        "This machine does not trust the certificate of the server at {url}.",
        "Use a certificate for the server's name that has not expired, from an authority that this"
        " machine trusts. Add a private authority to the system's certificates, or name its file in"
        " SSL_CERT_FILE.",
    ),
    Category.CLOCK: (
        "The clock of this machine is wrong by more than a minute, so the LiveKit server at {url}"
        " refuses the agent's tokens.",
        "Set this machine's clock; the agent then joins by itself.",
    ),
    Category.LOCAL: (
        "The system of this machine did not let the sidecar connect to {url}.",
        "Raise the limit that the system names (open files, memory), or allow the sidecar's"
        " connections in the firewall or sandbox.",
    ),
    Category.EARLIER_ATTEMPT: (
        "The agent has not tried to join {url} yet: an earlier attempt has not ended.",
        "Wait; the agent joins when the earlier attempt has ended, within a minute.",
    ),
    Category.UNKNOWN: (
        "The join at {url} failed for a reason that the sidecar does not know.",
        "Read what the server or the proxy answered, and its log.",
    ),
}

FATAL = frozenset(
    {
        Category.UNAUTHORIZED,
        Category.MALFORMED,
        Category.BROKEN_INSTALL,
        Category.IDENTITY_TAKEN,
        Category.REMOVED,
    }
)
"""The agent does not try again after these. It tries again after all others."""


def failure(category: Category, url: str, answer: str = "") -> Failure:
    """Build the failure of *category*. Pass *url* through `config.shown_url` first.

    *answer* is the text that came in place of a LiveKit answer, redacted. The detail ends with it.
    """
    detail, fix = (each.format(url=url) for each in _SENTENCES[category])
    if answer:
        detail = f"{detail} It answered: {answer.rstrip('.')}."
    return Failure(category, detail, fix, retryable=category not in FATAL)


def name_unknown(url: str) -> Failure:
    """Build the failure of a join at *url* for whose host name no address was found."""
    return replace(
        failure(Category.UNREACHABLE, url),
        detail=f"No address was found for the host name in {url}.",
        fix="Correct the host name of the url (LIVEKIT_URL), or check the network, VPN and DNS.",
    )


_OWN_ERROR = re.compile(
    r"getToken failed: (?:.* is not (?:defined|a function|iterable|a constructor)"
    r"|Cannot (?:read|set) propert.*|Cannot (?:access|destructure) .*|Assignment to constant.*)"
)
"""V8's words for an error in the code of `getToken`. Its name does not tell: a network that is down
is a TypeError ("fetch failed") too."""


def token_fix(why: str) -> str:
    """Return the fix of a `getToken` that gave no usable token; *why* is its `ClientFailed`."""
    if _OWN_ERROR.match(why):
        return "Correct the app's `getToken`: its own code fails with this error."
    return "Check the token endpoint behind `getToken`, and the network."


def no_token(why: str) -> Failure:
    """Build the failure of a `getToken` for the agent; *why* has no full stop."""
    return Failure(
        Category.UNAUTHORIZED,
        f"There is no access token for the agent: {why}.",
        token_fix(why),
        retryable=True,
    )


def no_token_yet(within_s: float) -> Failure:
    """Build the failure of a `getToken` that was not answered within *within_s* seconds."""
    return replace(
        no_token(f"getToken has not answered within {within_s:g} s"), category=Category.TIMEOUT
    )


_ENDPOINT_FIX = (
    "Check that the token endpoint behind `getToken` has the API key and secret of this server, and"
    " that its clock is right."
)


def token_early(refused: Failure) -> Failure:
    """Build the failure of a *refused* token that is not valid yet; waiting cures it."""
    return replace(
        refused,
        detail=f"{refused.detail} The token is not valid yet.",
        fix="Wait until the token is valid, or send `connect` with another.",
        retryable=True,
    )


def identity_taken(url: str) -> Failure:
    """Build the failure of an agent that was put out and looks when its identity is free."""
    return replace(
        failure(Category.IDENTITY_TAKEN, url),
        fix="Is the app open twice? Call Electron's `app.requestSingleInstanceLock()`. Otherwise"
        " give each agent an identity of its own. The agent looks after 30 s, and then more"
        " rarely, up to every 5 minutes, whether the identity is free, and joins when it is."
        " `connect` joins at once, and the other participant is removed.",
        retryable=True,
    )


def earlier_attempt(url: str, earlier_url: str) -> Failure:
    """Build the failure of a join at *url* that waits for the end of a join at *earlier_url*."""
    found = failure(Category.EARLIER_ATTEMPT, url)
    return replace(
        found,
        detail=f"The agent has not tried to join {url} yet: its earlier attempt at {earlier_url}"
        " has not ended.",
    )


def token_refused(refused: Failure, times: str | None) -> Failure:
    """Build the failure of a *refused* token; the sidecar asks the client for another.

    *times* is a sentence about an expired or not yet valid token, or None.
    """
    detail = refused.detail if times is None else f"{refused.detail} {times}"
    return replace(refused, detail=detail, fix=_ENDPOINT_FIX, retryable=True)


def tokens_refused(refused: Failure, url: str, count: int, times: str | None) -> Failure:
    """Build the failure of *count* fresh tokens refused in a row; the sidecar asks no more."""
    detail = f"The LiveKit server at {url} refused {count} fresh access tokens in a row."
    return replace(
        refused,
        detail=detail if times is None else f"{detail} {times}",
        fix=f"{_ENDPOINT_FIX} Then send `connect`.",
        retryable=False,
    )
