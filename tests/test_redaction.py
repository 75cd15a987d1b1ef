"""No secret is ever seen on stderr: in messages, tracebacks, or what cannot be formatted."""

from __future__ import annotations

import json
import logging

import pytest

from sidecar.redaction import Redactor
from tests.piped_log import Log

HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
PAYLOAD = "eyJzdWIiOiJjbGFyYSIsInZpZGVvIjp7InJvb20iOiJyb29tIn19"
SIGNATURE = "Zm9ydHktdHdvIGJ5dGVzIG9mIHNpZ25hdHVyZQ"
TOKEN = f"{HEADER}.{PAYLOAD}.{SIGNATURE}"
SECRET = "nR4zQ81kXw0pLs7dVb3mTy9u"  # noqa: S105 - made up


SAID = {
    "a whole token": TOKEN,
    "a token in an answer of LiveKit's": f"401 Unauthorized - invalid token: {TOKEN}, error: sig",
    "a token cut in its signature": TOKEN[:-20] + "…",
    "a token cut in its payload": TOKEN[:60],
    "a token cut in its header": TOKEN[:20],
    "two tokens": f"{TOKEN} {TOKEN}",
    "a token in quotes": f"token='{TOKEN}'",
    "a token in JSON": json.dumps({"token": TOKEN}),
    "a token in a url": f"wss://host/rtc?access_token={TOKEN}&auto_subscribe=0",
    "a token of another look in a url": f"wss://host/rtc?access_token={SECRET}&auto_subscribe=0",
    "a bearer": f"Authorization: Bearer {TOKEN}",
    "a bearer of another look": f"authorization: bearer {SECRET}",
    "a proxy's password": f"Using proxy: http://clara:{SECRET}@proxy:3128",
    "a known secret": f"key and {SECRET} here",
    "a known secret, cut": f"key and {SECRET[:14]}… here",
    "a known secret in quotes": repr(SECRET),
    "a known secret twice": f"{SECRET},{SECRET}",
}
SHOWN = [TOKEN[12:24], PAYLOAD[4:16], SIGNATURE[2:14], SECRET[12:], SECRET[:12]]
"""Parts of the secrets of which none may be seen."""


def assert_clean(lines: list[str]) -> None:
    for part in SHOWN:
        assert part not in "\n".join(lines)


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_seen_in_a_message(said, form):
    log = Log(form, (SECRET,))
    log.log(said)
    log.log("with args: %s and %r", said, said, level=logging.DEBUG, name="livekit.rtc")
    lines = log.lines()
    assert_clean(lines)
    assert len(lines) == 2
    assert "[token]" in lines[0] or "[secret]" in lines[0]


@pytest.mark.parametrize("said", SAID.values(), ids=SAID.keys())
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_seen_in_a_traceback(said, form):
    log = Log(form, (SECRET,))
    try:
        try:
            raise ValueError(said)
        except ValueError as error:
            raise RuntimeError(f"and again: {said}") from error
    except RuntimeError:
        log.log("It failed.", level=logging.ERROR)
    lines = log.lines()
    assert_clean(lines)
    assert any("RuntimeError" in line for line in lines)


def test_what_stands_around_a_secret_stays():
    log = Log(secrets=(SECRET,))
    log.log(f"wss://host/rtc?access_token={TOKEN}&auto_subscribe=0 key={SECRET}, room=room")
    assert log.lines() == [
        "wss://host/rtc?access_token=[secret]&auto_subscribe=0 key=[secret], room=room"
    ]


@pytest.mark.parametrize(
    "secret",
    [
        "correct horse battery staple",
        'with "quotes", commas & ampersands',
        "a+b/c=d.e*f(g)[h]^$|\\z and so on",
        "ünïcödé-sécrét-wörds",
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_known_secret_is_taken_out_whole_whatever_characters_it_has(secret, form):
    log = Log(form, (secret,))
    log.log(f"the secret is <{secret}>")
    (line,) = log.lines()
    assert "the secret is <[secret]" in line
    assert not any(word in line for word in secret[12:].split() if len(word) > 3)


def test_a_secret_that_is_learned_later_is_kept_out_from_then_on():
    log = Log()
    log.redactor.protect(("first-of-two-secrets",))
    log.redactor.protect((SECRET, ""))
    log.log(f"first-of-two-secrets {SECRET} and nothing else")
    assert log.lines() == ["[secret] [secret] and nothing else"]


def test_a_secret_that_begins_another_does_not_uncover_it():
    log = Log(secrets=("short", "short-and-long", "short-and-long-and-longer-still"))
    log.log("short-and-long-and-longer-still short-and-long key=short")
    (line,) = log.lines()
    assert "long" not in line
    assert line.count("secret") == 3


def test_a_secret_of_16_mib_is_taken_out_whole_and_holds_no_other_work():
    """Its pattern took minutes: the watchdog ended the process."""
    secret = "0aZ" * (16 * 1024 * 1024 // 3)
    redactor = Redactor()
    redactor.protect([secret])
    told = redactor(f"before {secret[:20_000]} after {secret[:100]} end")
    assert told == "before [secret] after [secret] end"


def test_a_record_that_cannot_be_formatted_gives_its_arguments_away_nowhere(capfd):
    """logging's own way out prints message and arguments, past every redaction."""
    log = Log(secrets=(SECRET,))
    log.log("only one %s", TOKEN, SECRET, name="livekit")
    lines = log.lines()
    captured = capfd.readouterr()
    assert_clean([*lines, captured.out, captured.err])


def test_the_newest_secrets_are_known_and_their_number_is_bounded():
    """A `connect` may bring a secret of its own, and each of them is looked for in every line."""
    log = Log()
    for number in range(1_000):
        log.redactor.protect((SECRET, f"{number:03}-another-secret"))
    log.log(f"{SECRET} 999-another-secret 998-another-secret 000-another-secret")
    assert log.lines() == ["[secret] [secret] [secret] 000-another-secret"]
