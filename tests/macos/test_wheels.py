"""The wheels that a sidecar for macOS is built of, read on any system. Nothing of macOS runs here.

Owns which processors and which oldest macOS README and docs/packaging.md may claim.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.dev.toolchain import uv_command
from tests import parts
from tests.macos.mach_o import needs
from tests.repository import ROOT

pytestmark = pytest.mark.full

INSTALL_TIMEOUT_S = 600.0
SYSTEMS = {"arm64": "aarch64-apple-darwin", "x86_64": "x86_64-apple-darwin"}
"""Processor: uv's name of the system."""
OLDEST = (12, 0)
"""The macOS that docs/packaging.md names: protobuf's library asks for it, whatever its wheel's name
says; LiveKit's own asks for 11 (arm64) and 10.15 (x86_64)."""
FROZEN_IN = (
    "aiofiles aiohappyeyeballs aiohttp aiosignal attrs frozenlist idna jsonrpcserver jsonschema"
    " jsonschema-specifications livekit livekit-api livekit-protocol multidict orjson oslash"
    " propcache protobuf pyjwt referencing rpds-py typing-extensions yarl"
).split()


@pytest.mark.parametrize("processor", SYSTEMS)
def test_every_library_is_for_the_processor_and_for_this_macos(
    processor: str, tmp_path: Path
) -> None:
    text = (ROOT / ".ci" / "requirements.lock.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^\S+==.*(?:\n    .*)*", text, re.MULTILINE)
    wanted = [each for each in entries if each.partition("==")[0] in FROZEN_IN]
    assert len(wanted) == len(FROZEN_IN)
    requirements, packages = tmp_path / "requirements.txt", tmp_path / "packages"
    requirements.write_text("\n".join(wanted), encoding="utf-8")
    command = [*uv_command(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--python", sys.executable, "--python-version", "3.11", "--python-platform"]
    command += [SYSTEMS[processor], "--target", str(packages), "-r", str(requirements)]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
    )
    parts.require("macOS' wheels", done.stderr[-300:] if done.returncode else None)

    libraries = {
        path.relative_to(packages).as_posix(): needs(path.read_bytes())
        for path in packages.rglob("*")
        if path.suffix in (".so", ".dylib")
    }
    assert "livekit/rtc/resources/liblivekit_ffi.dylib" in libraries
    asked = {
        name: [each.macos for each in programs if each.processor == processor]
        for name, programs in libraries.items()
    }
    assert [name for name, versions in asked.items() if len(versions) != 1] == []
    assert max(version for (version,) in asked.values()) == OLDEST
