"""The npm packages: what brings the sidecar is all that an app's developer needs.

Packed from the frozen build of the tests, and installed by file into an empty app.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar import __version__
from sidecar.dev.person_process import PersonProcess
from sidecar.dev.release.finishing import NOTICES, SBOM
from sidecar.dev.release.npm import (
    PACKAGES,
    NotPacked,
    Target,
    manifest,
    packed_bridge,
    packed_sidecar,
    target_of,
)
from sidecar.dev.server import DevServer
from tests.electron.electron_app import ElectronApp, all_gone, sidecar_of
from tests.electron.npm import BRIDGE, REPOSITORY, npm_command, run
from tests.electron.packaged_app import PROGRAM, link_or_copy

HERE = "clara-voice-sidecar-linux-x64"


def elf(machine: int) -> bytes:
    return b"\x7fELF" + bytes(14) + struct.pack("<H", machine)


def mach_o(cpu: int) -> bytes:
    return struct.pack("<II", 0xFEEDFACF, cpu)


def pe(machine: int) -> bytes:
    return b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", machine)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        (elf(62), Target("linux", "x64")),
        (elf(183), Target("linux", "arm64")),
        (mach_o(0x01000007), Target("darwin", "x64")),
        (mach_o(0x0100000C), Target("darwin", "arm64")),
        (pe(0x8664), Target("win32", "x64")),
        (pe(0xAA64), Target("win32", "arm64")),
    ],
)
def test_a_package_is_for_the_system_and_processor_that_the_program_s_header_names(
    header, target, tmp_path
):
    program = tmp_path / "sidecar"
    program.write_bytes(header)
    assert target_of(program) == target
    assert target.package in PACKAGES
    told = manifest(target)
    assert (told["os"], told["cpu"]) == ([target.system], [target.processor])
    assert told.get("libc") == (["glibc"] if target.system == "linux" else None)
    assert told["version"] == __version__


@pytest.mark.parametrize("header", [elf(3), b"#!/bin/sh\n", b"", b"MZ", b"\x7fELF"])
def test_a_program_of_another_kind_is_refused(header, tmp_path):
    program = tmp_path / "sidecar"
    program.write_bytes(header)
    with pytest.raises(NotPacked, match="is no program for linux or darwin or win32"):
        target_of(program)


def test_the_bridge_depends_on_each_package_at_its_own_version_and_on_nothing_else():
    told = json.loads((BRIDGE / "package.json").read_text(encoding="utf-8"))
    assert told["optionalDependencies"] == dict.fromkeys(PACKAGES, __version__)
    assert "dependencies" not in told
    assert (BRIDGE / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


def folder_with(root: Path, *, notices: str = "", version: str = __version__) -> Path:
    """A folder like a frozen one."""
    (root / "_internal").mkdir(parents=True)
    (root / "sidecar").write_bytes(elf(62))
    (root / "LICENSE").write_text("MIT")
    (root / NOTICES).write_text(notices)
    files = [{"name": "sidecar"}, {"name": "module sidecar.app"}]
    inner = [{"components": [{"name": "_internal/lib.so"}]}, {"components": []}]
    (root / "_internal" / "lib.so").touch()
    told = {
        "metadata": {"component": {"version": version, "components": files}},
        "components": inner,
    }
    (root / SBOM).write_text(json.dumps(told))
    return root


LACKS = f"{'=' * 80}\nlibodd.so unknown, licence: see its texts\n{'=' * 80}\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "sidecar").unlink(), "is no frozen sidecar"),
        (lambda folder: (folder / SBOM).unlink(), r"its licences: .*sbom"),
        (lambda folder: (folder / SBOM).write_text("{"), r"sbom.cdx.json cannot be read"),
        (lambda folder: (folder / SBOM).write_text("{}"), r"json cannot be read"),
        (lambda folder: (folder / "LICENSE").unlink(), r"its licences: .*LICENSE"),
        (lambda folder: (folder / "_internal" / "lib.so").unlink(), r"lib\.so is missing"),
        (lambda folder: (folder / "secret.env").touch(), r"secret\.env is no part of the build"),
        (
            lambda folder: (folder / NOTICES).write_text(f"{LACKS}No licence text was found on"),
            r"lacks the licence of libodd.so unknown\. Fix: ",
        ),
        (lambda folder: (folder / "_internal" / "a").symlink_to("b"), "npm packs none"),
    ],
)
def test_a_folder_that_could_not_work_or_lacks_licences_is_not_packed(spoil, message, tmp_path):
    folder = folder_with(tmp_path / "sidecar")
    spoil(folder)
    with pytest.raises(NotPacked, match=message):
        packed_sidecar(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_version_is_not_packed(tmp_path):
    folder = folder_with(tmp_path / "sidecar", version="9.9.9")
    with pytest.raises(NotPacked, match=f"is the sidecar 9.9.9, and this is {__version__}"):
        packed_sidecar(folder, tmp_path / "out")


@pytest.fixture(scope="module")
def app(node: Path, frozen_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty app with README's sample and the two packages, installed without a network."""
    root = tmp_path_factory.mktemp("npm")
    out = root / "out"
    packages = [packed_sidecar(Path(frozen_command[0]).parent, out), packed_bridge(out)]
    folder = root / "app"
    folder.mkdir()
    told = {"name": "app", "version": "1.0.0", "main": "main.cjs"}
    (folder / "package.json").write_text(json.dumps(told))
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    sample = readme.split("```js\n// main.cjs\n")[1].split("```")[0]
    (folder / "main.cjs").write_text(sample, encoding="utf-8")
    options = ["--offline", "--no-audit", "--no-fund", "--loglevel=error"]
    command = [*npm_command(node), "install", *options, *map(str, packages)]
    run(command, cwd=folder, env=without_python(node, root))
    return folder


