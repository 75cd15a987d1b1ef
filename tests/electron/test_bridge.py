"""The bridge's JavaScript: its own tests under Node, its types, its package, its oldest Node."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import sidecar
from tests.electron import javascript_suite
from tests.electron.npm import BRIDGE, REPOSITORY, npm_command, run
from tests.test_house import VAGUE_WORDS

HERE = Path(__file__).resolve().parent

LIB = BRIDGE / "lib"

FOLDERS = (
    BRIDGE,
    LIB,
    *sorted(path for path in LIB.iterdir() if path.is_dir()),
    BRIDGE / "example",
    BRIDGE / "example" / "minimal",
    BRIDGE / "example" / "page",
    HERE,
    HERE / "example",
    HERE / "fixtures",
    HERE / "fixtures" / "bundlers",
    HERE / "fixtures" / "bundlers" / "src",
    HERE / "fixtures" / "bundlers" / "window",
)
"""Where our JavaScript stands."""


GROUND = {"errors", "listeners", "protocol", "time", "logs"}
"""Files at the top of lib/ that every folder may require; the others stand above the folders."""

ARROWS: dict[str, set[str]] = {
    "process": {"electron", "rpc", "sessions"},
    "pages": {"electron"},
    "rpc": set(),
    "sessions": set(),
    "electron": set(),
}
"""Folder of lib/: the other folders whose files it may require."""


def manifest() -> dict[str, object]:
    """Give package.json."""
    found: dict[str, object] = json.loads((BRIDGE / "package.json").read_text(encoding="utf-8"))
    return found


def test_the_javascript_tests_pass(node: Path, tmp_path: Path) -> None:
    environment, left_out = dict(os.environ), {}
    if sys.platform == "win32":
        launcher = tmp_path / "launcher.exe"
        library = Path(sysconfig.get_path("stdlib"))
        launcher.write_bytes(javascript_suite.script_launcher(library))
        environment[javascript_suite.LAUNCHER] = str(launcher)
        left_out = javascript_suite.NOT_ON_WINDOWS
    arguments = javascript_suite.arguments(left_out, javascript_suite.files())
    run([str(node), *arguments], javascript_suite.TIMEOUT_S, env=environment)


def test_the_tests_of_the_example_s_token_endpoint_pass(node: Path, livekit_client: Path) -> None:
    arguments = javascript_suite.arguments([], javascript_suite.files_of_the_example())
    environment = {**os.environ, "NODE_PATH": str(livekit_client)}
    run([str(node), *arguments], javascript_suite.TIMEOUT_S, env=environment)


def required(path: Path) -> Iterator[Path]:
    """Give the bridge's own files that *path* requires when it is loaded."""
    for wanted in re.findall(r"^ *const .*require\('(\.[^']*)'\)", path.read_text("utf-8"), re.M):
        yield (path.parent / wanted).resolve()


def folder_of(path: Path) -> str:
    """Give the folder of a file in lib/; empty for one at its top."""
    return path.relative_to(LIB).parent.as_posix().replace(".", "")


@pytest.mark.parametrize("path", sorted(LIB.rglob("*.cjs")), ids=lambda path: path.stem)
def test_the_imports_of_the_javascript_go_one_way(path: Path) -> None:
    folder = folder_of(path)
    for wanted in required(path):
        if folder == "":
            assert path.stem not in GROUND or wanted.stem in GROUND, f"{path} requires {wanted}"
        elif folder_of(wanted) == "":
            assert wanted.stem in GROUND, f"{path} requires {wanted}"
        else:
            assert folder_of(wanted) in {folder, *ARROWS[folder]}, f"{path} requires {wanted}"


def test_the_folders_of_the_javascript_are_the_ones_with_arrows() -> None:
    assert {path.name for path in LIB.iterdir() if path.is_dir()} == set(ARROWS)


@pytest.mark.parametrize("path", sorted(LIB.rglob("*.cjs")), ids=lambda path: path.stem)
def test_every_file_of_the_javascript_says_what_it_owns(path: Path) -> None:
    if path.stem == "protocol":
        return  # generated
    first = re.match(r"'use strict';\n\n/\*\*\s+(?:\* )?Owns ", path.read_text("utf-8"))
    assert first, f"{path} does not begin with what it owns"
    assert not set(path.stem.split("-")) & VAGUE_WORDS, path


