"""Urls that a person wrote."""

from __future__ import annotations

import pytest

from sidecar.core.config import shown_url, url_problem


@pytest.mark.parametrize(
    "url",
    [
        "ws://127.0.0.1:7880",
        "wss://my.livekit.cloud",
        "http://host",
        "https://host:443/",
        "WSS://HOST",
        "ws://[::1]:7880",
        "wss://host/path",
        "wss://bücher.example",
    ],
)
def test_a_livekit_url_is_taken_and_shown(url: str):
    assert url_problem(url) is None
    assert shown_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "host:7880",
        "ftp://host",
        "javascript:alert(1)",
        "ws://",
        "ws:///path",
        "ws://:7880",
        "ws://ho st",
        "ws://host\n",
        " ws://host",
        "ws://host:port",
        "ws://host:99999",
        "ws://[::1",
        "ws://user@host",
        "ws://user:sesame@host",
        "ws://:sesame@host",
        "ws://host?access_token=sesame",
        "ws://host#sesame",
        "ws://host\x00",
        "ws://ho\x1bst",
        "ws://" + "host." * 1_000,
    ],
    ids=ascii,
)
def test_any_other_url_is_refused_and_never_shown(url: str):
    assert url_problem(url) is not None
    assert shown_url(url) == "(malformed url)"
