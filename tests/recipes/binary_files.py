"""Minimal PE, ELF and import-library files, made by hand: enough header for what staging reads."""

from __future__ import annotations

import struct

PE_MACHINES = {"x64": 0x8664, "arm64": 0xAA64, "x86": 0x14C}
ELF_MACHINES = {"x64": 62, "arm64": 183, "x86": 3}


def pe(arch: str = "x64", *, version: str = "1.23.4.0", size: int = 1024) -> bytes:
    """Return a DLL with one section and a version resource's text in it."""
    header = bytearray(0x80)
    header[:2] = b"MZ"
    struct.pack_into("<I", header, 0x3C, 0x80)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", PE_MACHINES[arch], 1, 0, 0, 0, 240, 0x2022)
    raw = 0x200
    section = struct.pack("<8sIIIIIIHHI", b".rsrc", size, 0x1000, size, raw, 0, 0, 0, 0, 0)
    start = (bytes(header) + coff + bytes(240) + section).ljust(raw, b"\0")
    text = "FileVersion".encode("utf-16-le") + b"\0\0\0\0" + version.encode("utf-16-le") + b"\0\0"
    return start + text.ljust(size, b"\0")


def elf(arch: str = "x64", *, version: str = "1.23.4", size: int = 512) -> bytes:
    """Return a shared library with one segment, and a version symbol's text in it."""
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 3, ELF_MACHINES[arch], 1, 0, 64, 120 + size, 0, 64, 56, 1, 64, 1, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 120, 0, 0, size, size, 4096)
    text = b"\0VERS_" + version.encode() + b"\0" if version else b""
    return ident + header + segment + text.ljust(size, b"\0") + bytes(64)


def import_library(arch: str = "x64", *, member: bytes = b"a.dll/") -> bytes:
    """Return a .lib that imports one function; `member` "/0" is the name of a member with a long name."""
    body = struct.pack("<HHHHIIHH", 0, 0xFFFF, 0, PE_MACHINES[arch], 0, 12, 0, 0) + b"f\0a.dll\0"
    names = _member(b"//", b"a-library-with-a-long-name.dll\0") if member.startswith(b"/") else b""
    return b"!<arch>\n" + _member(b"/", b"\0\0\0\0") + names + _member(member, body)


def _member(name: bytes, body: bytes) -> bytes:
    header = (
        name.ljust(16) + b"0".ljust(12) + b"".ljust(12) + b"0".ljust(8) + str(len(body)).encode().ljust(10) + b"`\n"
    )
    return header + body + b"\n" * (len(body) % 2)
