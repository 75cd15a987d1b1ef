"""Laws of the redactor: a secret is never seen as a value; the words of a sentence always are."""

from __future__ import annotations

import base64
import json
import logging
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sidecar.agent.announcer import CRITICAL_LINE
from sidecar.core.contract.failures import Category, failure
from sidecar.logs import CAUSE
from sidecar.redaction import Redactor
from tests.piped_log import Log

URL = "wss://my.livekit.cloud"
SENTENCES = [
    CRITICAL_LINE,
    "🎤 Participant joined: anna",
    "The connection to the LiveKit server is interrupted; reconnecting.",
    f"Connected to room support at {URL} as clara-voice-agent.",
    *(f"{each.detail} {each.fix}" for each in (failure(category, URL) for category in Category)),
]
WORDS = sorted({word for line in SENTENCES for word in re.findall(r"[^\W\d_]+", line)})
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

words = st.sampled_from(WORDS)
short_secrets = st.text(LETTERS, min_size=1, max_size=12) | words
long_secrets = st.text(LETTERS + "+/=-_ .!$", min_size=21, max_size=64).filter(
    lambda each: any(character.isdigit() for character in each)
)
identities = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)

AS_VALUE = {
    "an assignment": "LIVEKIT_API_SECRET={} is set",
    "an assignment at the end of a sentence": "It has api_secret={}.",
    "quotes": "wrong secret '{}' given",
    "double quotes": 'wrong secret "{}" given',
    "Python's repr of a mapping": "{{'apiSecret': '{}', 'room': 'support'}}",
    "JSON": '{{"apiSecret": "{}", "room": "support"}}',
    "JSON without spaces": '{{"apiSecret":"{}"}}',
    "JSON within JSON": '"{{\\"apiSecret\\":\\"{}\\"}}"',
    "a label": "api secret: {}",
    "a query": "https://host/path?secret={}&room=support",
    "a path": "https://host/hook/{}/call",
    "a user of a url": "http://{}@proxy:3128/",
    "a password of a url": "http://clara:{}@proxy:3128/",
}


def redacted(text: str, *secrets: str) -> str:
    redactor = Redactor()
    redactor.protect(secrets)
    return redactor(text)


@pytest.mark.parametrize("place", AS_VALUE.values(), ids=AS_VALUE.keys())
@given(secret=short_secrets | long_secrets)
@example(secret="secret")
@example(secret="server")
@example(secret="b")
def test_a_secret_is_not_seen_where_it_stands_as_a_value(place: str, secret: str):
    before, after = place.format("\0").split("\0")
    assert f"{before}{secret}{after}" not in redacted(place.format(secret), secret)


@given(secret=long_secrets, before=st.text(), after=st.text())
def test_a_secret_that_is_no_word_is_seen_nowhere(secret: str, before: str, after: str):
    assert secret not in redacted(f"{before}{secret}{after}", secret)


@pytest.mark.parametrize("sentence", SENTENCES)
@given(secrets=st.lists(words, min_size=1, max_size=5))
@example(secrets=["secret", "server", "b", "API", "Critical"])
def test_the_words_of_a_sentence_stay_whatever_the_secret_is(sentence: str, secrets: list[str]):
    # The name of a url's path is a value; these sentences have none. A word in quotes is one too.
    quoted = " ".join(re.findall(r"`([^`]+)`", sentence))
    assume(not set(secrets) & set(re.findall(r"\w+", quoted)))
    assert redacted(sentence, *secrets) == sentence


@given(secret=st.text(min_size=1, max_size=60) | st.sampled_from([CRITICAL_LINE, "the LiveKit"]))
def test_the_customer_s_critical_line_is_whole_whatever_the_secret_is(secret: str):
    log = Log(secrets=(secret,))
    log.log(CRITICAL_LINE, level=logging.CRITICAL, extra={CAUSE: "unreachable"})
    assert log.lines()[0] == CRITICAL_LINE


@given(identity=identities)
@example(identity="token=alice")
@example(identity="secret=alice")
@example(identity="bearer alice")
@example(identity="user:alice@example.com")
@example(identity='{"token": "alice"}')
def test_an_identity_is_logged_as_it_is(identity: str):
    line = f"🎤 Participant joined: {identity}"
    assume(not re.search(r"eyJ|://|(?i:authorization)|devkey|demo", identity))
    assert redacted(line, "devkey", "demo") == line


@given(payload=st.dictionaries(st.text(max_size=8), st.text(max_size=8), min_size=1))
def test_no_token_is_seen_whatever_it_says(payload: dict[str, str]):
    def part(of: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(of).encode()).decode().rstrip("=")

    token = f"{part({'alg': 'HS256'})}.{part(payload)}.c2lnbmF0dXJl"
    line = redacted(f"the server refused {token}.")
    assert line == "the server refused [token]."
