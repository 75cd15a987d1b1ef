"""The oldest glibc with which a frozen folder starts: the newest that one of its files asks for."""

from __future__ import annotations

import re
from pathlib import Path

ELF = b"\x7fELF"
VERSION = re.compile(rb"GLIBC_2\.(\d+)")
"""The name of a symbol's version, as the loader compares it; with more dots it is an older one."""


def needed_glibc(folder: Path) -> str | None:
    """Give it as "2.36"; None when no file of *folder* is a program or library for Linux."""
    minor = 0
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if content.startswith(ELF):
                minor = max(minor, *map(int, VERSION.findall(content)), 0)
    return f"2.{minor}" if minor else None
