"""Every sample of the documents is run, compiled or parsed; every link leads to a file.

PAGE_CHECKS is the table: each fenced block by its page and how it begins, and how it is checked. A
new block without a row fails. There is no PowerShell to run here: its blocks are read by shape.
"""

from __future__ import annotations

import ast
import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import jsonschema
import pytest

from sidecar.rpc.openrpc import document
from tests.electron.conftest import livekit_client, workshop  # noqa: F401 - fixtures
from tests.electron.npm import BRIDGE, npm_command, run
from tests.shell_samples import posix_problems, powershell_problems

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "tests" / "electron" / "fixtures"
PAGES = [
    each
    for each in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        BRIDGE / "README.md",
        ROOT / "tests" / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
    if each.is_file()
]
RUN_S = 60.0
"""For a sample's app to say how voice is doing: 2 s, and more when all is busy."""


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: str
    line: int
    language: str
    text: str

    @property
    def key(self) -> str:
        """Its language and its words."""
        return f"{self.language}: {' '.join(self.text.split())}"

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    """Every fenced block of PAGES."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", text, re.M | re.S):
            line = text.count("\n", 0, match.start()) + 1
            name = page.relative_to(ROOT).as_posix()
            found.append(Block(name, line, match[2], match[3]))
    return found


Check = Callable[[Block, pytest.FixtureRequest], None]


def python(block: Block, request: pytest.FixtureRequest) -> None:
    """Parses; tests/test_contributing.py does these changes."""
    assert ast.parse(textwrap.dedent(block.text)).body


def plug_in(block: Block, request: pytest.FixtureRequest) -> None:
    """A program of a voice plug-in: starts, and says its version."""
    program = request.getfixturevalue("tmp_path") / "my_voice.py"
    program.write_text(block.text, encoding="utf-8")
    done = subprocess.run([sys.executable, program, "--version"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"clara-voice-sidecar ")


def output(block: Block, request: pytest.FixtureRequest) -> None:
    """A picture, or what a program prints."""
    assert block.language == "text", f"{block}: declare it as ```text"


def posix(block: Block, request: pytest.FixtureRequest) -> None:
    """Parsed by `bash -n`; programs, modules, options and files exist."""
    assert block.language == "sh"
    assert posix_problems(block.text) == []


def powershell(block: Block, request: pytest.FixtureRequest) -> None:
    """Read by shape; programs, modules, options and files exist."""
    assert block.language == "powershell"
    assert powershell_problems(block.text) == []


def json_rpc(block: Block, request: pytest.FixtureRequest) -> None:
    """Each line is an answer, or a request or a notification of the OpenRPC document."""
    contract = document()
    methods = {each["name"]: each for each in contract["methods"]}  # type: ignore[attr-defined]
    told = contract["x-notifications"]
    notifications = {each["name"]: each["params"] for each in told}  # type: ignore[attr-defined]
    for line in block.text.splitlines():
        message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        if "method" not in message:
            assert "result" in message or "error" in message
            continue
        if message["method"] in notifications:
            shape = {**notifications[message["method"]], "components": contract["components"]}
            jsonschema.validate(message["params"], shape)
            continue
        row = methods[message["method"]]
        schemas = {each["name"]: each["schema"] for each in row["params"]}
        for name, value in message.get("params", {}).items():
            shape = {**schemas[name], "components": contract["components"]}
            jsonschema.validate(value, shape)


def json_settings(block: Block, request: pytest.FixtureRequest) -> None:
    """A part of a tool's configuration: an object."""
    assert isinstance(json.loads(block.text), dict)


