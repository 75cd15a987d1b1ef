"""The bridge's own tests in JavaScript: their command, and which of them a system leaves out.

Owns the list of their files, how many run at once, and the table of what Windows lacks.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePath

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 900.0
"""All of them take half a minute on two cores, minutes when all is busy."""
FILES_AT_ONCE = 4
"""They wait most of the time."""
NOT_ON_WINDOWS = {
    "BLOCKED: the program may not be executed": "Windows has no run bits",
    "a sidecar that lost its run bits": "Windows has no run bits",
    "a folder that may not be entered": "Windows has no such bit",
    "a child that no longer reads its stdin": "Node there leaves its stdin open",
    "a sidecar that no longer reads": "Node there leaves its stdin open",
    "a group that cannot be signalled": "Windows has no groups of processes",
    "a process that has ended is signalled no more": "an end is known before Node tells of it",
    "an environment over the limit of the system": "the environment has no limit there",
}
"""The beginning of a test's name: why it cannot run there."""
LAUNCHER = "SCRIPT_LAUNCHER"
"""The variable by which fixtures/programs.cjs finds it."""


def files() -> list[Path]:
    """Give the files of the tests."""
    # Not the folder: `node --test <folder>` fails on Node 24, a quoted glob on Node 20.
    return sorted(HERE.glob("*.test.cjs"))


def files_of_the_example() -> list[Path]:
    """Give the files of its tests, which want the example's packages on NODE_PATH."""
    return sorted((HERE / "example").glob("*.test.cjs"))


def arguments(left_out: Collection[str], paths: Iterable[PurePath | str]) -> list[str]:
    """Give Node's arguments: all tests of these files but those with a name that begins so."""
    # A test also runs when the name of its parent fits: "<root>" in Node 20, "" in newer ones.
    names = "|".join(["<root>", "$", *map(re.escape, left_out)])
    chosen = [f"--test-name-pattern=^(?!\\s*({names}))"] if left_out else []
    at_once = f"--test-concurrency={FILES_AT_ONCE}"
    return ["--test", "--test-reporter=spec", at_once, *chosen, *map(str, paths)]


def unknown(table: Mapping[str, str]) -> list[str]:
    """Give the names of a table that are not in the files: the table is then out of date."""
    text = "".join(path.read_text(encoding="utf-8") for path in [*files(), *files_of_the_example()])
    return [name for name in table if name not in text]


def script_launcher(library: Path) -> bytes:
    """Give Windows' launcher of scripts, out of the pip that a Python's library brings."""
    (wheel,) = (library / "ensurepip" / "_bundled").glob("pip-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read("pip/_vendor/distlib/t64.exe")
