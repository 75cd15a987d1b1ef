"""The bridge in an app whose files are bundled by esbuild, Vite and webpack, all from npm.

A main process with the bridge left out of the bundle runs. With the bridge inside it would lose
preload.cjs without a word, so that it has to fail at once and to name the cure.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.electron.electron_app import ElectronApp
from tests.electron.npm import BRIDGE, TOOL_TIMEOUT_S, installed, run

BUNDLERS = Path(__file__).resolve().parent / "fixtures" / "bundlers"
TOOLS = ["esbuild", "vite", "webpack"]
MAINS = [
    pytest.param(tool, form, marks=[] if (tool, form) == ("esbuild", "cjs") else pytest.mark.full)
    for tool in TOOLS
    for form in ("cjs", "esm")
]
PRELOADS = ["esbuild", *(pytest.param(tool, marks=pytest.mark.full) for tool in TOOLS[1:])]
NAME = "clara-voice-bridge"


@pytest.fixture(scope="module")
def project(node: Path, bridge_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app's folder with the bundlers and the bridge in its node_modules."""
    folder = tmp_path_factory.mktemp("bundled") / "app"
    shutil.copytree(BUNDLERS, folder)
    packages = installed(node, BUNDLERS / "package.json") / "node_modules"
    (folder / "node_modules").mkdir()
    for package in packages.iterdir():
        (folder / "node_modules" / package.name).symlink_to(package)
    shutil.copytree(bridge_package, folder / "node_modules" / NAME)
    return folder


def bundled(
    project: Path, node: Path, tool: str, form: str, source: str, folder: str, *external: str
) -> Path:
    """Bundle one file of the app, and give the bundle."""
    arguments = [tool, form, f"src/{source}", folder, source, *external]
    run([str(node), "bundle.cjs", *arguments], cwd=project)
    return project / folder / source


def said(node: Path, program: Path) -> str:
    """Run a bundle, and give all that it says."""
    done = subprocess.run(
        [str(node), str(program)],
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(("tool", "form"), MAINS)
def test_a_bundled_main_process_runs_with_the_bridge_left_out(
    project: Path, node: Path, tool: str, form: str
) -> None:
    source = "main.mjs" if form == "esm" else "main.cjs"
    program = bundled(project, node, tool, form, source, f"dist/{tool}-{form}/out", NAME)
    assert said(node, program) == "made\n"


@pytest.mark.parametrize(("tool", "form"), MAINS)
def test_the_bridge_inside_a_bundle_fails_at_once_and_names_the_cure(
    project: Path, node: Path, tool: str, form: str
) -> None:
    source = "main.mjs" if form == "esm" else "main.cjs"
    program = bundled(project, node, tool, form, source, f"dist/{tool}-{form}/in")
    words = said(node, program)
    assert "made" not in words
    assert "clara-voice-bridge out of the bundle" in words
    assert "`external`" in words


@pytest.mark.full
def test_a_preload_of_the_apps_own_where_a_bundle_looks_for_ours_is_not_taken_for_it(
    project: Path, node: Path
) -> None:
    """lib/electron/ is two folders deep, and so is dist/main/."""
    program = bundled(project, node, "esbuild", "cjs", "main.cjs", "dist/main")
    own = project / "preload.cjs"
    own.write_text("// the app's own\n", encoding="utf-8")
    try:
        words = said(node, program)
    finally:
        own.unlink()
    assert "clara-voice-bridge out of the bundle" in words


@pytest.mark.parametrize("tool", PRELOADS)
async def test_a_sandboxed_preload_of_the_apps_own_has_ours_bundled_into_it(
    project: Path, node: Path, electron: Path, display: str, tmp_path: Path, tool: str
) -> None:
    preload = bundled(project, node, tool, "cjs", "own-preload.cjs", f"dist/{tool}-preload")
    environment = {"DISPLAY": display, "PRELOAD": str(preload)}
    async with ElectronApp(electron, [str(project / "window")], environment, tmp_path) as app:
        found = await app.line(lambda line: line.startswith(("Page:", "Preload:")), "the page")
        assert found == "Page: object,hello"


@pytest.mark.full
async def test_a_preload_outside_the_sandbox_requires_ours_by_its_name(
    project: Path, electron: Path, display: str, tmp_path: Path
) -> None:
    preload = str(project / "src" / "own-preload.cjs")
    environment = {"DISPLAY": display, "PRELOAD": preload, "SANDBOX": "no"}
    async with ElectronApp(electron, [str(project / "window")], environment, tmp_path) as app:
        found = await app.line(lambda line: line.startswith(("Page:", "Preload:")), "the page")
        assert found == "Page: object,hello"


def test_the_hook_of_the_readme_renders_each_change_and_ends_with_its_component(
    project: Path, node: Path
) -> None:
    """Bundled by esbuild, with React itself, over the bridge's preload on a scripted Electron."""
    readme = (BRIDGE / "README.md").read_text(encoding="utf-8")
    hooks = re.findall(r"^```tsx\n(.*?)^```$", readme, re.M | re.S)
    assert len(hooks) == 1
    (project / "src" / "use-sessions.tsx").write_text(hooks[0], encoding="utf-8")
    program = bundled(project, node, "esbuild", "cjs", "hook.cjs", "dist/hook")
    served = BUNDLERS.parent / "served.cjs"
    said_by_it = run([str(node), str(program), str(served)])
    shown = ["shown: ", "shown: ada", "shown: ada ben", "shown: ben", "sent after the end: 0"]
    assert said_by_it.splitlines() == shown
