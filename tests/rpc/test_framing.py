"""Bytes to lines: whatever the chunks, the same lines; a line over the limit costs only itself."""

from __future__ import annotations

import pytest

from sidecar.rpc.framing import LineSplitter, LineTooLong

LIMIT = 32
TOO_LONG = "too long"
Line = bytes | str


def lines_of(*chunks: bytes, limit: int = LIMIT, with_end: bool = False) -> list[Line]:
    """Feed the chunks one after the other; TOO_LONG stands where a line was skipped."""
    splitter = LineSplitter(limit)
    found = [line for chunk in chunks for line in splitter.feed(chunk)]
    if with_end:
        found += splitter.end()
    return [TOO_LONG if isinstance(line, LineTooLong) else line for line in found]


STREAMS = {
    "two lines": (b"one\ntwo\n", [b"one", b"two"]),
    "CRLF": (b"one\r\ntwo\r\n", [b"one", b"two"]),
    "CRLF and LF": (b"one\r\ntwo\nthree\r\n", [b"one", b"two", b"three"]),
    "blank lines": (b"\n\n  \none\n\t\r\n\r\n\ntwo\n", [b"one", b"two"]),
    "an emoji": ("🎤 ä\n🧹\n".encode(), ["🎤 ä".encode(), "🧹".encode()]),
    "U+2028, U+2029, U+0085": (
        "a\u2028b\u2029c\u0085d\n".encode(),
        ["a\u2028b\u2029c\u0085d".encode()],
    ),
    "other line ends of str.splitlines": (b"a\x0bb\x0cc\x1cd\x1ee\n", [b"a\x0bb\x0cc\x1cd\x1ee"]),
    "a lone CR within": (b"one\rtwo\n", [b"one\rtwo"]),
    "invalid UTF-8": (b"\xff\xfe\xc0\n\x80\n", [b"\xff\xfe\xc0", b"\x80"]),
    "NUL": (b"\x00\n", [b"\x00"]),
    "exactly the limit": (b"x" * LIMIT + b"\ny\n", [b"x" * LIMIT, b"y"]),
    "exactly the limit, CRLF": (b"x" * LIMIT + b"\r\ny\r\n", [b"x" * LIMIT, b"y"]),
    "one over the limit": (b"x" * (LIMIT + 1) + b"\ny\n", [TOO_LONG, b"y"]),
    "one over the limit, CRLF": (b"x" * (LIMIT + 1) + b"\r\ny\n", [TOO_LONG, b"y"]),
    "a CR of its own over the limit": (b"x" * LIMIT + b"\r\r\ny\n", [TOO_LONG, b"y"]),
    "far over the limit": (b"x" * LIMIT * 9 + b"\ny\n", [TOO_LONG, b"y"]),
    "two over the limit in a row": (
        b"x" * LIMIT * 2 + b"\n" + b"z" * LIMIT * 3 + b"\ny\n",
        [TOO_LONG, TOO_LONG, b"y"],
    ),
    "over the limit with blanks alone": (b" " * LIMIT * 2 + b"\ny\n", [TOO_LONG, b"y"]),
    "over, blank, within": (b"x" * LIMIT * 2 + b"\n\n\r\nok\n", [TOO_LONG, b"ok"]),
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 31, 32, 33, 34, 64, 65, 500, 100_000])
@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS.keys())
def test_the_lines_are_the_same_whatever_the_size_of_the_chunks(stream, expected, size):
    """Also where the oversized line arrives whole in one chunk, and where each byte comes alone."""
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert lines_of(*chunks) == expected


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS.keys())
def test_the_lines_are_the_same_wherever_the_one_cut_falls(stream, expected):
    for cut in range(len(stream) + 1):
        assert lines_of(stream[:cut], stream[cut:]) == expected


def test_a_chunk_may_hold_the_end_of_one_line_many_whole_ones_and_the_beginning_of_another():
    chunks = [b"be", b"gin\none\ntwo\nth", b"", b"ree\n"]
    assert lines_of(*chunks) == [b"begin", b"one", b"two", b"three"]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"one\nlast", [b"one", b"last"]),
        (b"one\nlast\r", [b"one", b"last"]),
        (b"one\n", [b"one"]),
        (b"one\n  ", [b"one"]),
        (b"", []),
        (b"x" * LIMIT, [b"x" * LIMIT]),
        (b"x" * (LIMIT + 1), [TOO_LONG]),
        (b"x" * LIMIT * 9, [TOO_LONG]),
    ],
)
def test_a_last_line_without_its_newline_counts_at_the_end_of_input(stream, expected):
    assert lines_of(stream, with_end=True) == expected


def test_what_is_kept_of_a_line_over_the_limit_is_bounded():
    """A parent that never sends a newline must not fill the memory."""
    splitter = LineSplitter(LIMIT)
    for _ in range(10_000):
        assert list(splitter.feed(b"x" * LIMIT)) == []
    assert sum(map(len, splitter._parts)) <= LIMIT + 1
    assert [type(line) for line in splitter.feed(b"\n")] == [LineTooLong]


def test_the_limit_of_the_wire_is_16_mib():
    whole = b"x" * 16 * 1024 * 1024
    longest, one_more = LineSplitter().feed(whole + b"\n" + whole + b"x\n")
    assert longest == whole
    assert isinstance(one_more, LineTooLong)
