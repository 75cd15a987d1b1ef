"""A Windows x64 DLL whose functions all stand in other DLLs: no code, so no compiler is needed.

Owns the bytes of such a file (Microsoft's "PE Format"). Wine 8 lacks a DLL that Rust's standard
library loads; the function in it stands in another DLL of Wine under another name.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

SECTION_RVA = 0x1000
"""Where the one section begins in memory."""
ALIGNMENT = 0x200
"""Of the section in the file."""


def forwarder(dll: str, forwards: Mapping[str, str]) -> bytes:
    """Give the DLL *dll* that has each name of *forwards*, as "dll.function" of another."""
    exports = _export_table(dll, forwards)
    raw_size = _up_to(len(exports), ALIGNMENT)
    headers = _dos_header() + _pe_header(len(exports), raw_size)
    return headers.ljust(ALIGNMENT, b"\0") + exports.ljust(raw_size, b"\0")


def _export_table(dll: str, forwards: Mapping[str, str]) -> bytes:
    names = sorted(forwards)
    addresses = SECTION_RVA + struct.calcsize("<IIHHIIIIIII")
    name_pointers = addresses + 4 * len(names)
    ordinals = name_pointers + 4 * len(names)
    texts_begin = ordinals + 2 * len(names)
    texts = b""

    def text(value: str) -> int:
        nonlocal texts
        address = texts_begin + len(texts)
        texts += value.encode("ascii") + b"\0"
        return address

    dll_name = text(dll)
    name_texts = [text(name) for name in names]
    forward_texts = [text(forwards[name]) for name in names]
    count = len(names)
    directory = struct.pack(
        "<IIHHIIIIIII",
        *(0, 0, 0, 0),  # flags, time, version
        *(dll_name, 1, count, count, addresses, name_pointers, ordinals),
    )
    tables = struct.pack(f"<{count}I{count}I", *forward_texts, *name_texts)
    return directory + tables + struct.pack(f"<{count}H", *range(count)) + texts


def _dos_header() -> bytes:
    return b"MZ" + bytes(58) + struct.pack("<I", 64)


def _pe_header(size: int, raw_size: int) -> bytes:
    amd64, dll_flags, optional_size = 0x8664, 0x2022, 240
    file_header = struct.pack("<HHIIIHH", amd64, 1, 0, 0, 0, optional_size, dll_flags)
    optional_header = struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII",
        *(0x20B, 14, 0),  # PE32+, linker's version
        *(0, raw_size, 0, 0, SECTION_RVA),  # no code, no entry
        *(0x1_8000_0000, SECTION_RVA, ALIGNMENT),
        *(6, 0, 0, 0, 6, 0, 0),  # versions
        *(SECTION_RVA + _up_to(size, SECTION_RVA), ALIGNMENT, 0),
        *(2, 0x160),  # graphical; may be moved
        *(0x10_0000, 0x1000, 0x10_0000, 0x1000, 0, 16),
    )
    directories = struct.pack("<II", SECTION_RVA, size).ljust(16 * 8, b"\0")
    section = struct.pack(
        "<8sIIIIIIHHI", b".rdata", size, SECTION_RVA, raw_size, ALIGNMENT, 0, 0, 0, 0, 0x4000_0040
    )
    return b"PE\0\0" + file_header + optional_header + directories + section


def _up_to(size: int, step: int) -> int:
    return -(-size // step) * step
