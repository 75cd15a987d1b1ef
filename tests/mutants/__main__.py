"""`python -m tests.mutants --files core/registry --sample 60 --seed 1`: what no test notices.

Changes one place at a time in a copy of the repository, runs the tests of that file, and prints
the changes that all of them passed with: the survivors. A survivor is a test that is missing, or
code that makes no difference. Files are looked for in sidecar/ and in electron-bridge/.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.electron import npm
from tests.mutants.mutant import Mutant
from tests.mutants.python_source import mutants_of
from tests.repository import ROOT, repository_files

CPU_S = 180
"""Processor seconds for the tests of one mutant; one that runs on for ever is noticed. A busy
machine takes longer, and counts no mutant as noticed for it."""
TIMEOUT_S = 3600.0
"""For the tests of one mutant that waits for ever."""
SOURCES = ("sidecar", "electron-bridge")
TESTS: dict[str, Sequence[str]] = {
    "sidecar/core/": ("tests/core", "tests/agent"),
    "sidecar/agent/": ("tests/agent",),
    "sidecar/rpc/": ("tests/rpc",),
    "sidecar/rtc/": ("tests/rtc",),
}
"""The tests of a Python file, by where it stands; they are run until the first failure."""
JAVASCRIPT_TESTS = "tests/electron"


def files_of(named: Sequence[str]) -> Iterator[str]:
    """The files below the folders, or with the paths, that are *named*."""
    for each in named:
        places = [ROOT / each, *(ROOT / source / each for source in SOURCES)]
        place = next((path for path in places if path.exists()), None)
        if place is None:
            raise SystemExit(f"there is no {each} in the repository, sidecar/ or electron-bridge/")
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            if path.suffix in (".py", ".cjs"):
                yield path.relative_to(ROOT).as_posix()


def javascript_mutants(node: str, path: str) -> list[Mutant]:
    """All mutants of the JavaScript file *path*."""
    packages = npm.installed(Path(node), npm.BRIDGE / "package.json")
    finder = Path(__file__).with_name("javascript_source.cjs")
    typescript = packages / "node_modules" / "typescript"
    listed = npm.run([node, str(finder), str(typescript), str(ROOT / path)])
    return [Mutant(path, *each) for each in json.loads(listed)]


def commands(path: str, node: str, wanted: Sequence[str]) -> Iterator[list[str]]:
    """What runs the tests of *path*, the likeliest to notice something first."""
    if path.endswith(".py"):
        tests = wanted or next(
            (tests for place, tests in TESTS.items() if path.startswith(place)), ["tests"]
        )
        pytest = [sys.executable, "-m", "pytest", "-x", "-q"]
        yield [*pytest, "-k", "not frozen", *tests]
        return
    every = sorted((ROOT / JAVASCRIPT_TESTS).glob("*.test.cjs"))
    name = path.removeprefix("electron-bridge/")
    near = [each for each in every if name in each.read_text(encoding="utf-8")]
    for files in (near, every):
        if files:
            relative = [each.relative_to(ROOT).as_posix() for each in files]
            yield [node, "--test", *(wanted or relative)]


def survives(mutant: Mutant, copy: Path, node: str, wanted: Sequence[str]) -> bool:
    """Whether all tests of the mutant's file pass with it."""
    file = copy / mutant.path
    whole = file.read_bytes()
    # Without shrinking: that a law is broken is enough.
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutants", "PYTHONDONTWRITEBYTECODE": "1"}
    file.write_bytes(mutant.of(whole))
    try:
        return all(
            subprocess.run(
                ["/bin/sh", "-c", f'ulimit -t {CPU_S}; exec "$0" "$@"', *command],
                cwd=copy,
                env=environment,
                capture_output=True,
                timeout=TIMEOUT_S,
            ).returncode
            == 0
            for command in commands(mutant.path, node, wanted)
        )
    except subprocess.TimeoutExpired:
        return False
    finally:
        file.write_bytes(whole)


def main() -> int:
    """Run as the arguments say; 0 also where mutants survived: a reader judges them."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--files", nargs="+", required=True, help="folders or files")
    parser.add_argument("--sample", type=int, default=60, help="how many mutants (60); 0 for all")
    parser.add_argument("--seed", type=int, default=1, help="decides which (1)")
    parser.add_argument("--kinds", nargs="+", help="these kinds alone, as `delete`")
    parser.add_argument("--tests", nargs="+", default=[], help="instead of the files' own")
    told = parser.parse_args()
    node = shutil.which("node") or "node"
    found = [
        mutant
        for path in files_of(told.files)
        for mutant in (
            mutants_of(path, (ROOT / path).read_bytes())
            if path.endswith(".py")
            else javascript_mutants(node, path)
        )
        if not told.kinds or mutant.kind in told.kinds
    ]
    chosen = found
    if 0 < told.sample < len(found):
        chosen = sorted(random.Random(told.seed).sample(found, told.sample))  # noqa: S311
    print(f"{len(chosen)} of {len(found)} mutants, seed {told.seed}", flush=True)
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for each in repository_files():
            target = copy / each.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(each, target)
        for path in sorted({each.path for each in chosen}):
            if not survives(Mutant(path, 1, "nothing", 0, 0, ""), copy, node, told.tests):
                raise SystemExit(f"the tests of {path} fail without any change")
        for mutant in chosen:
            if survives(mutant, copy, node, told.tests):
                survivors += 1
                print(mutant.shown((ROOT / mutant.path).read_bytes()), flush=True)
    print(f"{survivors} of {len(chosen)} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
