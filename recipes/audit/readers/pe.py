"""Facts about a Windows binary, read with pefile: only the directories that the rules need are parsed."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from recipes.audit.readers import limits
from recipes.audit.readers.api_version import asked_agility, compiled_api, offered_api
from recipes.audit.readers.binary import Binary, Import, Machine
from recipes.audit.readers.code_image import CodeImage
from recipes.audit.readers.pe_bounds import debug_paths, unbounded

_MACHINES: dict[int, Machine] = {0x14C: "x86", 0x8664: "x64", 0xAA64: "arm64", 0x1C4: "arm", 0xA641: "arm64ec"}
_EXECUTABLE = 0x20000000
_MAX_EXPORTS = 60_000  # pefile's own limit of 8192 cuts off OpenBLAS; a table beyond ours counts as unknown
_FILE_VERSION = re.compile(rb"F\0i\0l\0e\0V\0e\0r\0s\0i\0o\0n\0\0\0(?:\0\0)*((?:[0-9.]\0){3,40})")


def read_pe(path: str, data: bytes | mmap.mmap) -> Binary:
    """Return the facts about a PE file; one that cannot be parsed has a `problem` and as many facts as were read."""
    import pefile

    blank = Binary(path=path, format="pe")
    try:
        parsed = pefile.PE(data=data, fast_load=True, max_symbol_exports=_MAX_EXPORTS)
        facts = _header_facts(blank, parsed)
        if problem := unbounded(parsed):
            return replace(facts, problem=f"is not looked at: it {problem}")
        parsed.parse_data_directories(directories=[0, 1, 13])
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - pefile raises whatever its input provokes
        return replace(blank, problem=f"is not a valid PE file: {_first_line(error)}")
    if problem := _truncation(parsed, len(data)):
        return replace(facts, problem=problem)
    try:
        return _all_facts(facts, parsed)
    except Exception as error:  # noqa: BLE001 - the same, for its lazily decoded structures
        return replace(facts, problem=f"has damaged tables: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip("'") or type(error).__name__).splitlines()[0][:160]


def _header_facts(blank: Binary, parsed: Any) -> Binary:
    optional = parsed.OPTIONAL_HEADER
    machine = _MACHINES.get(parsed.FILE_HEADER.Machine, "other")
    return replace(blank, machine=machine, runtime=(optional.MajorLinkerVersion, optional.MinorLinkerVersion))


def _truncation(parsed: Any, size: int) -> str:
    """Return which section lies outside the file: pefile only notes that as a warning."""
    for section in parsed.sections:
        end = section.PointerToRawData + section.SizeOfRawData
        if section.SizeOfRawData and end > size:
            name = section.Name.rstrip(b"\0").decode("ascii", "replace")
            return f"is truncated: section {name} ends at byte {end} of {size}"
    return "" if parsed.sections else "has no sections"


def _all_facts(facts: Binary, parsed: Any) -> Binary:
    imports = tuple(_imports(getattr(parsed, "DIRECTORY_ENTRY_IMPORT", ()), delayed=False))
    imports += tuple(_imports(getattr(parsed, "DIRECTORY_ENTRY_DELAY_IMPORT", ()), delayed=True))
    table = getattr(parsed, "DIRECTORY_ENTRY_EXPORT", None)
    whole = table is not None and table.struct.NumberOfNames <= _MAX_EXPORTS
    symbols = [s for s in table.symbols if s.name] if table and whole else []
    facts = replace(
        facts,
        machine=_hybrid(parsed, facts.machine),
        imports=imports,
        exports={s.name.decode("ascii", "replace"): s.ordinal for s in symbols},
        debug_path=next((path for path in debug_paths(parsed) if path), ""),
        version=_version(parsed),
    )
    return replace(facts, **_readings(facts, parsed, {s.name: s.address for s in symbols}))


def _imports(entries: Iterable[Any], *, delayed: bool) -> Iterable[Import]:
    for entry in entries:
        symbols = tuple(
            symbol.ordinal if symbol.import_by_ordinal else symbol.name.decode("ascii", "replace")
            for symbol in entry.imports
            if symbol.import_by_ordinal or symbol.name
        )
        yield Import(library=entry.dll.decode("ascii", "replace"), symbols=symbols, delayed=delayed)


def _hybrid(parsed: Any, machine: Machine) -> Machine:
    """Tell ARM64EC, which says x64 in its header and carries hybrid metadata, from real x64."""
    if machine != "x64":
        return machine
    parsed.parse_data_directories(directories=[10])
    config = getattr(parsed, "DIRECTORY_ENTRY_LOAD_CONFIG", None)
    return "arm64ec" if config and getattr(config.struct, "CHPEMetadataPointer", 0) else machine


def _version(parsed: Any) -> str:
    """Return the FileVersion text of the version resource: found by its name, the resource tree is not worth a walk."""
    section = next((s for s in parsed.sections if s.Name.startswith(b".rsrc")), None)
    found = _FILE_VERSION.search(section.get_data()[: 1 << 20]) if section else None
    return found[1].decode("utf-16-le").strip(".") if found else ""


def _readings(facts: Binary, parsed: Any, addresses: dict[bytes, int]) -> dict[str, Any]:
    """Read the numbers that matter out of the code of the few binaries that have them."""
    made: dict[str, Any] = {}
    base = parsed.OPTIONAL_HEADER.ImageBase
    if b"D3D12SDKVersion" in addresses:
        made["agility_carried"] = int.from_bytes(parsed.get_data(addresses[b"D3D12SDKVersion"], 4), "little")
    code = sum(s.SizeOfRawData for s in parsed.sections if s.Characteristics & _EXECUTABLE)
    if facts.machine not in ("x64", "arm64") or code > limits.MAX_CODE:
        return made
    if (runtime := facts.imported_from("onnxruntime.dll")) and "OgaCreateModel" in facts.exports:
        # One import alone is OrtGetApiBase, whatever its number; among several it is told by name or the usual number.
        wanted = runtime.symbols if len(runtime.symbols) == 1 else ("OrtGetApiBase", 1)
        made["api_compiled"] = compiled_api(_image(facts, parsed, "onnxruntime.dll", wanted))
    if (d3d12 := facts.imported_from("d3d12.dll")) and "D3D12GetInterface" in d3d12.symbols:
        made["agility_asked"] = asked_agility(_image(facts, parsed, "d3d12.dll", ("D3D12GetInterface",)))
    if b"OrtGetApiBase" in addresses:
        image = _image(facts, parsed, "", ())
        made["api_offered"] = offered_api(image, base + addresses[b"OrtGetApiBase"])
    return made


def _image(facts: Binary, parsed: Any, library: str, symbols: tuple[str | int, ...]) -> CodeImage:
    base = parsed.OPTIONAL_HEADER.ImageBase
    tables = [*getattr(parsed, "DIRECTORY_ENTRY_IMPORT", ()), *getattr(parsed, "DIRECTORY_ENTRY_DELAY_IMPORT", ())]
    slots = {
        symbol.address
        for entry in tables
        if entry.dll.decode("ascii", "replace").lower() == library
        for symbol in entry.imports
        if (symbol.ordinal if symbol.import_by_ordinal else symbol.name.decode("ascii", "replace")) in symbols
    }
    code = [s for s in parsed.sections if s.Characteristics & _EXECUTABLE]
    return CodeImage(
        arch="x64" if facts.machine == "x64" else "arm64",
        windows=True,
        segments=tuple((base + s.VirtualAddress, bytes(s.get_data())) for s in code),
        read=lambda address, size: bytes(parsed.get_data(address - base, size)),
        slots=frozenset(slots),
    )
