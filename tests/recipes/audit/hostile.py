"""Small wheels that cost much to read: each asks for something that no real wheel has."""

from __future__ import annotations

import io
import struct
import zipfile

from .elf_builder import build_elf
from .factory import PLAIN, entry
from .pe_builder import build_pe

SO, DLL = "demo/lib.so", "demo/lib.dll"
LONG = "n" * 10_000_000


def long_symbols():
    """Hundreds of symbols, each with a name of ten million bytes: the same one, from another letter on."""
    count = 400
    data = bytearray(build_elf(exports=[LONG, *(f"s{n}" for n in range(count))]))
    first = data.find(struct.pack("<IBBH", 1, 0x12, 0, 1))
    for row in range(count):
        struct.pack_into("<I", data, first + 24 * row, 1 + row)
    return bytes(data)


def standing_versions():
    """A chain of needed versions whose links lead nowhere, 65535 long, in each of 10,000 entries that do the same."""
    data = bytearray(build_elf(versions={"libc.so.6": ["GLIBC_2.34"]}))
    entry_at = next(at for at in range(0, len(data) - 32, 8) if data[at : at + 4] == b"\1\0\1\0" and data[at + 8] == 16)
    struct.pack_into("<H", data, entry_at + 2, 0xFFFF)
    count = data.find(struct.pack("<QQ", 0x6FFFFFFF, 1))
    struct.pack_into("<Q", data, count + 8, 0xFFFF)
    return bytes(data)


def many_libraries():
    """Ten thousand needed libraries, all with one name of ten million bytes."""
    data = bytearray(build_elf(needed=[LONG, *("x" for _ in range(9000))]))
    first = data.find(struct.pack("<QQ", 1, 1))
    for row in range(9000):
        struct.pack_into("<QQ", data, first + 16 * row, 1, 1)
    return bytes(data)


def many_debug_entries():
    """A thousand debug entries, each of the whole file."""
    data = bytearray(build_pe(pdb="C:/x.pdb", payload=bytes(1 << 20)))
    debug = _directory(data) + 8 * 6
    address, _ = struct.unpack_from("<II", data, debug)
    struct.pack_into("<II", data, debug, address, 28 * 1000)
    return bytes(data)


def many_sections():
    """More sections than a library has."""
    data = bytearray(build_pe())
    header = struct.unpack_from("<I", data, 0x3C)[0]
    struct.pack_into("<H", data, header + 6, 2000)
    return bytes(data) + bytes(200_000)


def _directory(data):
    header = struct.unpack_from("<I", data, 0x3C)[0]
    return header + 24 + 112


def nested_mime(depth):
    """METADATA whose description is multipart within multipart."""
    lines = ["Metadata-Version: 2.1", "Name: demo", "Version: 1.0", 'Content-Type: multipart/mixed; boundary="b0"', ""]
    for level in range(depth):
        lines += [f"--b{level}", f'Content-Type: multipart/mixed; boundary="b{level + 1}"', ""]
    return "\n".join(lines).encode()


def zeros(count, size):
    """A wheel with files of nothing but zeros, each too small to be a bomb on its own."""
    one = io.BytesIO()
    with zipfile.ZipFile(one, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(entry(f"demo/{number}.bin"), bytes(size), zipfile.ZIP_DEFLATED)
    return one.getvalue()


def beyond_the_file(data):
    """Give the first member a ZIP64 offset of 2^63."""
    raw = bytearray(data)
    at = raw.find(b"PK\x01\x02")
    name, extra, _ = struct.unpack_from("<3H", raw, at + 28)
    struct.pack_into("<L", raw, at + 42, 0xFFFFFFFF)
    struct.pack_into("<H", raw, at + 30, extra + 12)
    field = struct.pack("<HHQ", 1, 8, 1 << 63)
    raw[at + 46 + name + extra : at + 46 + name + extra] = field
    end = raw.rfind(b"PK\x05\x06")
    struct.pack_into("<L", raw, end + 12, struct.unpack_from("<L", raw, end + 12)[0] + len(field))
    return bytes(raw)


MEMBERS = {
    "long symbols": PLAIN.with_file(SO, long_symbols()),
    "standing versions": PLAIN.with_file(SO, standing_versions()),
    "many libraries": PLAIN.with_file(SO, many_libraries()),
    "many debug entries": PLAIN.with_file(DLL, many_debug_entries()),
    "many sections": PLAIN.with_file(DLL, many_sections()),
}
