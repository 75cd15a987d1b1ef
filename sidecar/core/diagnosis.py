"""Owns the answer of `diagnose`: turns the findings into checks, each with its fix.

Leaves out a check that an earlier failed check makes useless. Does not know how to probe a server.
"""

from __future__ import annotations

from sidecar.core.access_token import has_expired
from sidecar.core.config import Target, plain_problem, shown_url, url_problem
from sidecar.core.contract.failures import BrokenInstall, Category, Failure, failure, name_unknown
from sidecar.core.contract.messages import AgentState, Check, Diagnosis
from sidecar.core.values import dataclass

_DOES = {
    AgentState.IDLE: "has not been told to join",
    AgentState.CONNECTING: "is joining the room",
    AgentState.CONNECTED: "is in the room",
    AgentState.RECONNECTING: "is reconnecting to the room",
    AgentState.BACKOFF: "is waiting to try again",
    AgentState.WAITING_FOR_TOKEN: "is waiting for a token",
    AgentState.FAILED: "does not try again",
    AgentState.STOPPING: "is shutting down",
}
"""What the agent does in each state, as the end of a sentence."""
MAX_SKEW_S = 30.0
"""livekit-server allows a token a minute beyond its times (livekit/protocol auth/verifier.go)."""


@dataclass(frozen=True, slots=True)
class ServerProbe:
    """The findings about the server and this machine's network."""

    has_network: bool
    """Whether a network interface other than loopback is up; True if the system does not tell."""
    status: int | None = None
    """The HTTP status of `GET /`; None without an answer."""
    token_status: int | None = None
    """The HTTP status of the server's check of the agent's token; None without an answer."""
    time_ms: int | None = None
    """The server's clock, milliseconds since 1970; None if it sent none."""
    is_name_unknown: bool = False
    """Whether no address was found for the server's name."""


def diagnosis(
    target: Target | None,
    probe: ServerProbe | None,
    now_ms: int,
    state: AgentState,
    last_error: Failure | None,
    broken: BrokenInstall | None = None,
    *,
    client_gives_tokens: bool = False,
    awaits_people: bool = False,
) -> Diagnosis:
    """Build the checks from the findings.

    *probe* is the look at *target*'s server; pass None if there is no target. *broken* names
    the part of the installation that cannot be loaded; None if all can. *awaits_people*: the agent
    is out of its room until a person comes.
    """
    checks = [_installation(broken)]
    if target is None or probe is None:
        checks += [
            Check(
                "configuration",
                False,
                "The agent does not know a server.",
                "Send `connect` with url, room, and apiKey with apiSecret or a token, or set the"
                " LIVEKIT_* variables.",
            )
        ]
    elif (problem := url_problem(target.url)) is not None:
        checks += [Check("configuration", False, f"The url {problem}.", "Correct the url.")]
    else:
        url = shown_url(target.url)
        checks += [_configuration(target), _network(probe), _server(probe, url, last_error)]
        if probe.status == 200:
            checks += _clock(probe, now_ms)
            if client_gives_tokens and target.needs_token(now_ms / 1000):
                checks.append(_client_s_token(state, awaits_people))
            else:
                checks.append(_credentials(target, probe, now_ms))
        checks.append(_room(target, state, last_error, awaits_people))
    return Diagnosis(all(each.ok for each in checks), tuple(checks))


def _installation(broken: BrokenInstall | None) -> Check:
    if broken is None:
        return Check("installation", True, "The sidecar has loaded all that it needs of LiveKit.")
    return Check("installation", False, str(broken), _words(broken.category, "")[1])


def _configuration(target: Target) -> Check:
    by = "a token" if target.api_secret is None else "an API key and its secret"
    joins = (
        f"The agent joins room {target.room!r} at {target.url} as {target.identity!r}, with {by}."
    )
    plain = plain_problem(target.url)
    return Check("configuration", True, joins if plain is None else f"{joins} {plain}")


