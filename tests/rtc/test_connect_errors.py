"""What a failed connect means: each text of SDK 1.2.1 against livekit-server 1.13.5.

The texts were seen on the real server; what a test here holds is the table. Whether the SDK still
says them is held by the tests with a real server.
"""

from __future__ import annotations

import pytest

from sidecar.core.contract.failures import Category
from sidecar.rtc.connect_errors import ANSWER_CHARS, may_be_clock, meaning_of

SIGNAL = "engine: signal failure: "
DIRECT = {"through_proxy": False}
PAGE = "<html><body>Sign in to the corporate portal</body></html>"
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
    SIGNAL
    + "client error: 401 Unauthorized - no permissions to access the room": Category.UNAUTHORIZED,
    # What answers is not LiveKit: its own refusals are plain text about a token.
    SIGNAL + f"client error: 401 Unauthorized - {PAGE}": Category.OTHER_SERVER,
    SIGNAL + f"client error: 403 Forbidden - {PAGE}": Category.OTHER_SERVER,
    SIGNAL + "client error: 403 Forbidden - ": Category.OTHER_SERVER,
    SIGNAL + 'client error: 403 Forbidden - {"token": "missing"}': Category.OTHER_SERVER,
    SIGNAL + f"client error: 404 Not Found - {PAGE}": Category.OTHER_SERVER,
    SIGNAL + f"client error: 400 Bad Request - {PAGE}": Category.OTHER_SERVER,
    SIGNAL + "client error: 418 I'm a teapot - x": Category.OTHER_SERVER,
    SIGNAL + f"server error: 511 Network Authentication Required - {PAGE}": Category.OTHER_SERVER,
    SIGNAL + "handshake error: 200 OK": Category.OTHER_SERVER,
    SIGNAL + "handshake error: 301 Moved Permanently": Category.OTHER_SERVER,
    SIGNAL + "transport connection error: WebSocket protocol error: httparse error: invalid HTTP"
    " version": Category.OTHER_SERVER,
    SIGNAL + "transport connection error: WebSocket protocol error: Handshake not finished": (
        Category.OTHER_SERVER
    ),
    # The server's own check of the token went well, and the upgrade did not.
    SIGNAL + "handshake error: 404 Not Found": Category.NO_WEBSOCKETS,
    SIGNAL + "handshake error: 400 Bad Request": Category.NO_WEBSOCKETS,
    SIGNAL + "handshake error: 426 Upgrade Required": Category.NO_WEBSOCKETS,
    SIGNAL
    + 'transport connection error: WebSocket protocol error: No "Upgrade: websocket" header': (
        Category.NO_WEBSOCKETS
    ),
    SIGNAL + f"server error: 502 Bad Gateway - {PAGE}": Category.SERVER_DOWN,
    SIGNAL + "handshake error: 502 Bad Gateway": Category.SERVER_DOWN,
    SIGNAL + f"server error: 503 Service Unavailable - {PAGE}": Category.SERVER_DOWN,
    SIGNAL + "server error: 504 Gateway Timeout - ": Category.SERVER_DOWN,
    SIGNAL + "server error: 521 <unknown status code> - error code: 521": Category.SERVER_DOWN,
    SIGNAL + "client error: 429 Too Many Requests - slow down": Category.RATE_LIMITED,
    SIGNAL + "client error: 400 Bad Request - Client sent an HTTP request to an HTTPS server.\n": (
        Category.USE_WSS
    ),
    SIGNAL
    + "client error: 400 Bad Request - <html><center>The plain HTTP request was sent to HTTPS port"
    "</center></html>": Category.USE_WSS,
    SIGNAL
    + "transport connection error: IO error: no native root CA certificates found (errors: [])": (
        Category.UNTRUSTED_CERTIFICATE
    ),
    # The texts of rustls and of its stores, as they stand in SDK 1.2.1's native library.
    SIGNAL
    + "transport connection error: IO error: zero valid certificates found in native root store": (
        Category.UNTRUSTED_CERTIFICATE
    ),
    SIGNAL
    + "transport connection error: IO error: Could not load any native root certificates: []": (
        Category.UNTRUSTED_CERTIFICATE
    ),
    SIGNAL
    + "transport connection error: IO error: peer is incompatible: ServerTlsVersionIsDisabled": (
        Category.TLS
    ),
    SIGNAL
    + "transport connection error: IO error: peer misbehaved: TooManyEmptyFragments": Category.TLS,
    SIGNAL + "transport connection error: IO error: received unexpected handshake message: got"
    " ServerHello": Category.TLS,
    SIGNAL + "transport connection error: IO error: tls handshake eof": Category.TLS,
    SIGNAL + "transport connection error: IO error: Es konnte keine Verbindung hergestellt werden"
    " (os error 10061)": Category.UNREACHABLE,
    SIGNAL + "transport connection error: IO error: unexpected end of file": Category.UNREACHABLE,
    SIGNAL + "server error: 500 Internal Server Error - boom": Category.UNKNOWN,
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
    SIGNAL + "transport connection error: IO error: invalid peer certificate: UnknownIssuer": (
        Category.UNTRUSTED_CERTIFICATE
    ),
    SIGNAL + "transport timed out": Category.TIMEOUT,
    SIGNAL + "failed to receive livekit_protocol::JoinResponse": Category.TIMEOUT,
    "engine: connection error: wait_pc_connection timed out": Category.MEDIA_BLOCKED,
    SIGNAL + "client error: 400 Bad Request - identity exceeds 256 characters": Category.MALFORMED,
}


