"""Which hosts are reached without the proxy: loopback and NO_PROXY, and only for that one url."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.contract.errors import ClientFailed, ShuttingDown
from sidecar.rtc.proxies import REMEMBERED_S, Proxies, goes_direct, proxy_of, set_for

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


# The client's word


class Client:
    """Answers with what the test says, and keeps what it was asked."""

    def __init__(self, *answers: object) -> None:
        self.resolves_proxies = True
        self.asked: list[str] = []
        self._answers = list(answers)

    async def resolve_proxy(self, url: str) -> str | None:
        self.asked.append(url)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]  # a test gives what the client gives


SERVER = "wss://livekit.example"
SYSTEM = "http://system:8080"


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (SYSTEM, {"HTTP_PROXY": SYSTEM, "HTTPS_PROXY": SYSTEM}),
        (f"{SYSTEM}/", {"HTTP_PROXY": f"{SYSTEM}/", "HTTPS_PROXY": f"{SYSTEM}/"}),
        (None, {}),
    ],
)
async def test_what_the_client_says_displaces_every_variable_of_the_environment(answer, after):
    environ = {**PROXIES, **OTHERS}
    client = Client(answer)
    await Proxies(environ, client).prepare_join(SERVER)
    assert environ == {**OTHERS, **after}
    assert client.asked == ["https://livekit.example"]


@pytest.mark.parametrize("url", ["ws://127.0.0.1:7880", "ws://localhost", "http://[::1]:7880"])
async def test_the_client_is_never_asked_for_a_server_on_this_machine(url):
    environ = {**PROXIES, "PATH": "/bin"}
    client = Client()
    proxies = Proxies(environ, client)
    await proxies.prepare_join(url)
    assert (await proxies.of(url), client.asked) == (None, [])
    assert environ == {"PATH": "/bin"}


async def test_the_client_s_word_counts_more_than_no_proxy_which_counts_where_it_says_nothing():
    environ = {**PROXIES, "NO_PROXY": "*"}
    proxies = Proxies(environ, Client(SYSTEM, ClientFailed("no answer")))
    await proxies.prepare_join(SERVER)
    assert await proxies.of(SERVER) == environ["HTTPS_PROXY"] == SYSTEM
    await proxies.prepare_join(SERVER)
    assert await proxies.of(SERVER) is None
    assert environ == {"NO_PROXY": "*"}


async def test_a_client_that_does_not_offer_it_is_not_asked():
    environ = {**PROXIES, **OTHERS}
    client = Client()
    client.resolves_proxies = False
    proxies = Proxies(environ, client)
    await proxies.prepare_join(SERVER)
    assert environ == {**PROXIES, **OTHERS}
    assert await proxies.of(SERVER) == "http://proxy:3129"
    assert client.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        ClientFailed("resolveProxy gave no answer within 3 s"),
        ShuttingDown(),
        "socks5://system:1080",
        "https://user:password@system",
        "DIRECT",
        "",
    ],
    ids=str,
)
async def test_without_a_usable_answer_the_environment_counts_and_no_password_is_shown(
    answer, caplog
):
    environ = {**PROXIES, **OTHERS}
    proxies = Proxies(environ, Client(answer))
    await proxies.prepare_join(SERVER)
    assert environ == {**PROXIES, **OTHERS}
    assert await proxies.of(SERVER) == "http://proxy:3129"
    assert len(caplog.messages) == (0 if isinstance(answer, ShuttingDown) else 1)
    assert "password" not in caplog.text


async def test_every_join_asks_anew_and_the_calls_after_it_go_the_same_way_for_a_minute():
    now_s = 0.0
    client = Client(SYSTEM, None, SYSTEM)
    proxies = Proxies({}, client, lambda: now_s)
    await proxies.prepare_join(SERVER)
    assert [await proxies.of(SERVER) for _ in range(3)] == [SYSTEM] * 3
    assert len(client.asked) == 1
    await proxies.prepare_join(SERVER)
    assert await proxies.of(SERVER) is None
    now_s = REMEMBERED_S
    assert await proxies.of(SERVER) == SYSTEM
    assert len(client.asked) == 3


async def test_calls_at_the_same_time_ask_once():
    client = Client(SYSTEM)
    proxies = Proxies({}, client)
    found = await asyncio.gather(*(proxies.of(SERVER) for _ in range(9)))
    assert (found, len(client.asked)) == ([SYSTEM] * 9, 1)


@pytest.mark.parametrize("url", ["ws://[", "nonsense", "ws://user@host"])
async def test_a_malformed_url_has_no_proxy_and_is_not_asked_for(url):
    client = Client()
    assert (await Proxies({}, client).of(url), client.asked) == (None, [])


@pytest.mark.parametrize(
    "value", ["host:3128", "host", "https://host:3128", "http://", "user:hunter2@host:3128"]
)
def test_a_variable_that_is_no_proxy_is_named_and_its_value_is_not(value, caplog):
    Proxies({"HTTP_PROXY": value, "https_proxy": "http://user:hunter2@host:3128", "ALL_PROXY": ""})
    (record,) = caplog.records
    assert record.getMessage().startswith("HTTP_PROXY is set to something that is no http://host:")
    assert "hunter2" not in caplog.text
