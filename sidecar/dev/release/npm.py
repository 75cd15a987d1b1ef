"""Owns the npm packages: the bridge, and one package with the sidecar for each platform.

A platform is a system and a processor. Owns the names and the package.json of each. Does not know
how a folder is built.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sidecar import __version__
from sidecar.dev import toolchain
from sidecar.dev.release.components import OURS, REPOSITORY
from sidecar.dev.release.finishing import NOTICES, SBOM

BRIDGE = REPOSITORY / "electron-bridge"
SYSTEMS = ("linux", "darwin", "win32")
PROCESSORS = ("x64", "arm64")
PACKAGES = tuple(f"{OURS}-{system}-{cpu}" for system in SYSTEMS for cpu in PROCESSORS)
"""The names that the bridge's optionalDependencies have, and that its launch looks for."""
PACK_TIMEOUT_S = 300.0
"""For one `npm pack`: 53 MB take 5 s."""

ELF_MACHINES = {62: "x64", 183: "arm64"}  # e_machine, ELF-64 Object File Format
MACH_O_CPUS = {0x01000007: "x64", 0x0100000C: "arm64"}  # cputype, mach/machine.h
PE_MACHINES = {0x8664: "x64", 0xAA64: "arm64"}  # Machine, PE Format (Microsoft)


class NotPacked(RuntimeError):
    """The folder cannot become a package; the message has the cause and the fix."""


@dataclass(frozen=True)
class Target:
    """A system and a processor, as Node names them."""

    system: str
    processor: str

    @property
    def package(self) -> str:
        """The name of the npm package."""
        return f"{OURS}-{self.system}-{self.processor}"


def target_of(program: Path) -> Target:
    """Read in a program's header for which system and processor it is. Raises NotPacked."""
    with program.open("rb") as file:
        header = file.read(4096).ljust(4096, b"\0")
    found: tuple[str, str | None] = ("", None)
    if header.startswith(b"\x7fELF"):
        found = "linux", ELF_MACHINES.get(struct.unpack_from("<H", header, 18)[0])
    elif header.startswith(b"\xcf\xfa\xed\xfe"):
        found = "darwin", MACH_O_CPUS.get(struct.unpack_from("<I", header, 4)[0])
    elif header.startswith(b"MZ"):
        place = min(struct.unpack_from("<I", header, 0x3C)[0], len(header) - 6)
        found = "win32", PE_MACHINES.get(struct.unpack_from("<H", header, place + 4)[0])
    system, processor = found
    if processor is None:
        raise NotPacked(
            f"{program} is no program for {' or '.join(SYSTEMS)} on {' or '.join(PROCESSORS)}. "
            "Fix: build it there with build.spec."
        )
    return Target(system, processor)


def manifest(target: Target) -> dict[str, object]:
    """Give the package.json of the package that brings the frozen folder for `target`."""
    told = json.loads((BRIDGE / "package.json").read_text(encoding="utf-8"))
    libc = {"libc": ["glibc"]} if target.system == "linux" else {}
    return {
        "name": target.package,
        "version": __version__,
        "description": f"The frozen voice sidecar of {told['name']} for {target.system} on "
        f"{target.processor}. The bridge depends on it; do not install it by itself.",
        "license": f"SEE LICENSE IN sidecar/{NOTICES}",
        **{key: told[key] for key in ("repository", "homepage") if key in told},
        "os": [target.system],
        "cpu": [target.processor],
        **libc,
        "files": ["sidecar"],
        "preferUnplugged": True,  # Yarn's archives hold no program that can be started
    }


def packed_sidecar(frozen: Path, out: Path) -> Path:
    """Make the npm package of a folder that build.spec made, and give the path of the .tgz.

    Raises NotPacked when the folder could not work as a package, or does not carry its licences.
    """
    programs = [frozen / "sidecar", frozen / "sidecar.exe"]
    program = next((each for each in programs if each.is_file()), None)
    if program is None or not (frozen / "_internal").is_dir():
        raise NotPacked(f"{frozen} is no frozen sidecar. Fix: pyinstaller build.spec.")
    bill = _bill(frozen)
    _check_licences(frozen, bill)
    links = [path for path in frozen.rglob("*") if path.is_symlink()]
    if links:
        raise NotPacked(
            f"{links[0]} is a symbolic link, and npm packs none. Fix: build with a Python that is "
            "no macOS framework, such as uv's own."
        )
    _check_files(frozen, bill)
    target = target_of(program)
    package = out / target.package
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(frozen, package / "sidecar")
    shutil.copy(frozen / "LICENSE", package)
    text = json.dumps(manifest(target), indent=2) + "\n"
    (package / "package.json").write_text(text, encoding="utf-8", newline="\n")
    (package / "README.md").write_text(_readme(target), encoding="utf-8", newline="\n")
    return _pack(package, out)


