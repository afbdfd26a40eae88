"""Builds small Windows binaries byte by byte: real headers, imports, exports, debug entries and machine code.

Sections: .text at 0x1000 (code), .rdata at 0x3000 (tables and constants). Addresses of import slots are known before
the code is written, so `code` is a function of them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

IMAGE_BASE = 0x180000000
TEXT, RDATA, SECTION = 0x1000, 0x3000, 0x2000
MACHINES = {"x64": 0x8664, "arm64": 0xAA64, "x86": 0x14C}


@dataclass
class Rdata:
    """The bytes of .rdata while they are laid out."""

    raw: bytearray = field(default_factory=bytearray)

    def put(self, data: bytes, align: int = 8) -> int:
        """Append bytes, return their RVA."""
        self.raw += bytes(-len(self.raw) % align)
        at = RDATA + len(self.raw)
        self.raw += data
        return at

    def patch(self, rva: int, data: bytes) -> None:
        self.raw[rva - RDATA : rva - RDATA + len(data)] = data


Slots = Mapping[tuple[str, str | int], int]


@dataclass(frozen=True)
class Code:
    """Machine code for .text, the RVAs of functions in it, and pointers in .rdata to fill: RVA to target RVA."""

    raw: bytes
    functions: Mapping[str, int] = field(default_factory=dict)
    pointers: Mapping[int, int] = field(default_factory=dict)


def build_pe(
    *,
    machine: str = "x64",
    imports: Mapping[str, Sequence[str | int]] | None = None,
    delayed: Mapping[str, Sequence[str | int]] | None = None,
    exports: Mapping[str, int] | None = None,
    code: Callable[[Slots, int], Code] | None = None,
    constants: bytes = bytes(64),
    exported_constants: Sequence[str] = (),
    pdb: str = "",
    linker: tuple[int, int] = (14, 40),
    payload: bytes = b"",
    hybrid: bool = False,
) -> bytes:
    """Return a DLL. `exports` maps names to ordinals; `code` gets the import slots and the RVA of `constants`."""
    rdata = Rdata()
    constants_at = rdata.put(constants)
    rdata.put(payload)
    slots: dict[tuple[str, str | int], int] = {}
    import_table = _imports(rdata, imports or {}, slots)
    delay_table = _delayed(rdata, delayed or {}, slots)
    made = code(slots, constants_at) if code else Code(raw=b"\xc3")
    for place, target in made.pointers.items():
        rdata.patch(place, struct.pack("<Q", IMAGE_BASE + target))
    addresses = {name: constants_at if name in exported_constants else TEXT for name in exports or {}}
    addresses |= {name: made.functions[name] for name in exports or {} if name in made.functions}
    export_table = _exports(rdata, exports or {}, addresses)
    debug_table = _debug(rdata, pdb)
    directories = {0: export_table, 1: import_table, 13: delay_table, 6: debug_table}
    if hybrid:  # what makes ARM64EC of an x64 header: a pointer at 0xC8 of the load configuration
        config = struct.pack("<I", 0x140) + bytes(0xC4) + struct.pack("<Q", IMAGE_BASE + constants_at)
        directories[10] = (rdata.put(config.ljust(0x140, b"\0")), 0x140)
    return _image(machine, made.raw, bytes(rdata.raw), directories, linker)


def _thunks(rdata: Rdata, symbols: Sequence[str | int]) -> bytes:
    entries = []
    for symbol in symbols:
        if isinstance(symbol, int):
            entries.append(1 << 63 | symbol)
        else:
            entries.append(rdata.put(b"\0\0" + symbol.encode() + b"\0", 2))
    return struct.pack(f"<{len(entries) + 1}Q", *entries, 0)


def _imports(rdata, imports, slots):
    rows = b""
    for dll, symbols in imports.items():
        thunks = _thunks(rdata, symbols)
        lookup, address = rdata.put(thunks), rdata.put(thunks)
        slots |= {(dll, symbol): address + 8 * n for n, symbol in enumerate(symbols)}
        rows += struct.pack("<5I", lookup, 0, 0, rdata.put(dll.encode() + b"\0"), address)
    return (rdata.put(rows + bytes(20)), len(rows) + 20) if rows else (0, 0)


def _delayed(rdata, delayed, slots):
    rows = b""
    for dll, symbols in delayed.items():
        thunks = _thunks(rdata, symbols)
        lookup, address = rdata.put(thunks), rdata.put(thunks)
        slots |= {(dll, symbol): address + 8 * n for n, symbol in enumerate(symbols)}
        handle = rdata.put(bytes(8))
        rows += struct.pack("<8I", 1, rdata.put(dll.encode() + b"\0"), handle, address, lookup, 0, 0, 0)
    return (rdata.put(rows + bytes(32)), len(rows) + 32) if rows else (0, 0)


def _exports(rdata, exports, addresses):
    if not exports:
        return (0, 0)
    highest = max(exports.values())
    table = [0] * highest
    for name, ordinal in exports.items():
        table[ordinal - 1] = addresses[name]
    names = sorted(exports)
    functions = rdata.put(struct.pack(f"<{highest}I", *table))
    pointers = rdata.put(struct.pack(f"<{len(names)}I", *(rdata.put(n.encode() + b"\0", 1) for n in names)))
    ordinals = rdata.put(struct.pack(f"<{len(names)}H", *(exports[n] - 1 for n in names)))
    title = rdata.put(b"built.dll\0")
    row = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, title, 1, highest, len(names), functions, pointers, ordinals)
    return (rdata.put(row), len(row))


def _debug(rdata, pdb):
    if not pdb:
        return (0, 0)
    record = b"RSDS" + bytes(16) + struct.pack("<I", 1) + pdb.encode() + b"\0"
    at = rdata.put(record)
    row = struct.pack("<IIHHIIII", 0, 0, 0, 0, 2, len(record), at, at - RDATA + 0x400 + SECTION)
    return (rdata.put(row), len(row))


def _image(machine, text, rdata, directories, linker):
    text = text.ljust(SECTION, b"\xcc")
    size = -(-len(rdata) // 0x200) * 0x200
    rdata = rdata.ljust(size, b"\0")
    optional = struct.pack("<HBB5I", 0x20B, *linker, len(text), len(rdata), 0, TEXT, TEXT)
    optional += struct.pack("<QIIHHHHHHIIIIHH", IMAGE_BASE, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0,
                            RDATA + -(-size // 0x1000) * 0x1000, 0x400, 0, 2, 0x160)  # fmt: skip
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    optional += b"".join(struct.pack("<II", *directories.get(n, (0, 0))) for n in range(16))
    head = b"MZ" + bytes(58) + struct.pack("<I", 0x80) + bytes(64) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", MACHINES[machine], 2, 0, 0, 0, len(optional), 0x2022) + optional
    for name, rva, offset, data, flags in (
        (b".text", TEXT, 0x400, text, 0x60000020),
        (b".rdata", RDATA, 0x400 + len(text), rdata, 0x40000040),
    ):
        head += struct.pack("<8sIIIIIIHHI", name, len(data), rva, len(data), offset, 0, 0, 0, 0, flags)
    return head.ljust(0x400, b"\0") + text + rdata
