"""Reads of macOS' programs and libraries what they need: processors, and the oldest macOS.

Owns the reading of Mach-O headers (mach-o/loader.h and mach-o/fat.h of Apple's SDK).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

THIN, FAT = 0xFEEDFACF, 0xCAFEBABE
"""Magic numbers: one 64-bit processor, little-endian; several, in a big-endian table."""
PROCESSORS = {0x0100_0007: "x86_64", 0x0100_000C: "arm64"}
MIN_VERSION, BUILD_VERSION = 0x24, 0x32
"""Load commands: LC_VERSION_MIN_MACOSX, LC_BUILD_VERSION."""


@dataclass(frozen=True)
class Needs:
    """What one of a file's programs runs on; `macos` is (major, minor)."""

    processor: str
    macos: tuple[int, int]


def needs(content: bytes) -> list[Needs]:
    """Give what each program in the file needs; [] for a file that is no Mach-O."""
    return [_of_program(content[start:]) for start in _starts(content)]


def _starts(content: bytes) -> Iterator[int]:
    if len(content) < 8:
        return
    if struct.unpack_from("<I", content)[0] == THIN:
        yield 0
    magic, count = struct.unpack_from(">II", content)
    if magic == FAT:
        for number in range(count):
            yield struct.unpack_from(">5I", content, 8 + 20 * number)[2]


def _of_program(program: bytes) -> Needs:
    _, processor, _, _, commands = struct.unpack_from("<5I", program)
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", program, at)
        if command in (MIN_VERSION, BUILD_VERSION):
            # The version is X.Y.Z as 16, 8 and 8 bits; LC_BUILD_VERSION has the platform first.
            skipped = 12 if command == BUILD_VERSION else 8
            (version,) = struct.unpack_from("<I", program, at + skipped)
            return Needs(PROCESSORS[processor], (version >> 16, version >> 8 & 0xFF))
        at += size
    raise ValueError("a Mach-O without the oldest macOS it runs on")
