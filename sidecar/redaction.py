"""Owns redaction: replaces secrets and tokens in a text, and leaves the words of a sentence.

Pure: takes a text and returns a text. Does not know the loggers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

MAX_SECRETS = 64
"""The redactor searches every line for each secret. A process has two or three of them, and
sometimes gets a newer token."""

MAX_SECRET_CHARS = 8_192
"""The first characters of a secret, which the redactor searches for. A log line has no more, and a
pattern of a megabyte takes seconds to compile."""

_SECRET = "[secret]"  # noqa: S105 - the replacement
_KEPT_CHARS = 12
"""A long secret is found by its first characters, because the SDK cuts long texts."""
_SHORTEST_CODE_CHARS = 8
"""A shorter secret is treated as a possible word, even with digits in it."""
_LONGEST_WORD_CHARS = 20
"""A secret of letters only, up to this length, is treated as a possible word."""

_TOKEN = re.compile(r"eyJ[\w-]{4,}(?:\.[\w-]*){0,2}")
"""A JSON web token, or the beginning of one that was cut. Each begins with `{"` in base64."""
_AUTHORIZATION = re.compile(
    r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic)\s+)[^\s\"',]+"
)
_URL = re.compile(r"\b\w+://[^\s\"'<>]+")
_USERINFO = re.compile(r"(?<=://)[^\s/@]+(?=@)")
"""A user and password in a url. The SDK's native layer logs the proxy's url with both."""
_QUERY = re.compile(r"(?i)([?&](?:access_token|token|api_?secret|secret)=)[^&#]+")

_ENDS = r"(?![\w+/~-]|\.\w)"
"""The end of a value without quotes: the next characters are not part of the value."""


class _Pattern(Protocol):
    def __call__(self, text: str) -> str: ...


class Redactor:
    """Replaces in a text the secrets given to `protect`, and everything that looks like a token.

    A secret that cannot be a word is replaced everywhere. A short secret (`secret`, `server`, `b`)
    may be a word of a sentence. It is replaced only where it is a value: between quotes, after
    `=`, after `:` without a space, after the name of a credential and a colon, and in a url after
    the host.
    """

    def __init__(self) -> None:
        """Redact only what looks like a token until `protect` names secrets."""
        self._secrets: dict[str, _Pattern] = {}
        self._known: tuple[_Pattern, ...] = ()

    def protect(self, secrets: Iterable[str]) -> None:
        """Replace *secrets* from now on. Call it before a secret can reach a log line.

        Also replaces a text that begins like a long secret; only MAX_SECRET_CHARS of it count.
        Keeps the newest MAX_SECRETS of all calls.
        """
        for secret in secrets:
            if secret:
                kept = secret[: MAX_SECRET_CHARS + 1]
                known = self._secrets.pop(kept, None) or _pattern(kept)
                self._secrets[kept] = known
        for oldest in list(self._secrets)[:-MAX_SECRETS]:
            del self._secrets[oldest]
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._known = tuple(self._secrets[each] for each in longest_first)

    def __call__(self, text: str) -> str:
        """Return *text* with `[secret]` and `[token]` in place of secrets and tokens."""
        for known in self._known:
            text = known(text)
        text = _TOKEN.sub("[token]", text)
        text = _AUTHORIZATION.sub(r"\1" + _SECRET, text)
        if "://" not in text:
            return text  # the search for a url takes longer than all of the above
        return _URL.sub(lambda url: _QUERY.sub(r"\1" + _SECRET, _without_user(url[0])), text)


def _without_user(url: str) -> str:
    return _USERINFO.sub(_SECRET, url)


def _pattern(secret: str) -> _Pattern:
    return _as_value(secret) if _may_be_a_word(secret) else _anywhere(secret)


def _may_be_a_word(text: str) -> bool:
    if len(text) < _SHORTEST_CODE_CHARS:
        return True
    letters = re.sub(r"[\s'-]", "", text)
    longest = _LONGEST_WORD_CHARS if letters == text else _KEPT_CHARS
    return letters.isalpha() and len(text) <= longest


def _anywhere(secret: str) -> _Pattern:
    kept = _KEPT_CHARS
    while kept < len(secret) and _may_be_a_word(secret[:kept]):
        kept += 1
    rest = r"[^\s\"',&]*"
    whole = re.escape(secret) + (rest if len(secret) > MAX_SECRET_CHARS else "")
    cut = re.compile(whole + "|" + re.escape(secret[:kept]) + rest)
    return lambda text: cut.sub(_SECRET, text)


def _as_value(secret: str) -> _Pattern:
    value = re.escape(secret)
    is_no_name = r"(?!\\?[\"']\s*:)"
    quoted = re.compile(rf"(?<=([\"'`])){value}(?=\\?\1){is_no_name}")
    given = re.compile(
        r"((?<=[=:])|(?<== )|"
        r"(?i:(?:secret|token|key|password|credentials?)[\"']?:\s))"
        rf"{value}{_ENDS}"
    )
    in_path = re.compile(rf"(?<=[/?&#=]){value}(?=[/?&#=]|$)")
    after_host = re.compile(r"(\b\w+://[^/?#\s\"'<>]*)([^\s\"'<>]*)")

    def redact(text: str) -> str:
        text = quoted.sub(_SECRET, text)
        text = after_host.sub(lambda url: url[1] + in_path.sub(_SECRET, url[2]), text)
        return given.sub(r"\1" + _SECRET, text)

    return redact
