"""Why a join can fail: each category has its sentence, its fix, and whether it is retried."""

from __future__ import annotations

import pytest

from sidecar.core.contract.errors import ErrorCode, ShuttingDown, SidecarError, UnknownSession
from sidecar.core.contract.failures import FATAL, Category, failure, no_token
from sidecar.core.contract.protocol import ERRORS
from tests.written import written

URL = "ws://127.0.0.1:7880"


def test_the_categories_are_those_of_the_specification():
    assert {each.value for each in Category} == {
        "unreachable",
        "unauthorized",
        "not-found",
        "proxy",
        "tls",
        "media-blocked",
        "full",
        "timeout",
        "malformed",
        "broken-install",
        "internal",
        "identity-taken",
        "removed",
        "other-server",
        "no-websockets",
        "server-down",
        "rate-limited",
        "use-wss",
        "untrusted-certificate",
        "clock",
        "local",
        "earlier-attempt",
        "unknown",
    }


def test_what_waiting_does_not_cure_is_not_retried_and_all_else_is():
    assert {each for each in Category if not failure(each, URL).retryable} == FATAL
    assert {each.value for each in FATAL} == {
        "unauthorized",
        "malformed",
        "broken-install",
        "identity-taken",
        "removed",
    }


@pytest.mark.parametrize("category", sorted(Category))
def test_each_category_names_its_cause_with_the_url_and_its_fix(category: Category):
    found = failure(category, URL)
    assert URL in found.detail or category is Category.BROKEN_INSTALL
    assert found.detail.endswith(".")
    assert found.fix.endswith(".")
    assert written(found) == {
        "category": category.value,
        "detail": found.detail,
        "fix": found.fix,
        "retryable": category not in FATAL,
    }


def test_what_came_in_place_of_an_answer_stands_at_the_end_of_the_detail():
    found = failure(Category.UNKNOWN, URL, "500 Oops.")
    assert found.detail.endswith("It answered: 500 Oops.")


def test_no_two_categories_say_the_same():
    assert len({failure(each, URL).detail for each in Category}) == len(Category)


@pytest.mark.parametrize("url", ["{", "{url}", "{0}", "%s", "(malformed url)"])
def test_an_odd_url_stands_in_the_sentence_as_it_is(url: str):
    assert url in failure(Category.UNREACHABLE, url).detail


OWN_ERRORS = [
    "fetch is not defined",
    "fetchToken is not a function",
    "Cannot read properties of undefined (reading 'token')",
    "Cannot read property 'token' of undefined",
    "Cannot destructure property 'token' of '(intermediate value)' as it is undefined",
    "Cannot access 'answer' before initialization",
    "Assignment to constant variable",
]
ENDPOINT_ERRORS = ["fetch failed", "503", "the endpoint is down", "net::ERR_CONNECTION_REFUSED"]


@pytest.mark.parametrize(
    ("words", "is_own"),
    [*((each, True) for each in OWN_ERRORS), *((each, False) for each in ENDPOINT_ERRORS)],
)
def test_an_error_in_the_code_of_get_token_is_told_from_one_of_its_endpoint(words, is_own):
    failed = no_token(f"getToken failed: {words}")
    assert words in failed.detail
    assert ("its own code" in failed.fix) is is_own
    assert ("token endpoint" in failed.fix) is not is_own


# The exception tree


def test_every_class_of_error_has_a_code_of_its_own():
    ours = [
        each for each in SidecarError.__subclasses__() if each.__module__ == SidecarError.__module__
    ]
    codes = [each.code for each in ours]
    assert len(codes) == len(set(codes))
    assert set(codes) <= set(ErrorCode)


def test_every_code_has_its_sentence_in_the_contract():
    assert set(ERRORS) == set(ErrorCode)


def test_the_codes_are_those_of_the_specification():
    assert {each.name: each.value for each in ErrorCode} == {
        "PARSE_ERROR": -32700,
        "INVALID_REQUEST": -32600,
        "METHOD_NOT_FOUND": -32601,
        "INVALID_PARAMS": -32602,
        "INTERNAL_ERROR": -32603,
        "NOT_CONNECTED": 1001,
        "CONNECT_FAILED": 1002,
        "UNKNOWN_SESSION": 1003,
        "API_CALL_FAILED": 1004,
        "SHUTTING_DOWN": 1005,
        "NOT_ALLOWED": 1006,
        "OTHER_ROOM": 1007,
        "IDENTITY_PRESENT": 1008,
    }


@pytest.mark.parametrize(
    "error_class", sorted(SidecarError.__subclasses__(), key=str), ids=lambda each: each.__name__
)
def test_every_error_carries_its_fix(error_class: type[SidecarError]):
    has_one_text = error_class in (ShuttingDown, UnknownSession)
    error = error_class() if has_one_text else error_class("The cause.", "The fix.", category="c")
    assert error.data["fix"]
    assert str(error) == error.message
