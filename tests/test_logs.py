"""stderr: whole lines, no control characters, and never a wait for who reads them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sidecar.logs import CAUSE, MAX_MESSAGE_CHARS, MAX_WAITING_BYTES, LineHandler
from sidecar.redaction import Redactor
from tests.piped_log import Log
from tests.rpc.raw_sidecar import full_pipe

HOSTILE = {
    "LF": "a\nb",
    "CRLF": "a\r\nb",
    "CR": "a\rb",
    "U+2028": "a\u2028b",
    "U+2029": "a\u2029b",
    "U+0085": "a\u0085b",
    "an escape": "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "a C1 escape": "\x9b31mred",
    "NUL": "a\x00b",
    "backspace": "abc\x08\x08\x08xyz",
    "DEL": "a\x7fb",
    "bidi override": "a\u202eb\u2066c",
    "a forged line": "anna\nCritical: all is lost",
}


@pytest.mark.parametrize("said", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("form", ["text", "json"])
def test_control_characters_are_escaped_and_a_message_is_one_line(said, form):
    """A participant chooses an identity; it must not forge a line nor move a cursor."""
    log = Log(form)
    log.log("🎤 Participant joined: %s", said)
    (line,) = log.lines()
    assert all(character.isprintable() for character in line)
    assert not set(line) & set("\u2028\u2029\u202e\u2066")
    assert "🎤 Participant joined: " in line


def test_a_lone_surrogate_does_not_cost_the_line():
    log = Log()
    log.log("a \ud800 b")
    assert log.lines() == ["a \\ud800 b"]


def test_an_exception_is_lines_of_its_own_after_its_message_each_whole():
    log = Log("json")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.log("It failed.", level=logging.ERROR)
    records = [json.loads(line) for line in log.lines()]
    assert [set(record) for record in records] == [{"time", "level", "logger", "message"}] * len(
        records
    )
    assert records[0]["message"] == "It failed."
    assert [records[-2]["message"], records[-1]["message"]] == ["ValueError: first", "second"]


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (logging.DEBUG, "debug"),
        (logging.INFO, "info"),
        (logging.WARNING, "warning"),
        (logging.ERROR, "error"),
        (logging.CRITICAL, "critical"),
    ],
)
def test_a_json_line_has_time_level_logger_and_message(level, name):
    log = Log("json")
    log.log("🎤 Participant joined: %s", "anna", level=level)
    (line,) = log.lines()
    record = json.loads(line)
    assert record["time"].endswith("Z")
    assert len(record["time"]) == len("2026-01-31T12:00:00.000Z")
    del record["time"]
    message = "🎤 Participant joined: anna"
    assert record == {"level": name, "logger": "sidecar.agent", "message": message}
    assert "🎤" in line  # as itself: a person reads this too


def test_a_text_line_is_the_bare_message_and_names_a_logger_that_is_not_ours():
    log = Log()
    log.log("✅ Session %s initialized successfully", "session_1_anna")
    log.log("engine: closed", name="livekit.rtc.room", level=logging.CRITICAL)
    assert log.lines() == [
        "✅ Session session_1_anna initialized successfully",
        "[livekit] engine: closed",
    ]


def test_a_very_long_message_is_cut():
    log = Log()
    log.log("x" * (MAX_MESSAGE_CHARS * 3))
    (line,) = log.lines()
    assert line == "x" * MAX_MESSAGE_CHARS + "…"


@pytest.mark.parametrize("form", ["text", "json"])
def test_where_nobody_reads_the_oldest_lines_go_and_a_notice_says_how_many(form):
    """More than the bound while nobody reads; the newest are there in the end."""
    with full_pipe() as (reading, writing):
        handler = LineHandler(Redactor(), form, writing)
        logger = logging.Logger("sidecar.agent")
        logger.addHandler(handler)
        total = 2 * MAX_WAITING_BYTES // 4000
        for number in range(total):
            logger.info("%06d %s", number, "x" * 4000)
        received = bytearray()
        reader = threading.Thread(target=read_all, args=(reading, received), daemon=True)
        reader.start()
        handler.finish(10)
        os.close(writing)
        reader.join(10)
    lines = received.lstrip(b".").decode().splitlines()
    if form == "json":
        lines = [json.loads(line)["message"] for line in lines]
    numbers = [int(line[:6]) for line in lines if line[:6].isdigit()]
    (notice,) = [line for line in lines if not line[:6].isdigit()]
    dropped = total - len(numbers)
    assert 0 < dropped < total
    assert str(dropped) in notice
    assert numbers == sorted(numbers)
    assert numbers[-1] == total - 1


def read_all(fd: int, received: bytearray) -> None:
    while chunk := os.read(fd, 65_536):
        received += chunk


def test_logging_does_not_wait_for_a_reader_nor_does_the_end():
    with full_pipe() as (_, writing):
        handler = LineHandler(Redactor(), "text", writing)
        logger = logging.Logger("sidecar.agent")
        logger.addHandler(handler)
        done = threading.Event()

        def log_and_finish() -> None:
            for _ in range(100):
                logger.info("x" * 4000)
            handler.finish(0.01)
            done.set()

        threading.Thread(target=log_and_finish, daemon=True).start()
        assert done.wait(5)


SET_UP = """
import logging, sys, warnings
from sidecar.logs import set_up
from sidecar.redaction import Redactor
level, form = sys.argv[1:]
handler = set_up(level, form, Redactor())
for name in ("sidecar.agent", "livekit", "livekit.rtc.room", "asyncio", "aiohttp.client", ""):
    for number in (10, 20, 30, 40, 50):
        logging.getLogger(name).log(number, "%s %s says so", name, number)
token = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"
logging.getLogger("livekit").debug("connecting with access_token=%s", token)
warnings.warn("a warning")
handler.finish(5)
"""


def lines_of_set_up(level: str, form: str = "text") -> list[str]:
    """What a process of its own says: `set_up` is for the whole process."""
    done = subprocess.run(
        [sys.executable, "-c", SET_UP, level, form], capture_output=True, timeout=30, check=True
    )
    assert done.stdout == b""
    return done.stderr.decode().splitlines()


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_the_level_is_the_least_that_is_logged_of_our_own(level):
    number = logging.getLevelNamesMapping()[level.upper()]
    own = [int(line.split()[1]) for line in lines_of_set_up(level) if line.startswith("sidecar")]
    assert own == [each for each in (10, 20, 30, 40, 50) if each >= number]


def test_the_sdk_and_pythons_warnings_are_silent_but_at_debug():
    info = [line for line in lines_of_set_up("info") if line.startswith(("[livekit]", "[py]"))]
    assert info == []
    debug = lines_of_set_up("debug")
    sdk = [line for line in debug if line.startswith("[livekit]")]
    assert [line.split()[2] for line in sdk[:5]] == ["10", "20", "30", "40", "50"]
    (warning,) = [line for line in debug if line.startswith("[py]")]
    assert warning.startswith("[py] UserWarning: a warning (")


def test_a_bug_that_asyncio_reports_is_logged_at_any_level():
    assert [line for line in lines_of_set_up("info") if line.startswith("[asyncio]")] == [
        f"[asyncio] asyncio {number} says so" for number in (30, 40, 50)
    ]


FAILED = "Critical: it failed."


def test_a_sentence_and_its_cause_are_written_at_once_as_two_lines():
    log = Log(secrets=("failed", "because"))
    log.log(FAILED, level=logging.CRITICAL, extra={CAUSE: "because of secret='because'\nanna"})
    assert log.lines() == [FAILED, "because of secret='[secret]'\\x0aanna"]


def test_a_sentence_and_its_cause_are_one_line_of_json():
    log = Log("json")
    log.log(FAILED, level=logging.CRITICAL, extra={CAUSE: "for this reason"})
    (line,) = log.lines()
    record = json.loads(line)
    assert (record["message"], record["cause"]) == (FAILED, "for this reason")


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_sdks_own_debug_lines_are_redacted_too(form):
    lines = lines_of_set_up("debug", form)
    (line,) = [line for line in lines if "access_token" in line]
    assert "eyJ" not in line
    if form == "json":
        assert all(
            set(json.loads(each)) == {"time", "level", "logger", "message"} for each in lines
        )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_under_stderr_costs_lines_and_the_log_comes_back_with_room(tmp_path):
    path = tmp_path / "log"
    fd = os.open("/dev/full", os.O_WRONLY)
    handler = LineHandler(Redactor(), "text", fd)
    logger = logging.Logger("sidecar.test")
    logger.addHandler(handler)
    for number in range(5):
        logger.warning("lost %d", number)
    while handler._waiting:  # the last line may still be under way
        threading.Event().wait(0.001)
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, fd)
    logger.warning("there is room again")
    logger.warning("and more")
    handler.finish(5.0)
    os.close(file)
    os.close(fd)
    lines = path.read_text().splitlines()
    assert lines[-2:] == ["there is room again", "and more"]
    assert lines[0] in (
        "4 log lines were dropped: stderr did not take them.",
        "5 log lines were dropped: stderr did not take them.",
    )
