"""The house: which way imports go, who may print, and how things are named."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import sidecar
from tests.repository import ROOT, repository_files

PACKAGE = ROOT / "sidecar"
VERSION_FILE = ""
"""`from sidecar import __version__`: the package itself."""

ALLOWED_IMPORTS: dict[str, set[str]] = {
    "__init__": {"cli", "voice"},
    "__main__": {"cli"},
    "cli": {
        VERSION_FILE,
        "app",
        "core",
        "env_files",
        "logs",
        "redaction",
        "rpc",
        "self_test",
        "voice",
    },
    "app": {
        VERSION_FILE,
        "agent",
        "core",
        "ending",
        "logs",
        "memory",
        "redaction",
        "rpc",
        "rtc",
        "tasks",
        "voice",
        "watchdog",
    },
    "self_test": {VERSION_FILE, "rpc", "rtc"},
    "ending": {"tasks"},
    "env_files": set(),
    "logs": {"redaction"},
    "memory": set(),
    "redaction": set(),
    "tasks": set(),
    "watchdog": {"tasks"},
    "agent": {"agent", "core", "tasks"},
    "rpc": {VERSION_FILE, "core", "rpc", "tasks"},
    "rtc": {"core", "rtc", "tasks"},
    "voice": {"core", "tasks", "voice"},
    "core": {"core"},
    "dev": {VERSION_FILE, "core", "dev", "env_files", "logs", "rpc", "rtc"},
}
"""Folder or top file: what it may import of the sidecar."""

THIRD_PARTY: dict[str, str] = {
    "livekit": "rtc/",
    "aiohttp": "rtc/",
    "certifi": "rtc/trust.py",
    "dotenv": "env_files.py",
    "google": "rtc/",
    "jsonrpcserver": "rpc/dispatching.py",
    "orjson": "rpc/jsonrpc.py",
    "truststore": "rtc/trust.py",
}
"""Package: the one part that may import it, `dev/` apart, which is never frozen in."""

CORE_MAY_IMPORT = {
    "__future__",
    "base64",
    "binascii",
    "collections",
    "collections.abc",
    "contextlib",
    "dataclasses",
    "datetime",
    "enum",
    "errno",
    "functools",
    "heapq",
    "json",
    "math",
    "operator",
    "re",
    "types",
    "typing",
    "urllib.parse",
}
"""Nothing with I/O, a clock, randomness or threads in it."""

IMPURE_CALLS = {"open", "print", "input", "now", "utcnow", "today", "fromtimestamp", "exec", "eval"}
PRINTERS = {"self_test.py"}
"""Who writes to standard output, `dev/` apart: the wire has fd 1 claimed."""

STARTERS = {"create_task", "ensure_future", "Thread", "run_coroutine_threadsafe", "TaskGroup"}
MAY_START = {"tasks.py", "logs.py"}
"""Who starts tasks and threads, `dev/` apart. All lines go through a thread of logs.py: `threading`
itself writes what that raises to stderr."""

VAGUE_WORDS = {"manager", "helper", "helpers", "util", "utils", "common", "data", "info", "impl"}


def sources() -> list[Path]:
    """The Python files of the sidecar."""
    return sorted(PACKAGE.rglob("*.py"))


def named(path: Path) -> str:
    """Where *path* is in the sidecar."""
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of *path*."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module that *path* imports, anywhere in it, by its full name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            if node.module in ("sidecar", "sidecar.dev"):
                yield from (f"{node.module}.{each.name}" for each in node.names)
            else:
                yield node.module


def part_of(path: Path) -> str:
    """The folder of *path*, or its own name at the top."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def own_parts(path: Path) -> set[str]:
    """The parts of the sidecar that *path* imports."""
    found = set()
    for module in imports(path):
        if module == "sidecar" or module.startswith("sidecar."):
            part = (module.split(".") + [VERSION_FILE])[1]
            found.add(VERSION_FILE if part in ("__version__", VERSION_FILE) else part)
    return found


@pytest.mark.parametrize("path", sources(), ids=named)
def test_imports_go_one_way(path: Path):
    assert own_parts(path) <= ALLOWED_IMPORTS[part_of(path)]


def test_every_part_is_in_the_table_and_the_table_has_no_other():
    parts = {part_of(path) for path in sources()}
    assert parts == set(ALLOWED_IMPORTS)