def xml(block: Block, request: pytest.FixtureRequest) -> None:
    """A property list, or entries of one."""
    if block.text.startswith("<?xml"):
        assert plistlib.loads(block.text.encode())
        return
    keys = [each.tag for each in ET.fromstring(f"<dict>{block.text}</dict>")]  # noqa: S314 - ours
    assert keys[::2] == ["key"] * (len(keys) // 2)


def commonjs(block: Block, request: pytest.FixtureRequest) -> None:
    """Parses as CommonJS."""
    parsed(block, request, "cjs")


def module(block: Block, request: pytest.FixtureRequest) -> None:
    """Parses as a module."""
    parsed(block, request, "mjs")


def typed_commonjs(block: Block, request: pytest.FixtureRequest) -> None:
    """Parses as CommonJS, and compiles strict."""
    parsed(block, request, "cjs")
    compiled(block, request, "cjs")


def typed_module(block: Block, request: pytest.FixtureRequest) -> None:
    """Parses as a module, and compiles strict."""
    parsed(block, request, "mjs")
    compiled(block, request, "mjs")


def typescript(block: Block, request: pytest.FixtureRequest) -> None:
    """Compiles strict."""
    compiled(block, request, "mts")


def page(block: Block, request: pytest.FixtureRequest) -> None:
    """A page's script: parses as a module, and compiles strict with `window.clara`'s types."""
    parsed(block, request, "mjs")
    compiled(block, request, "mts", '/// <reference types="clara-voice-bridge/preload" />\n')


def app_commonjs(block: Block, request: pytest.FixtureRequest) -> None:
    """A main process: parses, compiles strict, and runs on a scripted Electron with the sidecar."""
    typed_commonjs(block, request)
    runs(block, request, "cjs")


def app_module(block: Block, request: pytest.FixtureRequest) -> None:
    """The same as a module."""
    typed_module(block, request)
    runs(block, request, "mjs")


PROPERTY_LIST = (
    'xml: <?xml version="1.0" encoding="UTF-8"?> <!DOCTYPE plist PUBLIC'
    ' "-//Apple//DTD PLIST 1.0//EN"'
    ' "http://www.apple.com/DTDs/PropertyList-1.0.dtd"> <plist version="1.0"> <dict>'
)
"""How each property list of macOS begins."""

PAGE_CHECKS: dict[str, dict[str, Check]] = {
    "README.md": {
        "text: a person's page": output,
        "sh: python -m pip install uv && python -m uv run python -m sidecar demo": posix,
        "sh: python3 -m pip install --target .uv uv && .uv/bin/uv run python": posix,
        "powershell: py -m pip install uv": powershell,
        "text: 0.005 s  app -> sidecar  initialize": output,
        "sh: cd clara-voice-sidecar": posix,
        "powershell: cd clara-voice-sidecar": powershell,
        "js: // main.cjs": app_commonjs,
        "js: // main.mjs": app_module,
        "sh: python -m uv run python -m sidecar dev-server": posix,
        "powershell: py -m uv run python -m sidecar dev-server": powershell,
        "text: Room dev at ws://": output,
        "sh: python -m uv run python -m sidecar token": posix,
        "sh: python -m uv run --group voice python -m sidecar demo --voice": posix,
        "powershell: py -m uv run --group voice python -m sidecar demo --voice": powershell,
        "text: 2.406 s  anna says": output,
        "python: # my_voice.py": plug_in,
        "sh: SIDECAR_ENTRY=docs/examples/assistant/assistant.py": posix,
        "powershell: $env:SIDECAR_ENTRY": powershell,
        "sh: python -m uv run pyinstaller build.spec": posix,
        "powershell: py -m uv run pyinstaller build.spec": powershell,
        "js: const { app } = require('electron');": app_commonjs,
        "sh: python -m uv run python -m sidecar --wait": posix,
        'json: {"jsonrpc":"2.0","id":1,"method":"getStatus"}': json_rpc,
        "sh: python -m pip install uv && python -m uv run pytest": posix,
        "sh: python3 -m pip install --target .uv uv && .uv/bin/uv run pytest": posix,
        "powershell: py -m pip install uv py -m uv run pytest": powershell,
    },
    "electron-bridge/README.md": {
        "powershell: $env:LIVEKIT_URL": powershell,
        "sh: npm install clara-voice-bridge": posix,
        "sh: cd clara-voice-sidecar": posix,
        "js: // main.cjs": app_commonjs,
        "js: // main.mjs": app_module,
        "sh: cd electron-bridge/example": posix,
        "js: // main.cjs, with a window": typed_commonjs,
        "js: // page.js": page,
        "xml: <key>NSMicrophoneUsageDescription</key>": xml,
        "json: {": json_settings,
        "js: // forge.config.js": commonjs,
        "js: // forge.config.js, with the Vite plug-in": commonjs,
        "js: const { app } = require('electron');": app_commonjs,
        "js: // another room": typed_commonjs,
        "sh: LIVEKIT_URL=": posix,
        "js: // esbuild.config.mjs": module,
        "js: // vite.main.config.mjs": module,
        "js: // webpack.main.config.js": commonjs,
        "js: // preload.js": module,
        "tsx: import { useEffect, useState }": typescript,
        "ts: /// <reference types": typescript,
    },
    "CONTRIBUTING.md": {
        "sh: python -m pip install uv && python -m uv sync": posix,
        "sh: python -m uv run ruff format": posix,
        "python: @dataclass(frozen=True, slots=True)": python,
        'python: Method("countSessions"': python,
        "python: def session_count": python,
        "python: language: str | None": python,
        "python: MIGRATED =": python,
    },
    "docs/design.md": {
        "text: SDK callback": output,
        "text: stdout": output,
    },
    "docs/packaging.md": {
        "sh: npm install --no-save --force": posix,
        "js: // pack.cjs": commonjs,
        "js: // sign.cjs": commonjs,
        "js: // forge.config.js, or in electron-builder": commonjs,
        "sh: python -m uv run pyinstaller build.spec     #": posix,
        "sh: python -m uv run pyinstaller build.spec --distpath": posix,
        "json: {": json_settings,
        "js: // forge.config.js": commonjs,
        f"{PROPERTY_LIST} <!-- V8": xml,
        f"{PROPERTY_LIST} <!-- Python's": xml,
        "js: await sidecar.stop();": module,
    },
    "docs/protocol.md": {"json: ": json_rpc},
    "docs/releasing.md": {
        "sh: python -m uv run python -m sidecar.dev.release version": posix,
        "sh: python -m uv run pyinstaller build.spec": posix,
    },
}
"""Page, and how a block begins (its language, a colon, its words): how that block is checked.

The longest beginning that fits counts."""


def check_of(block: Block) -> tuple[str, Check] | None:
    """The row of a block: the longest beginning that fits."""
    rows = PAGE_CHECKS.get(block.page, {})
    fits = [each for each in rows if block.key.startswith(" ".join(each.split()))]
    return (best, rows[best]) if fits and (best := max(fits, key=len)) else None


def parsed(block: Block, request: pytest.FixtureRequest, suffix: str) -> None:
    """Let Node parse a block."""
    node, folder = request.getfixturevalue("node"), request.getfixturevalue("tmp_path")
    path = folder / f"sample.{suffix}"
    path.write_text(block.text, encoding="utf-8")
    run([str(node), "--check", str(path)])


def compiled(block: Block, request: pytest.FixtureRequest, suffix: str, before: str = "") -> None:
    """Let TypeScript compile a block, strict, against the bridge's and Electron's types."""
    node, shop = request.getfixturevalue("node"), request.getfixturevalue("workshop")
    folder = shop / "samples"
    folder.mkdir(exist_ok=True)
    name = f"sample-{abs(hash(block))}"
    (folder / f"{name}.{suffix}").write_text(before + block.text, encoding="utf-8")
    settings = {
        "extends": "../types/tsconfig.json",
        "compilerOptions": {"moduleDetection": "force", "skipLibCheck": True, "jsx": "react-jsx"},
        "files": [f"{name}.{suffix}"],
    }
    project = folder / f"{name}.json"
    project.write_text(json.dumps(settings), encoding="utf-8")
    compiler = shop / "node_modules" / "typescript" / "lib" / "tsc.js"
    run([str(node), str(compiler), "--project", str(project)])


SAID = re.compile(r"waiting-for-token|backoff|failed|Critical: ")
"""What an app says once its sidecar has tried to join a room that is not there."""


def runs(block: Block, request: pytest.FixtureRequest, suffix: str) -> None:
    """Run a main process: it starts the sidecar, says how voice is doing, and quits with 0.

    Its addresses are replaced by one on loopback where nobody listens.
    """
    node, folder = request.getfixturevalue("node"), request.getfixturevalue("tmp_path")
    packages = folder / "node_modules"
    (packages / "electron").mkdir(parents=True)
    electron = FIXTURES / "sample-electron.cjs"
    names = re.findall(r"^exports\.(\w+) =", electron.read_text(encoding="utf-8"), re.M)
    stub = [f"const all = require({json.dumps(str(electron))});"]
    stub += [f"exports.{name} = all.{name};" for name in names]
    (packages / "electron" / "index.js").write_text("\n".join(stub), encoding="utf-8")
    (packages / "clara-voice-bridge").symlink_to(BRIDGE, target_is_directory=True)
    program = folder / f"main.{suffix}"
    text = re.sub(r"wss://[\w.-]+", "ws://127.0.0.1:1", block.text)
    program.write_text(re.sub(r"https://[\w.-]+", "http://127.0.0.1:1", text), encoding="utf-8")
    environment = {
        **os.environ,
        "SIDECAR_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "LIVEKIT_URL": "ws://127.0.0.1:1",
        "LIVEKIT_ROOM": "support",
        "LIVEKIT_API_KEY": "devkey",
        "LIVEKIT_API_SECRET": "a-secret-of-at-least-32-characters",
    }
    said = []
    with subprocess.Popen(
        [str(node), str(program)],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        limit = threading.Timer(RUN_S, process.kill)
        limit.start()
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if SAID.search(line) and not process.stdin.closed:
                process.stdin.close()  # the scripted Electron's app quits
        limit.cancel()
    assert any(SAID.search(line) for line in said), "".join(said)
    assert process.returncode == 0, "".join(said)


@pytest.mark.parametrize("block", blocks(), ids=str)
def test_a_sample_is_what_the_table_says(block: Block, request: pytest.FixtureRequest) -> None:
    row = check_of(block)
    assert row is not None, f"{block} is in no row: add {block.key[:60]!r} to PAGE_CHECKS"
    row[1](block, request)


def test_each_row_of_the_table_has_one_block() -> None:
    rows = [(page, beginning) for page, rows in PAGE_CHECKS.items() for beginning in rows]
    used = [(block.page, row[0]) for block in blocks() if (row := check_of(block))]
    assert sorted(used) == sorted(rows)


LINK = re.compile(r"(?<!`)\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")


def links(path: Path) -> list[str]:
    """The relative links of a page, its samples apart."""
    text = re.sub(r"^( *)```.*?^\1```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [each for each in LINK.findall(text) if not re.match(r"[a-z]+:", each)]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_to_a_file_and_to_a_heading_of_it(path: Path) -> None:
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{path}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{path}: {link}"


def test_the_links_of_the_bridge_s_readme_are_to_files_of_the_npm_package(node: Path) -> None:
    copy = Path.cwd() / "bridge"
    shutil.copytree(BRIDGE, copy, ignore=shutil.ignore_patterns("node_modules"))
    answer = json.loads(run([*npm_command(node), "pack", "--dry-run", "--json"], cwd=copy))
    packed = {each["path"] for each in answer[0]["files"]}
    folders = {parent.as_posix() for each in packed for parent in Path(each).parents}
    for link in links(BRIDGE / "README.md"):
        name = link.partition("#")[0].removesuffix("/")
        assert not name or name in packed | folders, f"npm does not show {link}"


def test_the_links_of_the_readme_are_to_files_of_the_source_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["uv"]["build-backend"]["source-include"]
    always = ["pyproject.toml", "README.md", "LICENSE", "sidecar/*"]
    for link in links(ROOT / "README.md"):
        name = link.partition("#")[0].removesuffix("/")
        held = any(fnmatch(name, each.replace("**", "*")) for each in [*always, *patterns])
        assert not name or held, f"PyPI's source distribution lacks {link}"