def packed_bridge(out: Path) -> Path:
    """Make the npm package of the bridge, and give the path of the .tgz. Raises NotPacked."""
    out.mkdir(parents=True, exist_ok=True)
    return _pack(BRIDGE, out)


@dataclass(frozen=True)
class _Bill:
    """What the SBOM of a frozen folder says."""

    version: str
    files: frozenset[str]
    """Their paths in the folder, except those of the licences."""


def _bill(frozen: Path) -> _Bill:
    try:
        told = json.loads((frozen / SBOM).read_text(encoding="utf-8"))
        ours = told["metadata"]["component"]
        listed = [part for each in (ours, *told["components"]) for part in each["components"]]
        names = [each["name"] for each in listed if not each["name"].startswith("module ")]
        return _Bill(ours["version"], frozenset(each.replace("\\", "/") for each in names))
    except OSError as error:
        raise _without_licences(frozen, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise NotPacked(f"{frozen / SBOM} cannot be read. Fix: build it again.") from error


def _check_licences(frozen: Path, bill: _Bill) -> None:
    try:
        text = (frozen / NOTICES).read_text(encoding="utf-8")
        (frozen / "LICENSE").read_bytes()
    except OSError as error:
        raise _without_licences(frozen, error) from error
    if bill.version != __version__:
        raise NotPacked(
            f"{frozen} is the sidecar {bill.version}, and this is {__version__}. "
            "Fix: build it again."
        )
    titles = text.split("No licence text was found")[:-1]
    if titles:
        names = [each.rpartition("=\n")[0].rpartition("=\n")[2].split(",")[0] for each in titles]
        raise NotPacked(
            f"{NOTICES} lacks the licence of {', '.join(names)}. Fix: build on a machine that "
            "installs it from a package, or add its text to sidecar/dev/release/texts."
        )


def _check_files(frozen: Path, bill: _Bill) -> None:
    """Compare the names of the files with the SBOM's, not their bytes: a program may be signed."""
    there = {path.relative_to(frozen).as_posix() for path in frozen.rglob("*") if path.is_file()}
    there -= {SBOM, NOTICES, "LICENSE"}
    for odd, what in (
        (bill.files - there, "is missing"),
        (there - bill.files, "is no part of the build"),
    ):
        if odd:
            raise NotPacked(f"{frozen / min(odd)} {what}. Fix: build it again with build.spec.")


def _without_licences(frozen: Path, error: OSError) -> NotPacked:
    return NotPacked(
        f"{frozen} does not carry its licences: {error}. Fix: build it again with build.spec."
    )


def _readme(target: Target) -> str:
    return (
        f"# {target.package}\n\nThe frozen voice sidecar for {target.system} on "
        f"{target.processor}. `clara-voice-bridge` depends on it and starts it; do not install it "
        f"by itself.\n\nIt holds the software of others. `sidecar/{NOTICES}` has their licences, "
        f"and `sidecar/{SBOM}` lists them with versions and hashes.\n"
    )


def _pack(package: Path, out: Path) -> Path:
    npm = shutil.which("npm")
    beside = toolchain.find("node").parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    command = [npm] if npm else [str(toolchain.find("node")), str(beside)]
    done = subprocess.run(
        [*command, "pack", "--json", "--loglevel=error", f"--pack-destination={out.resolve()}"],
        cwd=package,
        capture_output=True,
        text=True,
        timeout=PACK_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise NotPacked(f"npm pack failed in {package}:\n{done.stderr}")
    told = json.loads(done.stdout)
    (packed,) = told.values() if isinstance(told, dict) else told  # npm 12 names the package
    return out / str(packed["filename"])
