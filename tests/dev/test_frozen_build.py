"""The frozen program is built from exactly these sources, is small, and holds what it should."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from PyInstaller.archive.readers import CArchiveReader

from tests.frozen_build import REPOSITORY, inputs_hash

SIZE_LIMIT_BYTES = 60_000_000
SELF_TEST_WITHIN_S = 60.0


@pytest.fixture
def program(frozen_command: list[str]) -> Path:
    return Path(frozen_command[0])


def test_the_frozen_folder_is_under_60_megabytes(program):
    files = [path for path in program.parent.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < SIZE_LIMIT_BYTES


def test_the_frozen_program_holds_the_product_and_neither_numpy_nor_what_is_for_development(
    program,
):
    modules = set(CArchiveReader(str(program)).open_embedded_archive("PYZ.pyz").toc)
    assert {"sidecar.cli", "sidecar.app", "jsonrpcserver", "livekit.rtc.room"} <= modules
    unwanted = ("sidecar.dev", "numpy", "livekit.rtc.audio_mixer", "pytest", "cryptography")
    unwanted += ("aiortc", "aioice", "av.", "pylibsrtp")
    assert [name for name in modules if name.startswith(unwanted)] == []
    assert not (program.parent / "_internal" / "numpy").exists()


def test_the_frozen_program_passes_its_self_test(program):
    done = subprocess.run(
        [program, "--self-test"], capture_output=True, text=True, timeout=SELF_TEST_WITHIN_S
    )
    assert done.returncode == 0, done.stderr


def test_a_build_is_of_exactly_its_inputs(tmp_path):
    for name in ("LICENSE", "build.spec", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    shutil.copytree(REPOSITORY / "sidecar", tmp_path / "sidecar")
    before = inputs_hash(tmp_path)
    assert before == inputs_hash()
    (tmp_path / "sidecar" / "dev" / "demo.py").write_text("# not frozen in")
    assert inputs_hash(tmp_path) == before
    for changed in (
        "sidecar/cli.py",
        "sidecar/dev/release/sbom.py",
        "build.spec",
        "pyproject.toml",
    ):
        (tmp_path / changed).write_text("# changed")
        after = inputs_hash(tmp_path)
        assert after != before, changed
        before = after
