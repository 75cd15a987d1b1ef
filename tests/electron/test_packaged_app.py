"""A packaged app whose sidecar cannot run says why, by code and in words, and lives on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar import __version__
from tests.electron.driven_app import FOLDER, DrivenApp
from tests.electron.electron_app import all_gone
from tests.electron.packaged_app import lay_out

CONNECT = {"url": "ws://127.0.0.1:1", "room": "nowhere", "token": "t"}


def without_sidecar(resources: Path) -> None:
    (resources / "sidecar").rename(resources / "left-out")


def without_program(resources: Path) -> None:
    (resources / "sidecar" / "sidecar").unlink()


def of_another_version(resources: Path) -> None:
    modules = resources / "app" / "node_modules"
    constants = modules / "clara-voice-bridge" / "lib" / "protocol.cjs"
    text = constants.read_text(encoding="utf-8")
    constants.write_text(text.replace(f"'{__version__}'", "'9.9.9'"), encoding="utf-8")


def without_run_bits(resources: Path) -> None:
    program = resources / "sidecar" / "sidecar"
    content = program.read_bytes()
    program.unlink()  # another name of the frozen build itself
    program.write_bytes(content)


def for_another_processor(resources: Path) -> None:
    program = resources / "sidecar" / "sidecar"
    content = bytearray(program.read_bytes())
    content[18] = 0 if content[18] else 62  # e_machine of the ELF header: none that exists
    program.unlink()
    program.write_bytes(content)
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("spoil", "code", "word"),
    [
        (without_sidecar, "SIDECAR_MISSING", "extra resource"),
        (without_program, "REMOVED", "antivirus"),
        (of_another_version, "VERSION_MISMATCH", "9.9.9"),
        (without_run_bits, "BLOCKED", "run bit"),
        (for_another_processor, "WRONG_ARCH", "processor"),
    ],
)
async def test_a_packaged_app_says_why_its_sidecar_cannot_run_and_lives_on(
    spoil: Callable[[Path], None],
    code: str,
    word: str,
    electron: Path,
    display: str,
    bridge_package: Path,
    frozen_command: list[str],
    tmp_path: Path,
) -> None:
    frozen = Path(frozen_command[0]).parent
    program = lay_out(tmp_path / "app", electron, FOLDER, bridge_package, frozen)
    spoil(program.parent / "resources")
    options = {"connect": CONNECT}
    async with DrivenApp(program, [], {"DISPLAY": display}, tmp_path, options) as app:
        done = await app.done("start")
        assert done["error"]["code"] == code
        assert word in done["error"]["message"]
        processes = app.processes()
        await app.take("quit")
        await all_gone(processes)
        assert await app.process.wait() == 0