def without_python(node: Path, root: Path) -> dict[str, str]:
    """An environment whose PATH has Node alone."""
    programs = root / "programs"
    programs.mkdir()
    (programs / "node").symlink_to(node)
    return {"PATH": str(programs), "HOME": str(root)}


def as_developed(electron: Path, app: Path, node: Path, root: Path) -> tuple[Path, list[str], Path]:
    return electron, [str(app)], app / "node_modules" / HERE / "sidecar" / "sidecar"


def as_packaged(electron: Path, app: Path, node: Path, root: Path) -> tuple[Path, list[str], Path]:
    """Lay the app out as Forge does, with its two hooks."""
    packed = root / "packed"
    shutil.copytree(electron.parent, packed, copy_function=link_or_copy, symlinks=True)
    program = (packed / electron.name).rename(packed / PROGRAM)
    resources = packed / "resources"
    (resources / "default_app.asar").unlink(missing_ok=True)
    shutil.copytree(app, resources / "app")
    script = """
      const hooks = require('clara-voice-bridge/after-pack.cjs');
      const [packed, app] = process.argv.slice(1);
      const target = { platform: 'linux', arch: 'x64' };
      hooks.packageAfterCopy({}, app, '', target.platform, target.arch)
        .then(() => hooks.postPackage({}, { outputPaths: [packed], ...target }))
        .catch((error) => { console.error(error); process.exit(1); });
    """
    run([str(node), "-e", script, str(packed), str(resources / "app")], cwd=app)
    return program, [], resources / "sidecar" / "sidecar"


@pytest.mark.full
@pytest.mark.parametrize("started", [as_developed, as_packaged])
async def test_the_packages_run_readme_s_sample_on_a_machine_without_python(
    started: Callable[[Path, Path, Path, Path], tuple[Path, list[str], Path]],
    app: Path,
    electron: Path,
    display: str,
    node: Path,
    server: DevServer,
    person: Callable[[str], PersonProcess],
    tmp_path: Path,
):
    program, arguments, sidecar = started(electron, app, node, tmp_path)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    environment = {
        "PATH": str(nothing),
        "DISPLAY": display,
        "LIVEKIT_URL": server.url,
        "LIVEKIT_ROOM": tmp_path.name,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    async with ElectronApp(program, arguments, environment, tmp_path) as running:
        await running.line(lambda line: line.startswith("voice: connected"), "the agent's join")
        processes = running.processes()
        assert sidecar_of(processes).command.split()[0] == str(sidecar)
        async with person("anna") as anna:
            await anna.join()
            await running.line(lambda line: line == "here: anna", "a session")
        await running.line(lambda line: line == "gone: anna left", "its end")
        running.process.terminate()
        await all_gone(processes)


@pytest.mark.full
def test_the_package_holds_the_frozen_folder_byte_for_byte_with_its_run_bits(
    app: Path, frozen_command: list[str]
):
    frozen, shipped = Path(frozen_command[0]).parent, app / "node_modules" / HERE / "sidecar"
    names = sorted(path.relative_to(frozen).as_posix() for path in frozen.rglob("*"))
    assert sorted(path.relative_to(shipped).as_posix() for path in shipped.rglob("*")) == names
    for name in names:
        if (frozen / name).is_file():
            assert (frozen / name).read_bytes() == (shipped / name).read_bytes(), name
            assert os.access(frozen / name, os.X_OK) == os.access(shipped / name, os.X_OK), name
    for name in ("LICENSE", "sidecar/LICENSE", f"sidecar/{NOTICES}", f"sidecar/{SBOM}"):
        assert (shipped.parent / name).is_file(), name
