"""What electron-builder and @electron/packager (Electron Forge's) make of docs/packaging.md.

On demand: npm brings them, some 170 MB of other people's packages. Their Electron is the tests'.
"""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from sidecar import __version__
from sidecar.dev.release.npm import Target, target_of
from sidecar.dev.release.npm import manifest as package_json
from sidecar.dev.server import DevServer
from tests import parts
from tests.electron.driven_app import FOLDER, DrivenApp
from tests.electron.electron_app import all_gone, sidecar_of
from tests.electron.npm import BRIDGE, REPOSITORY, npm_command, run
from tests.electron.test_npm_packages import elf

pytestmark = pytest.mark.full

TOOLS = {"electron-builder": "26.17.0", "@electron/packager": "18.4.4"}
INSTALL_TIMEOUT_S = 900.0
HERE, OTHER = Target("linux", "x64"), Target("linux", "arm64")
LINK = "a-link-as-macos-has-them"
"""PyInstaller makes links within its folder on macOS; here one is added."""


@pytest.fixture(scope="module")
def project(
    node: Path,
    electron: Path,
    bridge_package: Path,
    frozen_command: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """An app's project with the two tools installed, the sidecar built, and Electron at hand."""
    root = tmp_path_factory.mktemp("project") / "app"
    shutil.copytree(FOLDER, root)
    manifest = json.loads((root / "package.json").read_text(encoding="utf-8"))
    manifest["devDependencies"] = TOOLS
    manifest["dependencies"] = {"clara-voice-bridge": __version__}
    (root / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    shutil.copy(BRIDGE / ".npmrc", root)
    npm = [*npm_command(node), "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    tools = [f"{name}@{version}" for name, version in TOOLS.items()]
    try:
        run(
            [*npm, "install", "--no-save", *tools, str(bridge_package)], INSTALL_TIMEOUT_S, cwd=root
        )
    except AssertionError as error:
        parts.require("packaging tools", f"npm install failed: {error}")
    parts.require("packaging tools", None)
    bridge = root / "node_modules" / "clara-voice-bridge"
    bridge.unlink()  # npm links a folder, and installs a package
    shutil.copytree(bridge_package, bridge)
    package = root / "node_modules" / HERE.package
    built = package / "sidecar"
    shutil.copytree(Path(frozen_command[0]).parent, built, symlinks=True)
    (package / "package.json").write_text(json.dumps(package_json(HERE)), encoding="utf-8")
    (built / "_internal" / LINK).symlink_to("base_library.zip")
    # Of the other processor only what the hook reads: as after README's `npm install --force`.
    folder = root / "node_modules" / OTHER.package
    (folder / "sidecar" / "_internal").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(package_json(OTHER)), encoding="utf-8")
    program = folder / "sidecar" / "sidecar"
    program.write_bytes(elf(183))
    program.chmod(0o755)
    shutil.copytree(electron.parent, root / "electron-dist")
    return root


def recipe(language: str) -> str:
    """Give the one block of docs/packaging.md in that language."""
    text = (REPOSITORY / "docs" / "packaging.md").read_text(encoding="utf-8")
    return text.split(f"```{language}\n")[1].split("```")[0]


def by_electron_builder(project: Path, node: Path, target: Target = HERE) -> Path:
    """Package the app by the recipe, and give its program."""
    here = {
        "appId": "clara.driven",
        "electronVersion": (project / "electron-dist" / "version").read_text().lstrip("v"),
        "electronDist": "electron-dist",
        "npmRebuild": False,
        "linux": {"executableName": "clara-driven"},
    }
    configuration = {**json.loads(recipe("json")), **here}
    (project / "electron-builder.json").write_text(json.dumps(configuration), encoding="utf-8")
    builder = project / "node_modules" / "electron-builder" / "cli.js"
    run([str(node), str(builder), "--linux", "dir", f"--{target.processor}"], cwd=project)
    folder = "linux-unpacked" if target == HERE else f"linux-{target.processor}-unpacked"
    return project / "dist" / folder / "clara-driven"


def by_packager(project: Path, node: Path, target: Target = HERE) -> Path:
    """Package the app as Forge does, by its packager and the hook, and give its program."""
    dist = project / "electron-dist"
    version = (dist / "version").read_text().lstrip("v")
    name = f"electron-v{version}-linux-{target.processor}.zip"
    with zipfile.ZipFile(project / name, "w") as archive:
        for path in dist.rglob("*"):
            archive.write(path, path.relative_to(dist))
    script = f"""
      const {{ packager }} = require('@electron/packager');
      const {{ packageAfterCopy, postPackage }} = require('clara-voice-bridge/after-pack.cjs');
      const target = {{ platform: 'linux', arch: '{target.processor}' }};
      const bring = (folder, version, platform, arch, done) =>
        packageAfterCopy({{}}, folder, version, platform, arch).then(() => done(), done);
      packager({{
        ...target, dir: '.', out: 'out', name: 'clara-driven', electronVersion: '{version}',
        electronZipDir: '.', asar: true, afterCopy: [bring],
        ignore: [/^.(dist|electron-)/], prune: false,
      }}).then((outputPaths) => postPackage({{}}, {{ outputPaths, ...target }}))
        .catch((error) => {{ console.error(error); process.exit(1); }});
    """
    run([str(node), "-e", script], cwd=project)
    return project / "out" / f"clara-driven-linux-{target.processor}" / "clara-driven"


@pytest.mark.parametrize("package", [by_electron_builder, by_packager])
async def test_the_recipe_makes_an_app_that_runs_its_sidecar(
    package, project, node, display, server: DevServer, tmp_path
):
    program = package(project, node)
    resources = program.parent / "resources"
    assert (resources / "app.asar").is_file()
    assert not (resources / "app.asar.unpacked").exists()
    shipped = resources / "sidecar"
    built = project / "node_modules" / HERE.package / "sidecar"
    names = sorted(str(path.relative_to(built)) for path in built.rglob("*"))
    assert sorted(str(path.relative_to(shipped)) for path in shipped.rglob("*")) == names
    assert os.readlink(shipped / "_internal" / LINK) == "base_library.zip"
    files = [name for name in names if (built / name).is_file()]
    same, different, failed = filecmp.cmpfiles(built, shipped, files, shallow=False)
    assert (different, failed) == ([], [])
    for name in same:
        assert os.access(built / name, os.X_OK) == os.access(shipped / name, os.X_OK), name

    secrets = {"apiKey": server.api_key, "apiSecret": server.api_secret}
    options = {"connect": {"url": server.url, "room": tmp_path.name, **secrets}}
    async with DrivenApp(program, [], {"DISPLAY": display}, tmp_path, options) as app:
        await app.event("agent-state-changed", lambda event: event["state"] == "connected")
        processes = app.processes()
        assert sidecar_of(processes).command.split()[0] == str(shipped / "sidecar")
        await app.take("quit")
        await all_gone(processes)
        assert await app.process.wait() == 0


@pytest.mark.parametrize("package", [by_electron_builder, by_packager])
def test_an_app_for_another_processor_gets_that_processor_s_sidecar(package, project, node):
    program = package(project, node, OTHER)
    shipped = program.parent / "resources" / "sidecar"
    assert target_of(shipped / "sidecar") == OTHER
    assert target_of(project / "node_modules" / HERE.package / "sidecar" / "sidecar") == HERE
