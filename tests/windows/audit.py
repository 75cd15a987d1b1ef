"""Run by Windows' Python: says as JSON what sidecar.exe tells of itself and what it imports.

Owns the reading of Windows' binaries (pefile, which PyInstaller brings there). `audit.py folder`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pefile

BINARIES = {".dll", ".exe", ".pyd"}


def imported(path: Path) -> list[str]:
    """Name the DLLs that the file cannot do without."""
    with pefile.PE(str(path), fast_load=True) as file:
        file.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_IMPORT"]])
        entries = getattr(file, "DIRECTORY_ENTRY_IMPORT", [])
        return sorted({entry.dll.decode("ascii").lower() for entry in entries})


def version_texts(path: Path) -> dict[str, str]:
    """Give the texts of its version resource."""
    with pefile.PE(str(path)) as file:
        return {
            name.decode("utf-8"): text.decode("utf-8")
            for block in file.FileInfo[0]
            if block.Key == b"StringFileInfo"
            for table in block.StringTable
            for name, text in table.entries.items()
        }


folder = Path(sys.argv[1])
binaries = sorted(path for path in folder.rglob("*") if path.suffix.lower() in BINARIES)
told = {
    "texts": version_texts(folder / "sidecar.exe"),
    "imports": {path.relative_to(folder).as_posix(): imported(path) for path in binaries},
}
sys.stdout.write(json.dumps(told) + "\n")
