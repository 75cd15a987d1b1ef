"""Lays an app out as electron-builder and Electron Forge do, so that `app.isPackaged` is true.

Owns that layout: Electron under the app's name, the app and its modules and the frozen sidecar as
its resources. What the two tools really make is compared by test_packaging_tools.py.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PROGRAM = "clara-voice-example"
"""Electron takes itself for a packaged app when its program has another name than `electron`."""
BRIDGE_OF_THE_REPOSITORY = "require('../index.cjs')"
BRIDGE_AS_A_PACKAGE = "require('clara-voice-bridge')"
"""What the example's own comment tells an app to write instead."""


def link_or_copy(source: str, target: str) -> None:
    """Spare a copy of 180 MB where both lie on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def lay_out(
    root: Path,
    electron: Path,
    app: Path,
    bridge: Path,
    sidecar: Path,
    packages: Path | None = None,
) -> Path:
    """Lay out the app in the new folder `root`, and give its program.

    `electron` is Electron's program, `app` the app's folder, `bridge` the unpacked npm package,
    `sidecar` the folder that PyInstaller made, and `packages` the app's other node_modules.
    """
    shutil.copytree(electron.parent, root, copy_function=link_or_copy, symlinks=True)
    program = (root / electron.name).rename(root / PROGRAM)
    resources = root / "resources"
    (resources / "default_app.asar").unlink(missing_ok=True)
    shutil.copytree(app, resources / "app", ignore=shutil.ignore_patterns("node_modules"))
    for source in (resources / "app").glob("*.cjs"):
        text = source.read_text(encoding="utf-8")
        source.write_text(
            text.replace(BRIDGE_OF_THE_REPOSITORY, BRIDGE_AS_A_PACKAGE), encoding="utf-8"
        )
    modules = resources / "app" / "node_modules"
    if packages is not None:
        shutil.copytree(packages, modules, copy_function=link_or_copy, symlinks=True)
    shutil.copytree(bridge, modules / "clara-voice-bridge")
    shutil.copytree(sidecar, resources / "sidecar", copy_function=link_or_copy, symlinks=True)
    return program