def typescript(workshop: Path, node: Path, project: str) -> None:
    """Compile a project; a failure shows the compiler's words."""
    compiler = workshop / "node_modules" / "typescript" / "lib" / "tsc.js"
    run([str(node), str(compiler), "--project", str(workshop / project)])


def test_the_javascript_has_the_types_that_its_comments_claim(workshop: Path, node: Path) -> None:
    typescript(workshop, node, "electron-bridge/tsconfig.json")
    typescript(workshop, node, "types/tsconfig.page.json")
    typescript(workshop, node, "types/tsconfig.example.json")


def test_the_javascript_is_formatted(workshop: Path, node: Path) -> None:
    prettier = workshop / "node_modules" / "prettier" / "bin" / "prettier.cjs"
    generated = {LIB / "protocol.cjs", BRIDGE / "protocol.d.ts"}
    ours = [
        path
        for folder in FOLDERS
        for path in (*folder.glob("*.cjs"), *folder.glob("*.js"), *folder.glob("*.d.ts"))
        if path not in generated
    ]
    samples = [*(HERE / "types").glob("*.*ts"), *(HERE / "types").glob("*.*js")]
    options = ["--check", "--config", str(BRIDGE / "package.json")]
    run([str(node), str(prettier), *options, *map(str, ours), *map(str, samples)])


def test_an_app_compiles_against_the_public_types_and_wrong_use_does_not(
    workshop: Path, node: Path
) -> None:
    typescript(workshop, node, "types/tsconfig.json")


def test_the_package_holds_exactly_the_files_it_lists_and_all_that_it_requires(
    node: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "bridge"
    shutil.copytree(BRIDGE, copy, ignore=shutil.ignore_patterns("node_modules"))
    answer = json.loads(run([*npm_command(node), "pack", "--dry-run", "--json"], cwd=copy))
    packed = {each["path"] for each in answer[0]["files"]}
    always = {"LICENSE", "README.md", "package.json"}
    listed = {
        path.relative_to(BRIDGE).as_posix()
        for each in manifest()["files"]  # type: ignore[attr-defined]
        for path in ([BRIDGE / each] if (BRIDGE / each).is_file() else (BRIDGE / each).rglob("*"))
        if path.is_file()
    }
    assert packed == {*listed, *always}

    sources = [path for path in packed if path.endswith(".cjs")]
    for source in sources:
        text = (BRIDGE / source).read_text(encoding="utf-8")
        for wanted in re.findall(r"require\('(\.[^']*)'\)", text):
            target = (BRIDGE / source).parent.joinpath(wanted).resolve().relative_to(BRIDGE)
            assert str(target) in packed, f"{source} requires {wanted}, which is not packed"


def test_the_package_is_found_by_its_name_both_ways(workshop: Path, node: Path) -> None:
    names = "{ createSidecar, RpcError, SidecarError }"
    app = workshop / "types"
    use = "new RpcError(1); new SidecarError('BUSY')"
    required = f"const {names} = require('clara-voice-bridge'); {use}"
    run([str(node), "-e", required], cwd=app)
    imported = f"import {names} from 'clara-voice-bridge'"
    run([str(node), "--input-type=module", "-e", imported], cwd=app)


def test_the_versions_of_bridge_and_sidecar_are_the_same() -> None:
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert manifest()["version"] == project["version"] == sidecar.__version__


def test_the_bridge_has_no_runtime_dependency_and_exact_development_ones() -> None:
    found = manifest()
    assert "dependencies" not in found
    development = found["devDependencies"]
    assert isinstance(development, dict)
    for name, version in development.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name}: {version} is not exact"


def test_only_one_file_of_the_main_process_requires_electron_and_only_when_it_is_called() -> None:
    for path in [BRIDGE / "index.cjs", *LIB.rglob("*.cjs")]:
        text = path.read_text(encoding="utf-8")
        if path != LIB / "electron" / "objects.cjs":
            assert "require('electron')" not in text, path
        assert not re.search(r"^\S.*require\('electron'\)", text, re.M), path


def test_every_file_loads_in_the_oldest_node_it_is_meant_for(electron: Path) -> None:
    """Electron 9.4.1 has Node 12.14.1: a newer syntax or module is an error there."""
    files = [BRIDGE / "index.cjs", *sorted(LIB.rglob("*.cjs"))]
    program = "process.argv.slice(1).forEach((file) => require(file))"
    environment = {**os.environ, "ELECTRON_RUN_AS_NODE": "1"}
    run([str(electron), "-e", program, *map(str, files)], env=environment)
