"""Owns the component of each frozen file, and the places of each component's licence texts.

A component is a Python package, CPython, PyInstaller, or a package of the build machine. Writes
nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import quote

from sidecar import __version__

REPOSITORY = Path(__file__).resolve().parents[3]
TEXTS = Path(__file__).resolve().parent / "texts"
OURS = "clara-voice-sidecar"
LICENCE_FILE = re.compile(r"(?i)^(licen[cs]e|copying|notice|authors)")
COMMON_LICENCE = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9])")
"""How a Debian package names a licence whose text Debian keeps in one place."""
ASK_TIMEOUT_S = 60.0
"""For one question to dpkg or rpm, which answer in milliseconds."""

OWN_TEXTS: Mapping[str, tuple[str, ...]] = {
    # Their wheels hold no text: the notice of LiveKit's repository, and the licence that it names.
    "livekit": ("livekit.txt", "apache-2.0.txt"),
    "livekit-api": ("livekit.txt", "apache-2.0.txt"),
    "livekit-protocol": ("livekit.txt", "apache-2.0.txt"),
    # Python's own LICENSE says nothing of the software that Python incorporates.
    "cpython": ("cpython.txt", "cpython-newer.txt"),
}
STATIC_TEXTS = ("cpython-libraries.txt", "apache-2.0.txt")
"""Of the libraries that a Python brings when the system's OpenSSL is not frozen in."""


@dataclass(frozen=True)
class Frozen:
    """One file or module that PyInstaller froze in."""

    name: str
    """Its place in the folder, or a module's name."""
    source: Path
    in_folder: bool
    """False for a module, which is in the program."""


@dataclass
class Component:
    """A part that somebody made: with version, licence, texts and the frozen files that are its."""

    name: str
    version: str
    purl: str
    """Package URL (github.com/package-url/purl-spec)."""
    licence: str = ""
    """As the package says it, an SPDX expression or a name; empty where only its texts say it."""
    homepage: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    """Name of each text: the text."""
    frozen: list[Frozen] = field(default_factory=list, init=False)


def components_of(frozen: Iterable[Frozen], entry: Path | None = None) -> list[Component]:
    """Give the component of each file in *frozen*, ours first, the others by name.

    `entry` is the program with a voice plug-in, or None. All files of its folder belong to it.
    PyInstaller is always a component: its program starts the frozen sidecar. When no licence text
    of a component was found, `texts` is empty, and `lacking_texts` names the component.
    """
    found: dict[str, Component] = {}
    pyinstaller = _of_distribution(_distribution("pyinstaller"))
    found[pyinstaller.purl] = replace(pyinstaller)
    for each in frozen:
        known = _component(each, entry)
        component = found.setdefault(known.purl, replace(known, texts={**known.texts}))
        component.frozen.append(each)
    python = next(each for each in found.values() if each.name == "cpython")
    others = {each.name for part in found.values() if part is not python for each in part.frozen}
    if not any(re.search(r"(?i)lib(ssl|crypto)", name) for name in others):
        python.texts |= _own_texts(STATIC_TEXTS)
    return sorted(found.values(), key=lambda each: (each.name != OURS, each.name.lower()))


def lacking_texts(components: Iterable[Component]) -> list[str]:
    """Name the components for which no licence text was found."""
    return [each.name for each in components if not each.texts]


def _component(each: Frozen, entry: Path | None) -> Component:
    source = each.source.resolve()
    owner = _owners().get(str(source))
    if owner is not None and _normal(owner.name) != OURS:
        return _of_distribution(owner)
    if source.is_relative_to(REPOSITORY / "sidecar"):
        return _ours()
    if entry is not None and source.is_relative_to(entry.resolve().parent):
        texts = {"licence": "This is the app's own program. Its licence is the app's."}
        return Component(entry.stem, "0", f"pkg:generic/{entry.stem}@0", texts=texts)
    if _is_pythons(each, source):
        return _cpython()
    return _of_system(source)


@cache
def _owners() -> dict[str, Distribution]:
    """Give the distribution of each installed file, by the file's real path."""
    return {
        os.path.realpath(str(each.locate_file(file))): each
        for each in distributions()
        for file in each.files or ()
    }


def _distribution(name: str) -> Distribution:
    return next(each for each in distributions() if _normal(each.name) == name)


