"""A page of the open sessions: as many as fit into a line, then the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.contract.messages import AgentSession
from sidecar.core.contract.protocol import MAX_LINE_BYTES
from sidecar.core.registry.pages import PAGE_BYTES, page
from sidecar.rpc.jsonrpc import size_bytes, to_json
from tests.core.played import earlier

Numbered = list[tuple[int, AgentSession]]


def numbered(*texts: str) -> Numbered:
    """Sessions with these texts as metadata and as an attribute."""
    sessions = [
        replace(
            earlier(f"p{index}"),
            session_id=f"session_{index}_p{index}",
            metadata=text,
            attributes={"a": text},
        )
        for index, text in enumerate(texts)
    ]
    return list(enumerate(sessions, start=1))


def test_all_that_fits_is_one_page():
    sessions = numbered("a", "b")
    assert page(sessions, None, size_bytes) == (tuple(each for _, each in sessions), None)
    assert page([], None, size_bytes) == ((), None)


def test_a_limit_ends_a_page_where_there_are_more():
    sessions = numbered("a", "b", "c")
    assert page(sessions, 2, size_bytes) == ((sessions[0][1], sessions[1][1]), 2)
    assert page(sessions[2:], 2, size_bytes) == ((sessions[2][1],), None)
    assert page(sessions, 3, size_bytes)[1] is None


@pytest.mark.parametrize(
    "text", ["x" * 16_384, "\x01" * 16_384, '"' * 16_384, "\U0001f3a4" * 4_096]
)
def test_no_page_is_over_the_line_and_a_page_is_full(text: str):
    """90 people with texts at every limit made a list that was too long for good."""
    ((_, session),) = numbered(text)
    rest = [(number, session) for number in range(1, 801)]
    while rest:
        sessions, last = page(rest, None, size_bytes)
        page_bytes = len(to_json(sessions))
        assert page_bytes < MAX_LINE_BYTES
        if last is None:
            return
        assert page_bytes > PAGE_BYTES * 0.8
        rest = rest[last - rest[0][0] + 1 :]
