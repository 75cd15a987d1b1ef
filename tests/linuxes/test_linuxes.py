"""The frozen sidecar in roots of other Linuxes: as a stranger, read-only, with each CA store.

livekit-server and the people are outside: a root has its own files, and the machine's network.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.dev.release.finishing import SBOM
from sidecar.dev.release.glibc import needed_glibc
from sidecar.dev.server import DevServer
from sidecar.dev.stdio_client import SidecarClient
from tests import parts
from tests.frozen_build import (
    FREEZE_ON_DEBIAN_11,
    frozen_for_old_linuxes,
    has_root_of_debian_11,
)
from tests.linuxes.roots import LINUXES, PUBLIC, Linux, RootMissing, command, root, why_no_root
from tests.livekit.tls_front import TlsFront
from tests.repository import ROOT

pytestmark = pytest.mark.full

RUN_TIMEOUT_S = 300.0
FREEZE = FREEZE_ON_DEBIAN_11.relative_to(ROOT).as_posix()


def entered(linux: Linux) -> Path:
    """The root of *linux*, or a skip that says why there is none."""
    parts.require(linux.name, why_no_root())
    try:
        found = root(linux)
    except RootMissing as error:
        parts.require(linux.name, str(error))
        raise
    return found


@pytest.fixture(scope="session")
def frozen(request: pytest.FixtureRequest) -> Path:
    """The frozen folder: $SIDECAR_FROZEN, which may be built on another Linux.

    Else one for old Linuxes where the root for it has been made before (that takes 10 minutes),
    else the build of the other tests.
    """
    if given := os.environ.get("SIDECAR_FROZEN"):
        return ROOT / given
    if why_no_root() is None and has_root_of_debian_11():
        return frozen_for_old_linuxes().parent
    return Path(request.getfixturevalue("frozen_command")[0]).parent


@pytest.fixture(params=LINUXES, ids=lambda linux: linux.suite)
def system(request: pytest.FixtureRequest, frozen: Path) -> Path:
    """A root whose glibc is new enough for the build."""
    linux: Linux = request.param
    needs = needed_glibc(frozen)
    assert needs is not None
    if linux.glibc_minor < int(needs.partition(".")[2]):
        parts.require(linux.name, f"this build needs glibc {needs}; as root, once: {FREEZE}")
    return entered(linux)


@pytest.fixture
def sidecar(system: Path, frozen: Path, tmp_path: Path) -> list[str]:
    """The command that runs the frozen sidecar in the root."""
    return command(system, frozen, tmp_path / "sidecar-in-root")


def test_a_stranger_s_self_test_passes_and_a_room_is_joined(sidecar: list[str]) -> None:
    done = subprocess.run(
        [*sidecar, "--self-test"], capture_output=True, text=True, timeout=RUN_TIMEOUT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tests = ["-k", "given", "tests/livekit/test_first_light.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *tests],
        env={**os.environ, "SIDECAR_COMMAND": shlex.join(sidecar)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout[-10_000:]


def test_a_build_for_old_linuxes_needs_the_glibc_that_the_documents_name(frozen: Path) -> None:
    told = json.loads((frozen / SBOM).read_text(encoding="utf-8"))
    facts = {each["name"]: each["value"] for each in told["metadata"]["properties"]}
    if not facts["build:libc"].endswith("2.31"):
        pytest.skip("this build is not for old Linuxes")
    assert facts["needs:glibc"] == needed_glibc(frozen)
    for name in ("README.md", "docs/packaging.md", FREEZE):
        text = " ".join((ROOT / name).read_text(encoding="utf-8").split())
        assert f"glibc {needed_glibc(frozen)}" in text, name


FAMILIES = {
    "Debian": PUBLIC,
    "Fedora": "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "Red Hat 8": "/etc/pki/tls/certs/ca-bundle.crt",
    "SUSE": "/etc/ssl/ca-bundle.pem",
}


@contextlib.asynccontextmanager
async def behind_tls(
    frozen: Path, server: DevServer, folder: Path, bundle: str
) -> AsyncIterator[tuple[SidecarClient, dict[str, object]]]:
    """Run it in Debian 12 with our server's authority in *bundle* alone; give the target, too."""
    debian = entered(LINUXES[1])
    async with TlsFront(server.url, folder) as front:
        # Where Debian's OpenSSL looks there is nothing.
        before = f"""
for place in /etc/ssl /etc/pki /usr/lib/ssl; do
  if [ -d "$root$place" ]; then mount -t tmpfs tmpfs "$root$place"; fi
done
mkdir -p "$root{Path(bundle).parent}"
cat {shlex.quote(str(front.authority))} > "$root{bundle}"
"""
        start = command(debian, frozen, folder / "sidecar-in-root", before)
        target = {"url": front.url, "apiKey": server.api_key, "apiSecret": server.api_secret}
        async with SidecarClient([*start, "--wait"]) as running:
            yield running, {**target, "room": f"tls-{uuid.uuid4().hex}"}


@pytest.mark.parametrize("bundle", FAMILIES.values(), ids=FAMILIES.keys())
async def test_a_server_is_trusted_by_the_system_s_own_store(
    frozen: Path, server: DevServer, tmp_path: Path, bundle: str
) -> None:
    async with behind_tls(frozen, server, tmp_path, bundle) as (running, target):
        assert (await running.call("connect", target))["state"] == "connected"
        told = await running.call("diagnose")
        assert told["ok"] is True, told
