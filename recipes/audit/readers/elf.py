"""Facts about a Linux binary: headers by pyelftools, its dynamic section by `elf_dynamic`."""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import IO, Any, Literal, cast

from recipes.audit.readers import limits
from recipes.audit.readers.api_version import compiled_api, offered_api
from recipes.audit.readers.binary import Binary, Import, Machine
from recipes.audit.readers.code_image import CodeImage
from recipes.audit.readers.elf_dynamic import (
    MAX_TAGS,
    NEEDED,
    RPATH,
    RUNPATH,
    SONAME,
    Image,
    Segment,
    UnboundedError,
    dynamic_tags,
    relocations,
    symbols,
    version_definitions,
    version_needs,
)

_MACHINES: dict[str, Machine] = {"EM_X86_64": "x64", "EM_AARCH64": "arm64", "EM_386": "x86", "EM_ARM": "arm"}
_EXECUTABLE = 1
_C23 = "__isoc23_"  # what headers of glibc 2.38 and later make of strtol and scanf
_MAX_C23 = 20
_MAX_PLACES = 64  # one, in real libraries


def read_elf(path: str, data: bytes | mmap.mmap) -> Binary:
    """Return the facts about an ELF file; one that cannot be parsed has a `problem` and as many facts as were read."""
    from elftools.elf.elffile import ELFFile

    facts = Binary(path=path, format="elf")
    try:
        parsed = ELFFile(io.BytesIO(data) if isinstance(data, bytes) else cast("IO[bytes]", data))
        facts = replace(facts, machine=_MACHINES.get(parsed["e_machine"], "other"))
        if problem := _truncation(parsed, len(data)):
            return replace(facts, problem=problem)
        wide, little = parsed.elfclass == 64, parsed.little_endian
        elf = Image(data=data, segments=tuple(_segments(parsed)))
        elf.tags = tuple(dynamic_tags(_dynamic(parsed, data), wide=wide, little=little))
        if not (wide and little):
            return replace(facts, imports=tuple(Import(library=name) for name in elf.texts(NEEDED)))
        return _all_facts(facts, elf)
    except UnboundedError as error:
        return replace(facts, problem=f"is not looked at: it {error}")
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - pyelftools raises whatever its input provokes
        reason = (str(error) or type(error).__name__).splitlines()[0][:160]
        return replace(facts, problem=f"is not a valid ELF file: {reason}")


def _truncation(parsed: Any, size: int) -> str:
    if parsed["e_phnum"] > limits.MAX_SEGMENTS:
        return f"has {parsed['e_phnum']} segments, more than any library"
    table = parsed["e_shoff"] + parsed["e_shnum"] * parsed["e_shentsize"]
    if parsed["e_shoff"] and table > size:
        return f"is truncated: its section table ends at byte {table} of {size}"
    loaded = 0
    for segment in parsed.iter_segments("PT_LOAD"):
        end = segment["p_offset"] + segment["p_filesz"]
        loaded += segment["p_filesz"]
        if end > size:
            return f"is truncated: a segment ends at byte {end} of {size}"
    return "" if loaded <= 2 * size else f"loads {loaded} bytes from a file of {size}"


def _segments(parsed: Any) -> Iterator[Segment]:
    for segment in parsed.iter_segments("PT_LOAD"):
        yield Segment(
            offset=segment["p_offset"],
            address=segment["p_vaddr"],
            size=segment["p_filesz"],
            executable=bool(segment["p_flags"] & _EXECUTABLE),
        )


def _dynamic(parsed: Any, data: bytes | mmap.mmap) -> bytes:
    for segment in parsed.iter_segments("PT_DYNAMIC"):
        size = min(segment["p_filesz"], MAX_TAGS * 16)
        return bytes(data[segment["p_offset"] : segment["p_offset"] + size])
    return b""


def _all_facts(facts: Binary, elf: Image) -> Binary:
    exports, imported = symbols(elf)
    needed = list(version_needs(elf))
    facts = replace(
        facts,
        imports=tuple(Import(library=name) for name in elf.texts(NEEDED)),
        exports={name: 0 for name, address in exports.items() if address},
        rpaths=elf.texts(RPATH, RUNPATH),
        needs=tuple(sorted({version for _, version in needed})),
        suppliers=tuple(sorted({(library, version) for library, version in needed})),
        defines=tuple(version_definitions(elf)),
        c23=tuple(sorted(name for name in imported if name.startswith(_C23)))[:_MAX_C23],
        version=next(iter(elf.texts(SONAME)), ""),
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


def _image(elf: Image, arch: Literal["x64", "arm64"], imported: int | None) -> CodeImage:
    code = [s for s in elf.segments if s.executable]

    def read(address: int, size: int) -> bytes:
        plain = elf.read(address, size)
        if size == 8 and not any(plain):  # perhaps a pointer that only its relocation knows
            added = next((n for place, symbol, n in relocations(elf) if place == address and symbol == 0), None)
            return plain if added is None else added.to_bytes(8, "little", signed=True)
        return plain

    return CodeImage(
        arch=arch,
        windows=False,
        segments=tuple((s.address, bytes(elf.data[s.offset : s.offset + s.size])) for s in code),
        read=read,
        slots=frozenset(place for place, symbol, _ in relocations(elf) if imported and symbol == imported),
        names=frozenset(islice(_addresses_of(elf, b"OrtGetApiBase\0"), _MAX_PLACES)),
    )


def _addresses_of(elf: Image, text: bytes) -> Iterator[int]:
    """Yield where a string constant, given with its NUL, is in memory: linkers may merge it into a longer one."""
    for part in elf.segments:
        at = elf.data.find(text, part.offset, part.offset + part.size)
        while at >= 0:
            yield part.address + at - part.offset
            at = elf.data.find(text, at + 1, part.offset + part.size)
