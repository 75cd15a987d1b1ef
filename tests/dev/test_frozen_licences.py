"""The frozen folder says whose software it holds and under which licences, and not who built it.

test_frozen_build.py owns what the program can do.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import marshal
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from PyInstaller.archive.readers import CArchiveReader

from sidecar import __version__
from sidecar.dev.release.components import Component, Frozen, components_of, lacking_texts
from sidecar.dev.release.finishing import NOTICES, SBOM, erase
from sidecar.dev.release.notices import notices
from sidecar.dev.toolchain import uv_command
from tests.frozen_build import BUILD_TIMEOUT_S
from tests.repository import ROOT, repository_files

VALIDATOR = "cyclonedx-python-lib[json-validation]==11.12.0"
VALIDATION_TIMEOUT_S = 300.0
OURS = {"LICENSE", NOTICES, SBOM}


@pytest.fixture
def folder(frozen_command: list[str]) -> Path:
    return Path(frozen_command[0]).parent


@pytest.fixture
def document(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / SBOM).read_text(encoding="utf-8"))
    return told


def parts_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document["metadata"]["component"], *document["components"]]


def listed(document: dict[str, Any]) -> dict[str, str]:
    """The SHA-256 of each file and module that the document lists."""
    files = [each for part in parts_of(document) for each in part["components"]]
    assert len({each["name"] for each in files}) == len(files)
    return {each["name"]: each["hashes"][0]["content"] for each in files}


def modules_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The name and the code of each module in the frozen program."""
    archive = CArchiveReader(str(folder / "sidecar")).open_embedded_archive("PYZ.pyz")
    for name in archive.toc:
        code = archive.extract(name)
        if code is not None:  # else a namespace package
            yield name, marshal.dumps(code)


def test_the_sbom_of_the_frozen_folder_lists_each_of_its_files_with_its_hash(folder, document):
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    hashes = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    ours = {name: hashes.pop(name) for name in OURS}
    told = listed(document)
    assert set(ours) & set(told) == set()
    assert {name: told.get(name) for name in hashes} == hashes


def test_the_sbom_of_the_frozen_folder_lists_each_module_of_the_program(folder, document):
    frozen = {f"module {name}" for name, _ in modules_of(folder)}
    assert frozen - set(listed(document)) == set()


def test_the_sbom_of_the_frozen_folder_names_versions_of_python_packages_and_of_libraries(document):
    versions = {part["name"]: part["version"] for part in parts_of(document)}
    assert versions["clara-voice-sidecar"] == __version__
    assert versions["cpython"] == ".".join(map(str, sys.version_info[:3]))
    for name in ("livekit", "livekit-api", "aiohttp", "protobuf", "orjson", "pyinstaller"):
        assert versions[name] == distribution(name).version
    assert "unknown" not in versions.values()


def test_the_frozen_folder_carries_its_licence_and_the_texts_of_all_that_it_holds(folder, document):
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    text = (folder / NOTICES).read_text(encoding="utf-8")
    for part in parts_of(document)[1:]:
        assert f"\n{part['name']} {part['version']}, licence: " in text
    assert "No licence text was found" not in text
    lines = {line.strip() for line in text.splitlines()}
    resources = Path(str(distribution("livekit").locate_file("livekit/rtc/resources")))
    sdk = (resources / "LICENSE.md").read_text(encoding="utf-8")
    assert {line.strip() for line in sdk.splitlines()} <= lines
    for phrase in (
        "Python Software Foundation License Version 2",
        "Mozilla Public License Version 2.0",  # orjson
        "Copyright 2023 LiveKit, Inc.",
        "Expat maintainers",
        "Mersenne",
        "OpenSSL",
        "[yarl-1.25.1.dist-info/licenses/NOTICE]",
        "Bootloader Exception",  # PyInstaller
    ):
        assert phrase.lower() in text.lower(), phrase


