"""Facts about a Linux binary, read with pyelftools; symbols come from the raw table, which is far faster."""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO, Any, Literal, cast

from recipes.audit.readers import limits
from recipes.audit.readers.api_version import compiled_api, offered_api
from recipes.audit.readers.binary import Binary, Import, Machine
from recipes.audit.readers.code_image import CodeImage

_MACHINES: dict[str, Machine] = {"EM_X86_64": "x64", "EM_AARCH64": "arm64", "EM_386": "x86", "EM_ARM": "arm"}
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_MAX_SYMBOLS = 500_000
_MAX_TAGS = 10_000
_EXECUTABLE = 1
_WEAK, _GLOBAL = 2, 1


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """A loaded part of the file: where it lies in the file and in memory, and whether it is executable."""

    offset: int
    address: int
    size: int
    executable: bool


@dataclass(frozen=True, kw_only=True)
class _Elf:
    """The file, its segments, and its dynamic section as (tag, number, text)."""

    data: bytes | mmap.mmap
    segments: tuple[_Segment, ...]
    tags: tuple[tuple[str, int, str], ...]

    def read(self, address: int, size: int) -> bytes:
        """Return bytes at an address in memory, as far as the file has them."""
        for part in self.segments:
            if part.address <= address < part.address + part.size:
                start = part.offset + address - part.address
                return bytes(self.data[start : min(start + size, part.offset + part.size)])
        return b""

    def number(self, tag: str) -> int:
        """Return the number of a tag of the dynamic section, 0 when it has none."""
        return next((number for name, number, _ in self.tags if name == tag), 0)

    def texts(self, *names: str) -> tuple[str, ...]:
        """Return the texts of all tags with one of these names."""
        return tuple(text for name, _, text in self.tags if name in names)


def read_elf(path: str, data: bytes | mmap.mmap) -> Binary:
    """Return the facts about an ELF file; one that cannot be parsed has a `problem` and as many facts as were read."""
    from elftools.elf.elffile import ELFFile

    facts = Binary(path=path, format="elf")
    try:
        parsed = ELFFile(io.BytesIO(data) if isinstance(data, bytes) else cast("IO[bytes]", data))
        facts = replace(facts, machine=_MACHINES.get(parsed["e_machine"], "other"))
        if problem := _truncation(parsed, len(data)):
            return replace(facts, problem=problem)
        elf = _Elf(data=data, segments=tuple(_segments(parsed)), tags=tuple(_tags(parsed)))
        if parsed.elfclass != 64 or not parsed.little_endian:
            return replace(facts, imports=tuple(Import(library=name) for name in elf.texts("DT_NEEDED")))
        return _all_facts(facts, parsed, elf)
    except Exception as error:  # noqa: BLE001 - pyelftools raises whatever its input provokes
        reason = (str(error) or type(error).__name__).splitlines()[0][:160]
        return replace(facts, problem=f"is not a valid ELF file: {reason}")


def _truncation(parsed: Any, size: int) -> str:
    table = parsed["e_shoff"] + parsed["e_shnum"] * parsed["e_shentsize"]
    if parsed["e_shoff"] and table > size:
        return f"is truncated: its section table ends at byte {table} of {size}"
    for segment in parsed.iter_segments("PT_LOAD"):
        end = segment["p_offset"] + segment["p_filesz"]
        if end > size:
            return f"is truncated: a segment ends at byte {end} of {size}"
    return ""


def _segments(parsed: Any) -> Iterator[_Segment]:
    for segment in parsed.iter_segments("PT_LOAD"):
        yield _Segment(
            offset=segment["p_offset"],
            address=segment["p_vaddr"],
            size=segment["p_filesz"],
            executable=bool(segment["p_flags"] & _EXECUTABLE),
        )


def _tags(parsed: Any) -> Iterator[tuple[str, int, str]]:
    for segment in parsed.iter_segments("PT_DYNAMIC"):
        for count, tag in enumerate(segment.iter_tags()):
            if count > _MAX_TAGS:
                return
            text = next((getattr(tag, n) for n in ("needed", "rpath", "runpath", "soname") if hasattr(tag, n)), "")
            yield str(tag.entry.d_tag), int(tag.entry.d_val), str(text)


