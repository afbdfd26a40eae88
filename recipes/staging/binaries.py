"""What the header of a PE or ELF file says: for which processor it is, whether it is whole, which version it has.

Only the few header fields that staging needs are read, from a memory map; `recipes.audit` looks deeper.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wheelhouse.errors import InputError

Kind = Literal["PE", "ELF", "COFF library"]
_PE_MACHINES = {0x8664: "x64", 0xAA64: "arm64", 0x14C: "x86", 0xA641: "arm64ec"}
_ELF_MACHINES = {62: "x64", 183: "arm64", 3: "x86"}
_TABLES = frozenset({b"/", b"//", b"/<ECSYMBOLS>/", b"/<HYBRIDMAP>/"})
"""Members that describe the archive itself. Any other name with a slash in front, "/0", stands for a long one."""
_ELF_VERSION = re.compile(rb"\0VERS_(\d+)\.(\d+)\.\d+\0")
_PE_VERSION = re.compile(
    "FileVersion".encode("utf-16-le") + rb"(?:\0\0)+((?:[0-9]\0)+(?:\.\0(?:[0-9]\0)+)+)", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class BinaryFacts:
    """Kind of file, processor ("x64", "arm64", or "unknown 0x…"), and the size in bytes that its headers promise."""

    kind: Kind
    arch: str
    size: int


def read_binary(path: Path) -> BinaryFacts:
    """Return the facts of a PE, ELF or import library. Raise InputError when it is none, or is cut short."""
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            facts = _facts(data)
            actual = len(data)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise InputError(f"{path} cannot be read as a library ({error}).") from error
    except (struct.error, OverflowError) as error:  # an offset beyond the file, or beyond any file
        raise InputError(f"{path} is truncated: its headers are not whole.") from error
    if facts is None:
        raise InputError(f"{path} is neither a Windows nor a Linux library.")
    if actual < facts.size:
        raise InputError(f"{path} is truncated: it has {actual} bytes, but its headers speak of {facts.size}.")
    return facts


def library_version(path: Path) -> tuple[int, int] | None:
    """Return major and minor version of an ONNX Runtime library, from its symbols or version resource; None if absent.

    No more than that: in the resource of the published DirectML build the third number is a date.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if found := _ELF_VERSION.search(data):
            return int(found[1]), int(found[2])
        if found := _PE_VERSION.search(data):
            major, minor = found[1].decode("utf-16-le").split(".")[:2]
            return int(major), int(minor)
    return None


def _facts(data: mmap.mmap) -> BinaryFacts | None:
    if data[:2] == b"MZ":
        return _pe(data)
    if data[:5] == b"\x7fELF\x02":
        return _elf(data)
    if data[:8] == b"!<arch>\n":
        return _import_library(data)
    return None


def _pe(data: mmap.mmap) -> BinaryFacts | None:
    (offset,) = struct.unpack_from("<I", data, 0x3C)
    if data[offset : offset + 4] != b"PE\0\0":
        return None
    machine, sections = struct.unpack_from("<HH", data, offset + 4)
    (optional,) = struct.unpack_from("<H", data, offset + 20)
    table = offset + 24 + optional
    ends = [sum(struct.unpack_from("<II", data, table + 40 * i + 16)) for i in range(sections)]
    arch = _PE_MACHINES.get(machine, f"unknown {machine:#x}")
    return BinaryFacts(kind="PE", arch=arch, size=max([table + 40 * sections, *ends]))


def _elf(data: mmap.mmap) -> BinaryFacts:
    (machine,) = struct.unpack_from("<H", data, 18)
    (program_offset, section_offset) = struct.unpack_from("<QQ", data, 32)
    program_size, programs, section_size, sections = struct.unpack_from("<HHHH", data, 54)
    ends = [section_offset + section_size * sections, program_offset + program_size * programs]
    for i in range(programs):
        start, _, _, length = struct.unpack_from("<QQQQ", data, program_offset + program_size * i + 8)
        ends.append(start + length)
    arch = _ELF_MACHINES.get(machine, f"unknown {machine}")
    return BinaryFacts(kind="ELF", arch=arch, size=max(ends))


def _import_library(data: mmap.mmap) -> BinaryFacts:
    """Walk the archive's members; the processor is in the first that describes an import or is an object file."""
    offset, arch = 8, "unknown"
    while offset + 60 <= len(data):
        header = data[offset : offset + 60]
        digits = header[48:58].strip()
        if not digits.isdigit():  # int() would also take a sign, and walk backwards
            break
        body, length = offset + 60, int(digits)
        if arch == "unknown" and header[:16].rstrip() not in _TABLES:
            signature, second, _, machine = struct.unpack_from("<HHHH", data, body)
            code = machine if (signature, second) == (0, 0xFFFF) else signature
            arch = _PE_MACHINES.get(code, "unknown")
        offset = body + length + length % 2
    if offset < len(data):
        offset += 60  # the beginning of a header whose rest is missing
    # the padding byte behind the last member may be left out
    return BinaryFacts(kind="COFF library", arch=arch, size=offset - 1 if offset == len(data) + 1 else offset)
