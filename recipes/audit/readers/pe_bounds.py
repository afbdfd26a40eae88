"""Whether a Windows binary's tables are of a size that pefile should be asked to read: it builds an object per row.

Only the rows' places are looked at here, as raw bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from recipes.audit.readers import limits

MAX_LIBRARIES = 1000
MAX_IMPORTS = 100_000
MAX_DEBUG = 64
_IMPORT, _DEBUG, _DELAY = 1, 6, 13
_DESCRIPTORS = {_IMPORT: (20, 0), _DELAY: (32, 16)}
"""Size of a descriptor, and where in it the address of the table of names is, of each import directory."""
_DEBUG_ENTRY = struct.Struct("<IIHHIIII")
_CODEVIEW, _PDB_PATH = 2, 24


def unbounded(parsed: Any) -> str:
    """Return why the directories are not to be parsed ("" when they may be)."""
    if len(parsed.sections) > limits.MAX_SEGMENTS:
        return f"has {len(parsed.sections)} sections, more than any library"
    entries = _size(parsed, _DEBUG) // _DEBUG_ENTRY.size
    if entries > MAX_DEBUG:
        return f"has {entries} debug entries, more than any library"
    symbols = 0
    for directory in _DESCRIPTORS:
        for count, table in enumerate(_tables(parsed, directory), 1):
            symbols += _length(parsed, table)
            if count > MAX_LIBRARIES or symbols > MAX_IMPORTS:
                return "imports from more libraries, or more from them, than any library"
    return ""


def debug_paths(parsed: Any) -> Iterator[str]:
    """Yield the paths of PDB files that the debug directory names."""
    for n in range(min(_size(parsed, _DEBUG) // _DEBUG_ENTRY.size, MAX_DEBUG)):
        raw = _bytes(parsed, _address(parsed, _DEBUG) + n * _DEBUG_ENTRY.size, _DEBUG_ENTRY.size)
        if len(raw) < _DEBUG_ENTRY.size:
            return
        kind, size, offset = _DEBUG_ENTRY.unpack(raw)[4], *_DEBUG_ENTRY.unpack(raw)[5:8:2]
        data = bytes(parsed.__data__[offset : offset + min(size, limits.MAX_NAME)])
        if kind == _CODEVIEW and data[:4] == b"RSDS":
            yield data[_PDB_PATH:].partition(b"\0")[0].decode("utf-8", "replace")


def _address(parsed: Any, directory: int) -> int:
    known = parsed.OPTIONAL_HEADER.DATA_DIRECTORY
    return int(known[directory].VirtualAddress) if directory < len(known) else 0


def _size(parsed: Any, directory: int) -> int:
    known = parsed.OPTIONAL_HEADER.DATA_DIRECTORY
    return int(known[directory].Size) if directory < len(known) else 0


def _bytes(parsed: Any, address: int, size: int) -> bytes:
    import pefile

    try:
        return bytes(parsed.get_data(address, size))
    except pefile.PEFormatError:
        return b""


def _tables(parsed: Any, directory: int) -> Iterator[int]:
    """Yield the address of each library's table of imported names, one too many at most."""
    size, place = _DESCRIPTORS[directory]
    at = _address(parsed, directory)
    if not at:
        return
    raw = _bytes(parsed, at, size * (MAX_LIBRARIES + 2))
    for start in range(0, len(raw) - size + 1, size):
        row = raw[start : start + size]
        if not any(row):
            return
        names = int.from_bytes(row[place : place + 4], "little")
        yield names or (int.from_bytes(row[16:20], "little") if directory == _IMPORT else 0)


def _length(parsed: Any, table: int) -> int:
    """Return how many entries a table of 8-byte (or 4-byte) thunks has before its end, as far as it matters."""
    wide = parsed.OPTIONAL_HEADER.Magic == 0x20B
    size = 8 if wide else 4
    raw = _bytes(parsed, table, size * (MAX_IMPORTS + 1))
    end = next((n for n in range(0, len(raw) - size + 1, size) if not any(raw[n : n + size])), len(raw))
    return end // size
