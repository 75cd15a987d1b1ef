"""The last steps of build.spec, on the folder that PyInstaller has made.

Owns that a build names no path of its machine, is the same bytes each time, and carries its
licences. build.spec calls it; nothing else does.
"""

from __future__ import annotations

import os
import pprint
import re
import shutil
import sys
import sysconfig
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from sidecar.dev.release.components import (
    REPOSITORY,
    Frozen,
    components_of,
    lacking_texts,
)
from sidecar.dev.release.glibc import needed_glibc
from sidecar.dev.release.notices import notices
from sidecar.dev.release.sbom import sbom

NOTICES = "THIRD-PARTY-NOTICES.txt"
SBOM = "sbom.cdx.json"
OF_NO_USE = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
"""Files of a package's metadata that say how it was installed: they differ between machines."""
NOWHERE = b"/nonexistent"
"""A path that no Debian system has (Debian Policy 9.2.3)."""
UNMEANT = (Path("/"), Path("/usr"), Path("/usr/local"))
"""Prefixes that are no place of one machine."""

Entry = tuple[str, str | None, str]
"""What PyInstaller says of a frozen file or module: name, source, kind."""
Entries = Sequence[Entry]


def clean_configuration(folder: Path) -> Path:
    """Write Python's own configuration without paths into the new folder, and give the folder.

    `zoneinfo` reads it at its import, for the system's time zones. The module of the standard
    library has each path of the machine that built Python.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":  # has none
        return folder
    name: str = getattr(sysconfig, "_get_sysconfigdata_name")()  # noqa: B009 - typeshed lacks it
    kept = {
        key: value
        for key, value in sysconfig.get_config_vars().items()
        if key == "TZPATH" or isinstance(value, int) or "/" not in str(value)
    }
    text = f"build_time_vars = {pprint.pformat(kept)}\n"
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def repeatable(datas: Entries) -> list[Entry]:
    """Drop the data files that differ between two builds, and sort the library's zip."""
    for name, source, _ in datas:
        if name == "base_library.zip" and source is not None:
            _order(Path(source))
    return [each for each in datas if Path(each[0]).name not in OF_NO_USE]


def _order(archive: Path) -> None:
    """Write the zip anew with its files by name: PyInstaller writes them in the order of a set."""
    with zipfile.ZipFile(archive) as old:
        files = sorted(
            ((each, old.read(each)) for each in old.infolist()), key=lambda p: p[0].filename
        )
    with zipfile.ZipFile(archive, "w") as new:
        for entry, content in files:
            new.writestr(entry, content)


def finish(folder: Path, modules: Entries, files: Entries, entry: str = "") -> None:
    """Complete the frozen folder: no path of this machine, LICENSE, notices, SBOM.

    `entry` is the path of the program with a voice plug-in, or empty.
    Says which glibc it needs, and on stderr for which components no licence text was found:
    `python -m sidecar.dev.release npm` refuses such a folder.
    """
    if sys.platform == "linux":  # elsewhere a library is signed and holds no such path
        built_in = Path(sysconfig.get_config_var("abs_builddir") or "/")
        erase(folder, [Path(sys.base_prefix), Path(sys.prefix), REPOSITORY, built_in])
    frozen = [*_with_sources(modules, in_folder=False), *_with_sources(files, in_folder=True)]
    components = components_of(frozen, Path(entry) if entry else None)
    shutil.copyfile(REPOSITORY / "LICENSE", folder / "LICENSE")
    (folder / NOTICES).write_text(notices(components), encoding="utf-8", newline="\n")
    (folder / SBOM).write_text(sbom(components, folder), encoding="utf-8", newline="\n")
    if (glibc := needed_glibc(folder)) is not None:
        print(f"The program needs glibc {glibc} or newer.")
    for name in lacking_texts(components):
        print(f"WARNING: no licence text of {name} was found", file=sys.stderr)


def _with_sources(entries: Entries, *, in_folder: bool) -> Iterator[Frozen]:
    """Give the entries that have a file. A namespace package has no file."""
    for name, source, _ in entries:
        if source is not None and Path(source).is_file():
            yield Frozen(name.replace(os.sep, "/"), Path(source), in_folder)


def erase(folder: Path, paths: Sequence[Path]) -> None:
    """Replace these paths in all files of the folder by one of the same length that is nowhere.

    Python's libraries name the folder in which Python was installed: as their RUNPATH, where the
    loader would look for libraries, as a compiled-in prefix, and as the place of its sources. The
    frozen program uses none of them.
    The last part of a path stays: a linker lets another text begin in the middle of this one, and
    Python's version is such a text.
    """
    old = [str(path).encode() for path in paths if path not in UNMEANT]
    for file in folder.rglob("*"):
        if not file.is_file() or file.is_symlink():
            continue
        content = cleaned = file.read_bytes()
        for path in sorted(old, key=len, reverse=True):
            parent, slash, last = path.rpartition(b"/")
            place = (NOWHERE + b"/" * len(parent))[: len(parent)] + slash + last
            cleaned = re.sub(re.escape(path) + rb"(?![\w.-])", place, cleaned)
        if cleaned != content:
            file.write_bytes(cleaned)