def _network(probe: ServerProbe) -> Check:
    if probe.has_network:
        return Check("network", True, "A network interface other than loopback is up.")
    return Check(
        "network",
        False,
        "Only the loopback network interface is up. LiveKit's clients need another one, even to"
        " reach a server on this machine.",
        "Connect this machine to a network. Any network that gives it an address is enough.",
    )


_SERVER_ANSWERS = frozenset(
    {Category.TLS, Category.USE_WSS, Category.UNTRUSTED_CERTIFICATE, Category.PROXY}
)
"""Causes of a failed join that leave the probe without an answer, too: a server, or a proxy, is
there."""


def _server(probe: ServerProbe, url: str, last_error: Failure | None) -> Check:
    if probe.status == 200:
        return Check("server", True, f"A LiveKit server answers at {url}.")
    if probe.is_name_unknown:
        unknown = name_unknown(url)
        return Check("server", False, unknown.detail, unknown.fix)
    if probe.status is None and last_error is not None and last_error.category in _SERVER_ANSWERS:
        return Check("server", False, last_error.detail, last_error.fix)
    if probe.status is None:
        return Check("server", False, *_words(Category.UNREACHABLE, url))
    return Check(
        "server",
        False,
        f"The server at {url} answers with status {probe.status}; LiveKit answers with 200.",
        "Use the server's base url without a path, and read the server's log.",
    )


def _clock(probe: ServerProbe, now_ms: int) -> list[Check]:
    if probe.time_ms is None:
        return []
    skew_s = (now_ms - probe.time_ms) / 1000
    if abs(skew_s) <= MAX_SKEW_S:
        return [Check("clock", True, "This machine's clock and the server's clock agree.")]
    which = "ahead of" if skew_s > 0 else "behind"
    detail = f"This machine's clock is {abs(skew_s):.0f} s {which} the server's."
    return [Check("clock", False, detail, "Set both clocks from a time server.")]


def _credentials(target: Target, probe: ServerProbe, now_ms: int) -> Check:
    if probe.token_status == 200:
        return Check("credentials", True, "The server accepts the agent's token.")
    if probe.token_status in (401, 403):
        claims = target.claims
        if claims is not None and has_expired(claims, now_ms / 1000):
            return Check(
                "credentials",
                False,
                "The agent's token has expired.",
                "Send `connect` with a new token.",
            )
        return Check("credentials", False, *_words(Category.UNAUTHORIZED, shown_url(target.url)))
    if probe.token_status == 404:
        return Check("credentials", False, *_words(Category.NOT_FOUND, shown_url(target.url)))
    how = "did not answer" if probe.token_status is None else f"answered {probe.token_status} to"
    return Check(
        "credentials",
        False,
        f"The server {how} the check of the agent's token.",
        "Read the server's log.",
    )


def _client_s_token(state: AgentState, awaits_people: bool) -> Check:
    if awaits_people or state in (AgentState.CONNECTED, AgentState.RECONNECTING):
        return Check("credentials", True, "The agent asks for a new token before it joins again.")
    return Check(
        "credentials",
        False,
        "The agent has no access token: the client has not given one.",
        "Check the token endpoint behind `getToken`, and the network.",
    )


def _room(
    target: Target, state: AgentState, last_error: Failure | None, awaits_people: bool
) -> Check:
    if awaits_people:
        return Check(
            "room",
            True,
            f"The agent joins room {target.room!r} when a person comes (join: needed).",
        )
    if state is AgentState.CONNECTED:
        return Check("room", True, f"The agent is in room {target.room!r}.")
    if last_error is None:
        is_over = state in (AgentState.IDLE, AgentState.FAILED)
        fix = "Send `connect`." if is_over else "Wait a moment, then send `diagnose` again."
        return Check("room", False, f"The agent {_DOES[state]}.", fix)
    return Check("room", False, f"The agent {_DOES[state]}: {last_error.detail}", last_error.fix)


def _words(category: Category, url: str) -> tuple[str, str]:
    found = failure(category, url)
    return found.detail, found.fix