def test_no_part_is_imported_back_by_what_it_imports():
    graph = {part: allowed - {part, VERSION_FILE} for part, allowed in ALLOWED_IMPORTS.items()}
    while graph:
        leaves = {part for part, allowed in graph.items() if not allowed & set(graph)}
        assert leaves, f"a circle among {sorted(graph)}"
        for leaf in leaves:
            del graph[leaf]


def test_the_adapters_do_not_know_each_other_nor_the_agent():
    for adapter in ("rpc", "rtc"):
        assert not ALLOWED_IMPORTS[adapter] & ({"rpc", "rtc", "agent", "app"} - {adapter})


@pytest.mark.parametrize("path", [path for path in sources() if part_of(path) == "core"], ids=named)
def test_the_core_is_pure(path: Path):
    others = {each for each in imports(path) if not each.startswith("sidecar")}
    assert others <= CORE_MAY_IMPORT
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert name not in IMPURE_CALLS, f"line {node.lineno}: {name}()"
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await) or path.name == "ports.py"


@pytest.mark.parametrize("path", [path for path in sources() if part_of(path) != "dev"], ids=named)
def test_each_package_of_others_has_one_importer(path: Path):
    for module in imports(path):
        package = module.partition(".")[0]
        if package == "sidecar" or package in sys.stdlib_module_names:
            continue
        assert package in THIRD_PARTY, f"{package} is new here"
        assert named(path).startswith(THIRD_PARTY[package])


def test_the_developers_tools_are_imported_by_the_command_line_alone_and_by_name():
    for path in sources():
        if part_of(path) == "dev":
            continue
        assert "dev" not in own_parts(path)
        text = path.read_text(encoding="utf-8")
        if named(path) != "cli.py":
            assert "sidecar.dev" not in text, named(path)
            assert "import_module" not in text, named(path)
            assert "__import__" not in text, named(path)


def test_the_test_double_is_known_to_the_demo_alone_and_aiortc_to_the_double_alone():
    for path in sources():
        is_of_it = named(path).startswith("dev/embedded") or named(path) == "dev/own_server.py"
        assert is_of_it or "embedded" not in " ".join(imports(path)), named(path)
        assert is_of_it or not {"aiortc", "aioice", "aiortc.sdp"} & set(imports(path)), named(path)


@pytest.mark.parametrize("path", [path for path in sources() if part_of(path) != "dev"], ids=named)
def test_every_task_and_thread_is_started_by_their_owner(path: Path):
    if named(path) in MAY_START:
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            assert name not in STARTERS, f"line {node.lineno}: {name}(), not tasks.start"


@pytest.mark.parametrize("path", sources(), ids=named)
def test_every_file_begins_with_what_it_owns(path: Path):
    docstring = ast.get_docstring(tree(path))
    assert docstring
    assert docstring.partition("\n")[0].endswith((".", "`", ":", ","))


@pytest.mark.parametrize("path", [path for path in sources() if part_of(path) != "dev"], ids=named)
def test_nobody_prints_but_the_owners_of_standard_output(path: Path):
    if named(path) in PRINTERS:
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            assert getattr(node.func, "id", "") != "print", f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr == "write":
            owner = ast.unparse(node.value)
            assert owner not in ("sys.stdout", "sys.__stdout__"), f"line {node.lineno}"


def test_the_version_is_one_in_all_places():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bridge = json.loads((ROOT / "electron-bridge" / "package.json").read_text(encoding="utf-8"))
    assert project["version"] == bridge["version"] == sidecar.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", sidecar.__version__)


# Names


def words(name: str) -> set[str]:
    """The words of a name, however it joins them."""
    return {each.lower() for each in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_file_has_a_vague_name():
    for path in repository_files():
        relative = path.relative_to(ROOT)
        for part in relative.parts:
            assert not words(part.partition(".")[0]) & VAGUE_WORDS, str(relative)
            assert not re.search(r"_\d+\.py$", part), str(relative)


def test_no_class_has_a_vague_name():
    for path in repository_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix in (".py", ".cjs", ".ts"):
            for name in re.findall(r"^\s*(?:export )?(?:class|interface) (\w+)", text, re.M):
                assert not words(name) & VAGUE_WORDS, f"{path}: {name}"