def _all_facts(facts: Binary, parsed: Any, elf: _Elf) -> Binary:
    exports, imported = _symbols(elf, _symbol_count(parsed))
    facts = replace(
        facts,
        imports=tuple(Import(library=name) for name in elf.texts("DT_NEEDED")),
        exports={name: 0 for name, address in exports.items() if address},
        rpaths=elf.texts("DT_RPATH", "DT_RUNPATH"),
        needs=tuple(sorted(_version_needs(elf))),
        version=next(iter(elf.texts("DT_SONAME")), ""),
    )
    code = sum(s.size for s in elf.segments if s.executable)
    if facts.machine not in ("x64", "arm64") or max(code, len(elf.data) // 4) > limits.MAX_CODE:
        return facts
    arch: Literal["x64", "arm64"] = "x64" if facts.machine == "x64" else "arm64"
    if "OgaCreateModel" in facts.exports:
        facts = replace(facts, api_compiled=compiled_api(_image(elf, arch, imported.get("OrtGetApiBase"))))
    if "OrtGetApiBase" in facts.exports:
        facts = replace(facts, api_offered=offered_api(_image(elf, arch, None), exports["OrtGetApiBase"]))
    return facts


def _symbol_count(parsed: Any) -> int:
    for segment in parsed.iter_segments("PT_DYNAMIC"):
        return min(int(segment.num_symbols()), _MAX_SYMBOLS)
    return 0


def _symbols(elf: _Elf, count: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the exported names with their addresses, and the imported ones with their index in the symbol table."""
    table = elf.read(elf.number("DT_SYMTAB"), count * _SYMBOL.size)
    strings = elf.read(elf.number("DT_STRTAB"), elf.number("DT_STRSZ"))
    exports: dict[str, int] = {}
    imported: dict[str, int] = {}
    whole = len(table) // _SYMBOL.size * _SYMBOL.size
    for index, (name, info, _, section, value, _) in enumerate(_SYMBOL.iter_unpack(table[:whole])):
        if info >> 4 not in (_GLOBAL, _WEAK) or not name:
            continue
        text = strings[name : strings.find(b"\0", name)].decode("utf-8", "replace")
        if section:
            exports[text] = value
        else:
            imported[text] = index
    return exports, imported


def _version_needs(elf: _Elf) -> Iterator[str]:
    """Yield the required symbol versions, "GLIBC_2.28", from the chain at DT_VERNEED."""
    strings = elf.read(elf.number("DT_STRTAB"), elf.number("DT_STRSZ"))
    at = elf.number("DT_VERNEED")
    for _ in range(min(elf.number("DT_VERNEEDNUM"), _MAX_TAGS)):
        entry = elf.read(at, 16)
        if len(entry) < 16:
            return
        _, count, _, first, following = struct.unpack("<HHIII", entry)
        inner = at + first
        for _ in range(count):
            auxiliary = elf.read(inner, 16)
            if len(auxiliary) < 16:
                return
            _, _, _, name, next_one = struct.unpack("<IHHII", auxiliary)
            yield strings[name : strings.find(b"\0", name)].decode("ascii", "replace")
            inner += next_one
        at += following


def _image(elf: _Elf, arch: Literal["x64", "arm64"], imported: int | None) -> CodeImage:
    code = [s for s in elf.segments if s.executable]
    relocations = tuple(_relocations(elf))
    added = {place: addend for place, symbol, addend in relocations if symbol == 0}

    def read(address: int, size: int) -> bytes:
        plain = elf.read(address, size)
        if size == 8 and not any(plain) and address in added:  # a pointer that only its relocation knows
            return added[address].to_bytes(8, "little", signed=True)
        return plain

    return CodeImage(
        arch=arch,
        windows=False,
        segments=tuple((s.address, bytes(elf.data[s.offset : s.offset + s.size])) for s in code),
        read=read,
        slots=frozenset(place for place, symbol, _ in relocations if imported and symbol == imported),
        names=frozenset(_addresses_of(elf, b"OrtGetApiBase\0")),
    )


def _relocations(elf: _Elf) -> Iterator[tuple[int, int, int]]:
    """Yield (address, symbol index, addend) of all relocations with addends."""
    for table, size in (("DT_RELA", "DT_RELASZ"), ("DT_JMPREL", "DT_PLTRELSZ")):
        raw = elf.read(elf.number(table), elf.number(size))
        whole = len(raw) // _RELOCATION.size * _RELOCATION.size
        for place, info, addend in _RELOCATION.iter_unpack(raw[:whole]):
            yield place, info >> 32, addend


def _addresses_of(elf: _Elf, text: bytes) -> Iterator[int]:
    """Yield where a string constant, given with its NUL, is in memory: linkers may merge it into a longer one."""
    for part in elf.segments:
        at = elf.data.find(text, part.offset, part.offset + part.size)
        while at >= 0:
            yield part.address + at - part.offset
            at = elf.data.find(text, at + 1, part.offset + part.size)
