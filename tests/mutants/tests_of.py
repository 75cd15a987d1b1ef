"""Which commands run the tests that can notice a change of a file.

Owns the way from a file of the program to its tests: by folder for Python, by what a test names
for JavaScript.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.repository import ROOT

FOLDERS: dict[str, Sequence[str]] = {
    "sidecar/core/": ("tests/core", "tests/agent"),
    "sidecar/agent/": ("tests/agent",),
    "sidecar/rpc/": ("tests/rpc",),
    "sidecar/rtc/": ("tests/rtc",),
}
"""The folders with the tests of a Python file, by where the file stands."""
JAVASCRIPT_TESTS = ROOT / "tests/electron"
FILES_AT_ONCE = "--test-concurrency=4"
"""Node's tests wait most of the time."""
NAMED = re.compile(r"[\w./-]+\.cjs|clara-voice-bridge\b")


def commands(path: str, node: str, wanted: Sequence[str]) -> list[list[str]]:
    """Give what runs the tests of *path*, or those *wanted*; the likeliest to notice it first."""
    if path.endswith(".py"):
        pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-k", "not frozen"]
        tests = [wanted] if wanted else list(_python_tests(path))
    else:
        pytest = [node, "--test", "--test-reporter=tap", FILES_AT_ONCE]
        tests = [wanted] if wanted else list(_javascript_tests(path))
    return [[*pytest, *each] for each in tests if each]


def _python_tests(path: str) -> Iterator[Sequence[str]]:
    folders = next((tests for place, tests in FOLDERS.items() if path.startswith(place)), ["tests"])
    module = path.removesuffix(".py").replace("/", ".")
    name = module.rpartition(".")[2]
    every = sorted(each for folder in folders for each in (ROOT / folder).rglob("test_*.py"))
    near = [each for each in every if name in each.name or module in each.read_text("utf-8")]
    yield _relative(near)
    yield folders


def _javascript_tests(path: str) -> Iterator[Sequence[str]]:
    every = sorted(JAVASCRIPT_TESTS.glob("*.test.cjs"))
    name = path.removeprefix("electron-bridge/")
    near = [each for each in every if name in each.read_text("utf-8")]
    yield _relative(near)
    yield _relative([each for each in every if each not in near and ROOT / path in _reached(each)])


def _reached(test: Path) -> set[Path]:
    """The files that *test* requires or starts, and those that they do."""
    found: set[Path] = set()
    ahead = [test]
    while ahead:
        file = ahead.pop()
        if file in found:
            continue
        found.add(file)
        for name in NAMED.findall(file.read_text("utf-8")):
            if not name.endswith(".cjs"):
                name = "../../electron-bridge/index.cjs"
            places = [
                file.parent / name,
                JAVASCRIPT_TESTS / name,
                JAVASCRIPT_TESTS / "fixtures" / name,
            ]
            ahead += [each.resolve() for each in places if each.is_file()]
    return found


def _relative(files: Sequence[Path]) -> list[str]:
    return [each.relative_to(ROOT).as_posix() for each in files]
