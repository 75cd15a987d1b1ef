"""Roots of other Linuxes, made by debootstrap, and the way to run the frozen sidecar in one.

Owns their folders in the user's cache (150 MB each, made once, in a minute each from nothing), and
what a program in one may see and write. Wants root: chroot and mount are for root alone.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sidecar.dev.toolchain import cache_folder
from tests.only_one import only_one

MAKE_TIMEOUT_S = 900.0
STRANGER = 1000
"""The user that runs it: no root, and not the owner of the files."""
PLACE = "/opt/An app/resources/sidecar"
"""Where the frozen folder is in the root, read-only."""
HOME = "/home/stranger"
"""Files there, and in /tmp, cannot be executed."""
PUBLIC = "/etc/ssl/certs/ca-certificates.crt"


class RootMissing(RuntimeError):
    """The root cannot be made; the message is the reason and the cure, in one phrase."""


@dataclass(frozen=True)
class Linux:
    """A system, which debootstrap has from where it knows by itself.

    `like` is a system that an older debootstrap knows, and that is made in the same way.
    """

    name: str
    glibc_minor: int
    suite: str
    keyring: str
    like: str = ""


DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
UBUNTU_KEYS = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"

SCRIPTS = Path("/usr/share/debootstrap/scripts")
LINUXES = (
    Linux("Debian 11", 31, "bullseye", DEBIAN_KEYS),
    Linux("Debian 12", 36, "bookworm", DEBIAN_KEYS),
    Linux("Debian 13", 41, "trixie", DEBIAN_KEYS),
    Linux("Ubuntu 22.04", 35, "jammy", UBUNTU_KEYS),
    Linux("Ubuntu 24.04", 39, "noble", UBUNTU_KEYS, like="jammy"),
)


def why_no_root() -> str | None:
    """Give the reason and the cure when no root can be made or entered here, else None."""
    if sys.platform != "linux":
        return "it wants Linux"
    if os.geteuid() != 0:
        return "run the tests as root, who alone may chroot"
    if shutil.which("debootstrap") is None:
        return "apt-get install debootstrap"
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:  # noqa: S607
        return "allow unshare and mount in this container"
    return None


def root(linux: Linux) -> Path:
    """Give the folder of this system, made now unless it is there. RootMissing."""
    folder = cache_folder() / f"root-{linux.suite}"
    with only_one(folder.with_suffix(".lock")):
        if not folder.is_dir():
            new = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                _make(linux, new)
                new.rename(folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)
    return folder


def _make(linux: Linux, folder: Path) -> None:
    keys = [f"--keyring={linux.keyring}"] if Path(linux.keyring).is_file() else ["--no-check-gpg"]
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", *keys]
    command += [linux.suite, str(folder)]
    if linux.like and not (SCRIPTS / linux.suite).exists():
        command += ["", str(SCRIPTS / linux.like)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MAKE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RootMissing(
            f"debootstrap {linux.suite} was not done in {MAKE_TIMEOUT_S} s"
        ) from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise RootMissing(f"debootstrap {linux.suite}: {' '.join(said)}")
    folder.chmod(0o755)
    for place in (f"{PLACE}", HOME, "/etc/pki"):
        (folder / place[1:]).mkdir(parents=True, exist_ok=True)


def command(folder: Path, frozen: Path, script: Path, before: str = "") -> list[str]:
    """Write to *script* how the folder *frozen* runs in a root, and give the command.

    It runs as STRANGER, from a read-only place, with nothing executable where it may write. It
    is one process from first to last, so that signals and pipes reach it. *before* are lines of sh
    that may change the root, `$root`, for this run alone.
    """
    quoted = {name: shlex.quote(str(each)) for name, each in (("root", folder), ("from", frozen))}
    inside = f'mount --bind {quoted["from"]} "$root{PLACE}"'
    script.write_text(
        f"""#!/bin/sh
set -e
if [ "$1" != inside ]; then exec unshare --mount "$0" inside "$@"; fi
shift
root={quoted["root"]}
{inside}
mount -o remount,bind,ro "$root{PLACE}"
for place in /tmp {HOME}; do
  mount -t tmpfs -o noexec,nosuid,mode=1777 tmpfs "$root$place"
done
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
{before}
unset TMPDIR SSL_CERT_FILE SSL_CERT_DIR
HOME={HOME} exec chroot --userspec={STRANGER}:{STRANGER} "$root" "{PLACE}/sidecar" "$@"
""",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return [str(script)]
