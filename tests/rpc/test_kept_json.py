"""A session's JSON is made once, and takes no more memory than its length."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from sidecar.core.contract.messages import SessionUpdated
from sidecar.memory import rss_bytes
from sidecar.rpc.jsonrpc import encode_notification, size_bytes
from tests.rpc.notices import session


def shown(notification: SessionUpdated) -> object:
    """The session in the bytes of *notification*."""
    return json.loads(encode_notification(notification))["params"]["session"]


def test_a_session_that_changed_is_written_as_it_is_now():
    before = session("anna")
    first = shown(SessionUpdated(before, ("name",), 1, "e"))
    after = replace(before, message_count=7)
    assert shown(SessionUpdated(before, ("name",), 2, "e")) == first
    assert shown(SessionUpdated(after, ("messageCount",), 3, "e")) == {**first, "messageCount": 7}
    assert size_bytes(after) == len(json.dumps(first, separators=(",", ":")))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the resident memory of now")
def test_the_kept_json_of_a_session_takes_hardly_more_than_its_bytes():
    """orjson reserves 4 KiB for each of its results: 10,000 sessions would take 40 MB."""
    sessions = [session(f"person{number}") for number in range(5_000)]
    before_bytes = rss_bytes()
    length = sum(size_bytes(each) for each in sessions)
    assert rss_bytes() - before_bytes < 3 * length
