"""The software bill of materials, in CycloneDX 1.6: components, versions, hashes of the files."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path

from sidecar.dev.release.components import OURS, Component
from sidecar.dev.release.glibc import needed_glibc


def sbom(components: Sequence[Component], folder: Path) -> str:
    """Give the text of sbom.cdx.json for the frozen folder.

    It has no time and no serial number: the same build twice gives the same text. A file of the
    folder has the hash of its bytes there; a module has the hash of its source.
    """
    ours = next(each for each in components if each.name == OURS)
    program = next(each for each in folder.iterdir() if each.stem == "sidecar" and each.is_file())
    libc = " ".join(platform.libc_ver()).strip()
    build = {"system": platform.system(), "processor": platform.machine(), "libc": libc}
    facts = {f"build:{key}": value for key, value in build.items()}
    facts["needs:glibc"] = needed_glibc(folder) or ""
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                **_described(ours, "application"),
                "components": [_file(program.name, program), *_files(ours, folder)],
            },
            "properties": [
                {"name": name, "value": value} for name, value in facts.items() if value
            ],
        },
        "components": [
            {**_described(each, "library"), "components": _files(each, folder)}
            for each in components
            if each is not ours
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _described(component: Component, kind: str) -> dict[str, object]:
    described: dict[str, object] = {
        "type": kind,
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
    }
    if component.licence:
        described["licenses"] = [{"license": {"name": component.licence}}]
    if component.homepage:
        reference = {"type": "website", "url": component.homepage}
        described["externalReferences"] = [reference]
    return described


def _files(component: Component, folder: Path) -> list[dict[str, object]]:
    listed = []
    for each in sorted(component.frozen, key=lambda each: (not each.in_folder, each.name)):
        path = folder / "_internal" / each.name if each.in_folder else each.source
        if path.is_file():
            listed.append(
                _file(f"_internal/{each.name}" if each.in_folder else f"module {each.name}", path)
            )
    return listed


def _file(name: str, path: Path) -> dict[str, object]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "type": "file",
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
