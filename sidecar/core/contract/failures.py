"""Owns the reasons why a join can fail: the categories, each with a sentence and a fix.

Does not know SDK texts. The adapters map each text to a category and drop the text: LiveKit's
answer to a refused token contains the whole token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


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


class BrokenInstall(Exception):
    """A part of the sidecar is missing or cannot be loaded; the text names it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt to join failed, or why the server removed the agent.

    On the wire: `{"category": str, "detail": str, "fix": str, "retryable": bool}`. `detail` and
    `fix` are sentences for a human.
    """

    category: Category
    detail: str
    fix: str
    retryable: bool
    """Whether the agent tries again by itself."""


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
        "For a server without TLS use ws://. Otherwise check the server's certificate, and that"
        " this machine trusts its issuer.",
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
        "Give each agent an identity of its own, then send `connect`.",
    ),
    Category.REMOVED: (
        "An operator or a program removed the agent from the room at {url}.",
        "Send `connect` to let the agent join again.",
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


def failure(category: Category, url: str) -> Failure:
    """Build the failure of *category*. Pass *url* through `config.shown_url` first."""
    detail, fix = _SENTENCES[category]
    return Failure(category, detail.format(url=url), fix, retryable=category not in FATAL)


def no_token(why: str) -> Failure:
    """Build the failure of a `getToken` for the agent; *why* has no full stop."""
    return Failure(
        Category.UNAUTHORIZED,
        f"There is no access token for the agent: {why}.",
        "Check the token endpoint behind `getToken`, and the network.",
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
