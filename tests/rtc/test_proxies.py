"""Which hosts are reached without the proxy: loopback and NO_PROXY, and only for that one url."""

from __future__ import annotations

import pytest

from sidecar.rtc.proxies import goes_direct, proxy_of, set_for

PROXIES = {
    "HTTP_PROXY": "http://proxy:3128",
    "https_proxy": "http://proxy:3129",
    "ALL_PROXY": "socks5://proxy:1080",
}
OTHERS = {"PATH": "/bin", "NO_PROXY": "internal", "no_proxyish": "1"}


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1", "127.9.9.9", "::1"),
        *("0:0:0:0:0:0:0:1",),
    ],
)
def test_this_machine_is_reached_directly_whatever_no_proxy_says(host):
    assert goes_direct(host, {})
    assert goes_direct(host, {"NO_PROXY": "example.com"})


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "fd00::1", "localhost.example.com"])
def test_any_other_host_goes_through_the_proxy(host):
    assert not goes_direct(host, {})
    assert not goes_direct(host, {"NO_PROXY": ""})
    assert not goes_direct(host, {"NO_PROXY": ", ,"})


COVERED = {
    "the host": ("example.com", "example.com"),
    "a domain": ("example.com", "livekit.example.com"),
    "a domain with a dot": (".example.com", "livekit.example.com"),
    "a domain with a star": ("*.example.com", "livekit.example.com"),
    "deep below a domain": ("example.com", "a.b.c.example.com"),
    "all": ("*", "anything.at.all"),
    "capitals": ("Example.COM", "eXample.com"),
    "a host with a dot at its end": ("example.com", "example.com."),
    "an entry with a dot at its end": ("example.com.", "example.com"),
    "one of several": ("internal, example.com ,other", "example.com"),
    "one of several, by spaces": ("internal example.com other", "example.com"),
    "with a port": ("example.com:7880", "example.com"),
    "an address": ("10.1.2.3", "10.1.2.3"),
    "a network": ("10.0.0.0/8", "10.1.2.3"),
    "a network by a host in it": ("10.1.2.3/8", "10.9.9.9"),
    "an IPv6 address": ("fd00::1", "fd00::1"),
    "an IPv6 network": ("fd00::/8", "fd00::1"),
}


@pytest.mark.parametrize(("entry", "host"), COVERED.values(), ids=COVERED.keys())
@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_no_proxy_covers(entry, host, variable):
    """As curl reads it (lib/noproxy.c): commas or spaces, dots at either end, CIDR; and ports."""
    assert goes_direct(host, {variable: entry})


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("example.com", "notexample.com"),
        ("example.com", "example.com.evil.net"),
        ("livekit.example.com", "example.com"),
        ("10.0.0.0/8", "11.1.2.3"),
        ("10.0.0.0/8", "ten.example.com"),
        ("10.0.0.0/99", "10.1.2.3"),
        ("fd00::/8", "10.1.2.3"),
        (".", "example.com"),
        ("", "example.com"),
        (":", "example.com"),
        ("/", "example.com"),
    ],
)
def test_no_proxy_does_not_cover(entry, host):
    assert not goes_direct(host, {"NO_PROXY": entry})


def test_the_small_letters_count_where_both_are_set():
    both = {"no_proxy": "small.com", "NO_PROXY": "large.com"}
    assert goes_direct("small.com", both)
    assert not goes_direct("large.com", both)


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:7880", "ws://localhost", "http://[::1]:7880", "wss://app.internal"]
)
def test_the_proxies_are_taken_away_for_what_is_reached_directly_and_nothing_else_is(url):
    environ = {**PROXIES, **OTHERS}
    set_for(url, environ, {**PROXIES, **OTHERS})
    assert environ == OTHERS


def test_the_proxies_are_there_for_what_is_not():
    environ = {**PROXIES, **OTHERS}
    set_for("wss://example.com", environ, {**PROXIES, **OTHERS})
    assert environ == {**PROXIES, **OTHERS}


def test_the_proxies_come_back_for_another_url_as_often_as_wanted():
    original = {**PROXIES, **OTHERS}
    environ = dict(original)
    for _ in range(3):
        set_for("ws://127.0.0.1:7880", environ, original)
        assert environ == OTHERS
        set_for("wss://example.com", environ, original)
        assert environ == original


def test_no_proxy_comes_from_where_there_was_none():
    environ = dict(OTHERS)
    set_for("wss://example.com", environ, OTHERS)
    assert environ == OTHERS


def test_the_original_is_never_changed():
    original = {**PROXIES, **OTHERS}
    set_for("ws://127.0.0.1", {}, original)
    assert original == {**PROXIES, **OTHERS}


CHOSEN = {
    "ws://example.com": "http://proxy:3128",
    "http://example.com": "http://proxy:3128",
    "wss://example.com": "http://proxy:3129",
    "https://example.com": "http://proxy:3129",
    "ws://127.0.0.1:7880": None,
    "wss://app.internal": None,
}


@pytest.mark.parametrize(("url", "proxy"), CHOSEN.items())
def test_the_server_api_takes_the_proxy_that_the_native_layer_takes(url, proxy):
    assert proxy_of(url, {**PROXIES, **OTHERS}) == proxy


def test_an_empty_proxy_is_none():
    assert proxy_of("ws://example.com", {"HTTP_PROXY": "", "http_proxy": "http://p"}) is None
    assert proxy_of("ws://example.com", {}) is None
