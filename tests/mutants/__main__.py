"""`python -m tests.mutants --files core/registry --sample 60 --seed 1`: what no test notices.

Changes one place at a time in a copy of the repository, runs the tests of that file, and prints
the changes that all of them passed with: the survivors. A survivor is a test that is missing, or
code that makes no difference. The last lines count them by file; the same seed gives the same
sample as long as the files are the same. Files are looked for in sidecar/ and in electron-bridge/.

A busy machine hides survivors: a test that fails because it was slow counts as one that noticed.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import json
import queue
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.electron import npm
from tests.mutants.copy import Copy
from tests.mutants.mutant import Mutant
from tests.mutants.python_source import mutants_of
from tests.mutants.tests_of import commands
from tests.repository import ROOT

SOURCES = ("sidecar", "electron-bridge")


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


def sample(told: argparse.Namespace, node: str) -> list[Mutant]:
    """The mutants that the arguments ask for, in the order of their files and lines."""
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
    return chosen


def survivors_of(chosen: Sequence[Mutant], told: argparse.Namespace, node: str) -> list[Mutant]:
    """Try the mutants; print each that all tests of its file pass with."""
    runs = {path: commands(path, node, told.tests) for path in {each.path for each in chosen}}
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()

    def survives(mutant: Mutant) -> bool:
        copy = copies.get()
        whole = (ROOT / mutant.path).read_bytes()
        copy.write(mutant.path, mutant.of(whole))
        try:
            tries = zip(runs[mutant.path], limits[mutant.path], strict=True)
            is_survivor = all(copy.passes(command, limit_s) for command, limit_s in tries)
        finally:
            copy.write(mutant.path, whole)
            copies.put(copy)
        if is_survivor:
            print(mutant.shown(whole), flush=True)
        return is_survivor

    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ThreadPoolExecutor(told.jobs) as pool,
    ):
        for number in range(told.jobs):
            copies.put(Copy(Path(folder).resolve() / str(number)))
        first = copies.get()
        limits: dict[str, list[float]] = {}
        for path, given in sorted(runs.items()):
            measured = first.measured(given)
            if measured is None:
                raise SystemExit(f"the tests of {path} fail without any change")
            limits[path] = measured
        copies.put(first)
        outcomes = zip(chosen, pool.map(survives, chosen), strict=True)
        return [mutant for mutant, is_survivor in outcomes if is_survivor]


def main() -> int:
    """Run as the arguments say; 0 also where mutants survived: a reader judges them."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--files", nargs="+", required=True, help="folders or files")
    parser.add_argument("--sample", type=int, default=60, help="how many mutants (60); 0 for all")
    parser.add_argument("--seed", type=int, default=1, help="decides which (1)")
    parser.add_argument("--kinds", nargs="+", help="these kinds alone, as `delete`")
    parser.add_argument("--tests", nargs="+", default=[], help="instead of the files' own")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time (1)")
    told = parser.parse_args()
    node = shutil.which("node") or "node"
    chosen = sample(told, node)
    survivors = survivors_of(chosen, told, node)
    tried = collections.Counter(each.path for each in chosen)
    left = collections.Counter(each.path for each in survivors)
    for path in sorted(tried):
        print(f"{left[path]} of {tried[path]}: {path}")
    print(f"{len(survivors)} of {len(chosen)} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