def _normal(name: str) -> str:
    """Give a package's name as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _of_distribution(owner: Distribution) -> Component:
    name, told = _normal(owner.name), owner.metadata
    texts = {}
    for file in owner.files or ():
        parts = file.parts
        is_licence = LICENCE_FILE.match(file.name) is not None and file.suffix != ".py"
        if is_licence or any(part == "licenses" for part in parts[:-1]):
            path = Path(str(owner.locate_file(file)))
            if path.is_file() and path.suffix != ".py":
                texts["/".join(parts)] = _read(path)
    if not any("licen" in each.lower() or "copying" in each.lower() for each in texts) or (
        name in OWN_TEXTS
    ):
        texts |= _own_texts(OWN_TEXTS.get(name, ()))
    classifiers = [
        each.rpartition(" :: ")[2]
        for each in told.get_all("Classifier", [])
        if each.startswith("License ::")
    ]
    expression, short, home_page = (
        next(iter(told.get_all(each, [])), "")
        for each in ("License-Expression", "License", "Home-page")
    )
    licence = expression or (short.strip() if "\n" not in short else "")
    urls = dict(each.split(", ", 1) for each in told.get_all("Project-URL", []) if ", " in each)
    by_name = {key.lower(): url for key, url in urls.items()}
    kinds = ("source", "source code", "repository", "github: repo", "homepage")
    home = next((by_name[each] for each in kinds if each in by_name), "")
    return Component(
        name,
        owner.version,
        f"pkg:pypi/{name}@{owner.version}",
        licence or ", ".join(classifiers),
        home or home_page or next(iter(urls.values()), ""),
        texts,
    )


def _ours() -> Component:
    text = _read(REPOSITORY / "LICENSE")
    purl = f"pkg:pypi/{OURS}@{__version__}"
    return Component(OURS, __version__, purl, "MIT", texts={"LICENSE": text})


def _is_pythons(each: Frozen, source: Path) -> bool:
    # build.spec makes the last two anew, from the standard library.
    if each.name.startswith("_sysconfigdata") or each.name == "base_library.zip":
        return True
    if re.match(r"(lib)?python3?[\d.]*(\.so|\.dylib|\.dll|$)", source.name, re.IGNORECASE):
        return True
    libraries = [Path(sysconfig.get_path(each)).resolve() for each in ("stdlib", "platstdlib")]
    base = Path(sys.base_prefix).resolve()
    if base not in (Path("/usr"), Path("/usr/local")):
        libraries.append(base)  # also the libraries that it brings: OpenSSL, libffi, ...
    return any(source.is_relative_to(library) for library in libraries)


@cache
def _cpython() -> Component:
    version = ".".join(map(str, sys.version_info[:3]))
    stdlib = Path(sysconfig.get_path("stdlib"))
    places = [stdlib / "LICENSE.txt", Path(sys.base_prefix) / "LICENSE.txt"]
    texts = {}
    for place in places:
        if place.is_file():
            texts[place.name] = _read(place)
    texts |= _own_texts(OWN_TEXTS["cpython"])
    licence, home = "PSF-2.0", "https://www.python.org"
    return Component("cpython", version, f"pkg:generic/cpython@{version}", licence, home, texts)


def _of_system(source: Path) -> Component:
    for ask in (_of_dpkg, _of_rpm):
        component = ask(source)
        if component is not None:
            return component
    return Component(source.name, "unknown", f"pkg:generic/{source.name}@unknown")


def _of_dpkg(source: Path) -> Component | None:
    # Where /lib is a link to /usr/lib, dpkg knows a file by the one name or by the other.
    for path in (str(source), str(source).removeprefix("/usr")):
        owner = _answer("dpkg-query", "-S", path).partition(": ")[0]
        if owner:
            break
    else:
        return None
    shown = "${Package}\t${Homepage}\t${Version}\t${Architecture}"  # only Homepage may be empty
    name, home, version, arch = _answer("dpkg-query", "-W", f"-f={shown}", owner).split("\t")
    copyright_file = Path("/usr/share/doc") / name / "copyright"
    texts = {"copyright": _read(copyright_file)} if copyright_file.is_file() else {}
    for common in sorted(set(COMMON_LICENCE.findall("".join(texts.values())))):
        path = Path("/usr/share/common-licenses") / common
        if path.is_file():
            texts[f"common-licenses/{common}"] = _read(path)
    system = _os_release()
    distribution = f"{system.get('ID', 'linux')}-{system.get('VERSION_ID', 'unknown')}"
    exact = f"{name}@{quote(version, safe=':')}"
    purl = f"pkg:deb/{system.get('ID', 'debian')}/{exact}?arch={arch}&distro={distribution}"
    return Component(name, version, purl, homepage=home, texts=texts)


def _of_rpm(source: Path) -> Component | None:  # not run
    shown = r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\t%{LICENSE}\t%{URL}"
    answer = _answer("rpm", "-qf", "--qf", shown, str(source))
    if answer.count("\t") != 4:
        return None
    name, version, arch, licence, home = answer.split("\t")
    folder = Path("/usr/share/licenses") / name
    paths = sorted(path for path in folder.glob("*") if path.is_file())
    texts = {path.name: _read(path) for path in paths}
    purl = f"pkg:rpm/{_os_release().get('ID', 'linux')}/{name}@{version}?arch={arch}"
    return Component(name, version, purl, licence, home, texts)


def _answer(*command: str) -> str:
    """Return the output of a program; empty if the program is missing or fails."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


@cache
def _os_release() -> Mapping[str, str]:
    file = Path("/etc/os-release")
    lines = _read(file).splitlines() if file.is_file() else []
    return {key: value.strip('"') for key, _, value in (each.partition("=") for each in lines)}


def _own_texts(names: Iterable[str]) -> dict[str, str]:
    return {name: _read(TEXTS / name) for name in names}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