def test_no_frozen_file_and_no_frozen_module_names_a_path_of_the_machine_that_built_it(folder):
    here = {str(ROOT), sys.prefix, sys.base_prefix, sysconfig.get_config_var("abs_builddir") or "/"}
    paths = [each.encode() for each in here if each not in ("/", "/usr", "/usr/local")]
    contents = [(str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file()]
    for name, content in [*contents, *modules_of(folder)]:
        for path in paths:
            assert path + b"/" not in content, name
            assert path + b"\0" not in content, name


def test_a_path_is_erased_up_to_its_last_part_and_lengths_stay(tmp_path):
    file = tmp_path / "library.so"
    before = b"\0/opt/builder/3.11.7\0/opt/builder/3.11.7/lib\0/opt/builder/3.11.70\0"
    file.write_bytes(before)
    erase(tmp_path, [Path("/opt/builder/3.11.7"), Path("/usr")])
    after = file.read_bytes()
    assert len(after) == len(before)
    assert after.count(b"/opt/builder/") == 1
    assert after.count(b"/3.11.7\0") == 1


def test_a_component_without_a_text_is_named(tmp_path):
    known = Component("known", "1", "pkg:generic/known@1", "MIT", texts={"LICENSE": "the text"})
    unknown = Component("libodd.so", "unknown", "pkg:generic/libodd.so@unknown")
    assert lacking_texts([known, unknown]) == ["libodd.so"]
    assert "No licence text was found" in notices([known, unknown])


def test_a_python_that_brings_openssl_as_a_file_of_its_own_carries_its_text():
    """As Windows' does; uv's has it inside."""
    files = [
        Frozen("json", Path(json.__file__), False),
        Frozen("libssl-3.dll", Path(json.__file__), True),
    ]
    (python,) = (each for each in components_of(files) if each.name == "cpython")
    assert "cpython-libraries.txt" in python.texts


def test_a_voice_plug_in_s_own_files_are_the_app_s_and_need_no_text_of_others(tmp_path):
    entry = tmp_path / "my_voice.py"
    for name in ("my_voice.py", "words.txt"):
        (tmp_path / name).touch()
    files = [Frozen("my_voice", entry, False), Frozen("words.txt", tmp_path / "words.txt", True)]
    python = Frozen("json", Path(json.__file__), False)
    components = components_of([*files, python], entry)
    assert [each.frozen for each in components if each.name == "my_voice"] == [files]
    assert lacking_texts(components) == []


@pytest.mark.full
def test_two_frozen_builds_in_two_places_are_the_same_bytes(frozen_command, tmp_path):
    built = []
    for number in ("1", "2"):
        sources = tmp_path / ("sources" * int(number))  # of another length
        for path in repository_files():
            target = sources / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        command = [sys.executable, "-m", "PyInstaller", "--log-level", "WARN", "build.spec"]
        environment = {"PYTHONHASHSEED": number, "PYINSTALLER_CONFIG_DIR": str(tmp_path / number)}
        subprocess.run(
            command,
            cwd=sources,
            env={**os.environ, **environment},
            check=True,
            timeout=BUILD_TIMEOUT_S,
        )
        built.append(sources / "dist" / "sidecar")
    first, second = built
    names = sorted(path.relative_to(first).as_posix() for path in first.rglob("*"))
    assert names == sorted(path.relative_to(second).as_posix() for path in second.rglob("*"))
    files = [name for name in names if (first / name).is_file()]
    _, different, failed = filecmp.cmpfiles(first, second, files, shallow=False)
    assert (different, failed) == ([], [])


@pytest.mark.full
def test_the_sbom_of_the_frozen_folder_is_valid_cyclonedx(folder):
    check = (
        "import sys; from cyclonedx.validation.json import JsonStrictValidator;"
        "from cyclonedx.schema import SchemaVersion;"
        "sys.exit(repr(error) if (error := JsonStrictValidator(SchemaVersion.V1_6)"
        ".validate_str(open(sys.argv[1]).read())) else 0)"
    )
    command = [*uv_command(), "run", "--no-project", "--with", VALIDATOR, "python", "-c", check]
    done = subprocess.run(
        [*command, str(folder / SBOM)], capture_output=True, text=True, timeout=VALIDATION_TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_the_sbom_names_the_glibc_that_the_program_needs(document):
    """This machine's is new enough for what was built on it; LiveKit's library asks for 2.28."""
    facts = {each["name"]: each["value"] for each in document["metadata"]["properties"]}
    minor = int(facts["needs:glibc"].removeprefix("2."))
    assert 28 <= minor <= int(platform.libc_ver()[1].removeprefix("2."))