@pytest.mark.parametrize(("text", "category"), TEXTS.items(), ids=range(len(TEXTS)))
@pytest.mark.parametrize("through_proxy", [False, True])
def test_each_text_that_was_seen_has_its_category(text, category, through_proxy):
    assert meaning_of(text, through_proxy=through_proxy).category is category


@pytest.mark.parametrize(
    ("words", "is_unknown"),
    [
        ("failed to lookup address information: Name or service not known", True),
        ("No such host is known. (os error 11001)", True),
        ("Connection refused (os error 111)", False),
        ("Es wurde keine Verbindung hergestellt (os error 10061)", False),
    ],
)
def test_a_host_name_without_an_address_is_unreachable_and_told_apart(words: str, is_unknown: bool):
    found = meaning_of(f"{SIGNAL}transport connection error: IO error: {words}", **DIRECT)
    assert (found.category, found.is_name_unknown) == (Category.UNREACHABLE, is_unknown)


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
    assert meaning_of(text, through_proxy=True).category is Category.PROXY


def test_a_refusal_without_a_proxy_is_none_of_the_proxys():
    text = SIGNAL + "transport connection error: Connection refused (os error 111)"
    assert meaning_of(text, through_proxy=False).category is Category.UNREACHABLE


@pytest.mark.parametrize("name", ["proxy.example.com", "tls.example.com", "media-proxy.internal"])
def test_a_name_in_a_certificates_text_decides_nothing(name):
    """rustls names the host that it expected and those that the certificate is for."""
    text = (
        SIGNAL + "transport connection error: IO error: invalid peer certificate: certificate not"
        f' valid for name "{name}"; certificate is only valid for DnsName("example.com")'
    )
    assert meaning_of(text, through_proxy=False).category is Category.UNTRUSTED_CERTIFICATE


@pytest.mark.parametrize(
    "words", ["404 not found", "proxy", "tls", "timed out", "access token has invalid characters"]
)
def test_what_the_server_says_behind_its_status_decides_nothing(words):
    """Its text may say anything: an API key may be called `proxy`."""
    refused = f"{SIGNAL}client error: 401 Unauthorized - invalid API key: {words}"
    assert meaning_of(refused, through_proxy=False).category is Category.UNAUTHORIZED
    down = f"{SIGNAL}server error: 503 Service Unavailable - {words}"
    assert meaning_of(down, through_proxy=False).category is Category.SERVER_DOWN


@pytest.mark.parametrize(
    "system_words",
    [
        "Too many open files (os error 24)",
        "Operation not permitted (os error 1)",
        "Cannot assign requested address (os error 99)",
        "Ein Anwendungspuffer fehlt (os error 10055)",
    ],
)
def test_a_fault_of_this_machine_is_told_as_one_with_the_words_of_the_system(system_words):
    text = f"{SIGNAL}transport connection error: IO error: {system_words}"
    meaning = meaning_of(text, through_proxy=False)
    assert (meaning.category, meaning.answer) == (Category.LOCAL, system_words)


def test_what_no_category_explains_has_the_status_and_the_first_words_in_one_line():
    text = f"{SIGNAL}client error: 403 Forbidden - <html>\n<h1>Sign\x1b in</h1>\r\n</html>"
    assert meaning_of(text, through_proxy=False).answer == (
        "403 Forbidden - <html> <h1>Sign in</h1> </html>"
    )
    assert meaning_of(f"{SIGNAL}handshake error: 200 OK", through_proxy=False).answer == "200 OK"
    long = meaning_of(f"{SIGNAL}server error: 500 Oops - {'x' * 9_999}", through_proxy=False)
    assert len(long.answer) == ANSWER_CHARS


def test_a_refused_token_is_never_part_of_the_answer():
    for text, category in TEXTS.items():
        if category is Category.UNAUTHORIZED:
            assert meaning_of(text, through_proxy=False).answer == ""


def test_an_unknown_text_is_told_and_retried():
    meaning = meaning_of("engine: something new", through_proxy=False)
    assert (meaning.category, meaning.answer) == (Category.UNKNOWN, "engine: something new")


def test_an_error_of_the_connection_that_is_not_known_is_told_in_its_words():
    """It was told as a server that does not answer, also where the certificate was the matter."""
    meaning = meaning_of(f"{SIGNAL}transport connection error: IO error: something new", **DIRECT)
    assert meaning.category is Category.UNKNOWN
    assert "something new" in meaning.answer


def test_a_wrong_signature_or_key_is_not_the_clocks():
    refused = f"{SIGNAL}client error: 401 Unauthorized - "
    assert may_be_clock(f"{refused}invalid token: [token], error: token has invalid claims: token")
    assert may_be_clock(f"{refused}invalid token: [token]")
    assert not may_be_clock(f"{refused}invalid token: [token], error: token signature is invalid:")
    assert not may_be_clock(f"{refused}invalid API key: APIkey")


def test_letters_case_decides_nothing():
    for text, category in TEXTS.items():
        assert meaning_of(text.upper(), through_proxy=False).category is category
