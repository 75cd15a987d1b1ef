"""Owns why a join can fail: the categories, each with its sentence and its fix, on one page.

Does not know SDK texts: the adapters map those to a category and pass nothing of them on, since
LiveKit's answer to a refused token holds the whole token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Category(StrEnum):
    """Why the agent could not join, or was put out of the room."""

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
    """A bug of the sidecar."""
    IDENTITY_TAKEN = "identity-taken"
    """The agent was in the room, until another participant joined with its identity."""
    REMOVED = "removed"
    """The agent was in the room, until an operator removed it."""


class BrokenInstall(Exception):
    """A part of the sidecar is missing or cannot be loaded; the text names it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, or the end of one that had joined, as a person is told of it.

    On the wire: `{"category": str, "detail": str, "fix": str, "retryable": bool}`.
    """

    category: Category
    detail: str
    fix: str
    retryable: bool
    """Whether the agent goes on trying by itself."""


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
        "Use the server's base url without a path; where rooms are not created on demand, create"
        " the room first.",
    ),
    Category.PROXY: (
        "The connection to {url} failed at the proxy set for this process.",
        "Correct HTTP_PROXY or HTTPS_PROXY, or name the server's host in NO_PROXY.",
    ),
    Category.TLS: (
        "No secure connection to {url} could be made.",
        "Use ws:// for a server without TLS; else check its certificate, and that this machine"
        " trusts who signed it.",
    ),
    Category.MEDIA_BLOCKED: (
        "The LiveKit server at {url} answers, but no media connection to it came about.",
        "Open the server's UDP and TCP media ports in the firewall, or set up TURN; a machine"
        " with no network interface up but loopback cannot connect at all.",
    ),
    Category.FULL: (
        "The LiveKit server at {url} cannot take the agent now: the room or the server is full,"
        " or it failed.",
        "Raise the room's or the server's limit, or look into the server's log.",
    ),
    Category.TIMEOUT: (
        "The LiveKit server at {url} did not answer in time.",
        "Check that the server is healthy and that nothing between holds its traffic back.",
    ),
    Category.MALFORMED: (
        "The url or the token for {url} is not well formed.",
        "Give a url like wss://host or ws://host:7880, and the token exactly as it was issued.",
    ),
    Category.BROKEN_INSTALL: (
        "The sidecar's installation is broken: LiveKit's native library, or a file that it needs,"
        " cannot be loaded.",
        "Reinstall the application. If an antivirus program has put livekit_ffi into quarantine,"
        " restore the file and allow it. Windows N editions need the Media Feature Pack.",
    ),
    Category.INTERNAL: (
        "The sidecar could not join {url}, by a bug of its own.",
        "Report it with the traceback in the sidecar's log (stderr).",
    ),
    Category.IDENTITY_TAKEN: (
        "Another participant joined the room at {url} with the agent's identity, so the server put"
        " the agent out.",
        "Give each agent an identity of its own, then send `connect`.",
    ),
    Category.REMOVED: (
        "The agent was removed from the room at {url}, by a person or a program with the right to.",
        "Send `connect` when the agent is to be in the room again.",
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
"""Waiting does not cure these; all others are retried."""


def failure(category: Category, url: str) -> Failure:
    """The failure of *category* at *url*, as `config.shown_url` gives it, with its sentences."""
    detail, fix = _SENTENCES[category]
    return Failure(category, detail.format(url=url), fix, retryable=category not in FATAL)


def no_token(why: str) -> Failure:
    """The client gave no access token for the agent; *why* is a sentence without its stop."""
    return Failure(
        Category.UNAUTHORIZED,
        f"There is no access token for the agent: {why}.",
        "Check the token endpoint behind `getToken`, and the network.",
        retryable=True,
    )


def no_token_yet(within_s: float) -> Failure:
    """The client has not answered `getToken` within *within_s* seconds."""
    return replace(
        no_token(f"getToken has not answered within {within_s:g} s"), category=Category.TIMEOUT
    )


_ENDPOINT_FIX = (
    "Check that the token endpoint behind `getToken` has the API key and secret of this server, and"
    " that its clock is right."
)


def token_refused(refused: Failure, times: str | None) -> Failure:
    """The server *refused* a token, and the client is asked for another.

    *times* is what the token's own times say against it, a sentence.
    """
    detail = refused.detail if times is None else f"{refused.detail} {times}"
    return replace(refused, detail=detail, fix=_ENDPOINT_FIX, retryable=True)


def tokens_refused(refused: Failure, url: str, count: int, times: str | None) -> Failure:
    """The server at *url* *refused* *count* fresh tokens in a row; the client is asked no more."""
    detail = f"The LiveKit server at {url} refused {count} fresh access tokens in a row."
    return replace(
        refused,
        detail=detail if times is None else f"{detail} {times}",
        fix=f"{_ENDPOINT_FIX} Then send `connect`.",
        retryable=False,
    )
