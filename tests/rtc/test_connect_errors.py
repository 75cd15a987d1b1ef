"""What a failed connect means: each text of SDK 1.2.1 against livekit-server 1.13.5.

The texts were seen on the real server; what a test here holds is the table. Whether the SDK still
says them is held by the tests with a real server.
"""

from __future__ import annotations

import pytest

from sidecar.core.contract.failures import Category
from sidecar.rtc.connect_errors import category_of

SIGNAL = "engine: signal failure: "
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjbGFyYSJ9.c2lnbmF0dXJl"

TEXTS: dict[str, Category] = {
    SIGNAL + "transport connection error: IO error: Connection refused (os error 111)": (
        Category.UNREACHABLE
    ),
    SIGNAL
    + "transport connection error: IO error: failed to lookup address information: Name or service"
    " not known": Category.UNREACHABLE,
    SIGNAL + "failed to parse the url: relative URL without a base": Category.MALFORMED,
    SIGNAL + "failed to parse the url: empty host": Category.MALFORMED,
    SIGNAL + "access token has invalid characters": Category.MALFORMED,
    SIGNAL
    + f"client error: 401 Unauthorized - invalid token: {JWT}, error: token signature is invalid:"
    " signatu": Category.UNAUTHORIZED,
    SIGNAL
    + f"client error: 401 Unauthorized - invalid token: {JWT}, error: token has invalid claims:"
    " token is ": Category.UNAUTHORIZED,
    SIGNAL + "client error: 401 Unauthorized - invalid API key: APIkey": Category.UNAUTHORIZED,
    SIGNAL + "client error: 401 Unauthorized - permissions denied": Category.UNAUTHORIZED,
    SIGNAL + "client error: 401 Unauthorized - invalid authorization token": Category.UNAUTHORIZED,
    SIGNAL + "client error: 401 Unauthorized - identity cannot be empty": Category.UNAUTHORIZED,
    SIGNAL + "client error: 403 Forbidden - ": Category.UNAUTHORIZED,
    SIGNAL + "client error: 404 Not Found - requested room does not exist": Category.NOT_FOUND,
    SIGNAL + "client error: 404 Not Found - 404 page not found": Category.NOT_FOUND,
    SIGNAL + "server error: 503 Service Unavailable - node has exceeded its configured limit": (
        Category.FULL
    ),
    SIGNAL + "handshake error: 500 Internal Server Error": Category.FULL,
    SIGNAL
    + "transport connection error: IO error: received corrupt message of type InvalidContentType": (
        Category.TLS
    ),
    SIGNAL
    + "transport connection error: IO error: invalid peer certificate: UnknownIssuer": Category.TLS,
    SIGNAL + "transport timed out": Category.TIMEOUT,
    SIGNAL + "failed to receive livekit_protocol::JoinResponse": Category.TIMEOUT,
    "engine: connection error: wait_pc_connection timed out": Category.MEDIA_BLOCKED,
    SIGNAL + "client error: 400 Bad Request - identity exceeds 256 characters": Category.MALFORMED,
}


@pytest.mark.parametrize(("text", "category"), TEXTS.items(), ids=range(len(TEXTS)))
@pytest.mark.parametrize("through_proxy", [False, True])
def test_each_text_that_was_seen_has_its_category(text, category, through_proxy):
    assert category_of(text, through_proxy=through_proxy) is category


@pytest.mark.parametrize(
    "text",
    [
        SIGNAL + "transport connection error: Connection refused (os error 111)",
        SIGNAL + "client error: 407 Proxy Authentication Required",
        SIGNAL + "transport connection error: failed to lookup address information: no such host",
    ],
)
def test_what_fails_before_the_server_fails_at_the_proxy_where_there_is_one(text):
    """A dead proxy's text lacks the "IO error:" that the server's own port has."""
    assert category_of(text, through_proxy=True) is Category.PROXY


def test_a_refusal_without_a_proxy_is_none_of_the_proxys():
    text = SIGNAL + "transport connection error: Connection refused (os error 111)"
    assert category_of(text, through_proxy=False) is Category.UNREACHABLE


@pytest.mark.parametrize("name", ["proxy.example.com", "tls.example.com", "media-proxy.internal"])
def test_a_name_in_a_certificates_text_decides_nothing(name):
    """rustls names the host that it expected and those that the certificate is for."""
    text = (
        SIGNAL + "transport connection error: IO error: invalid peer certificate: certificate not"
        f' valid for name "{name}"; certificate is only valid for DnsName("example.com")'
    )
    assert category_of(text, through_proxy=False) is Category.TLS


@pytest.mark.parametrize(
    "words", ["404 not found", "proxy", "tls", "timed out", "access token has invalid characters"]
)
def test_what_the_server_says_behind_its_status_decides_nothing(words):
    """Its text may say anything: an API key may be called `proxy`."""
    refused = f"{SIGNAL}client error: 401 Unauthorized - invalid API key: {words}"
    assert category_of(refused, through_proxy=False) is Category.UNAUTHORIZED
    full = f"{SIGNAL}server error: 503 Service Unavailable - {words}"
    assert category_of(full, through_proxy=False) is Category.FULL


def test_a_server_with_too_much_to_do_is_not_said_to_be_unreachable():
    """RFC 6585 section 4; LiveKit Cloud answers it over a project's limits."""
    text = SIGNAL + "client error: 429 Too Many Requests - "
    assert category_of(text, through_proxy=False) is Category.FULL


def test_a_text_that_nobody_has_seen_is_retried():
    assert category_of("engine: something new", through_proxy=False) is Category.UNREACHABLE


def test_letters_case_decides_nothing():
    for text, category in TEXTS.items():
        assert category_of(text.upper(), through_proxy=False) is category
