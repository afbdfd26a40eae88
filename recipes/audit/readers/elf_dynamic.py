"""The dynamic section of an ELF file, read from its raw tables within limits: a table may claim anything.

pyelftools reads a text for each tag and follows hash chains as far as they lead, so a small file can keep it busy for
hours. Here every text has a greatest length, all of them together too, and chains only lead forward.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from recipes.audit.readers import limits

SYMBOL = struct.Struct("<IBBHQQ")
RELOCATION = struct.Struct("<QQq")
MAX_TAGS = 10_000
MAX_SYMBOLS = 500_000
MAX_RELOCATIONS = 1_000_000
_WEAK, _GLOBAL = 2, 1

NEEDED, PLTRELSZ, HASH, STRTAB, SYMTAB, RELA, RELASZ, STRSZ = 1, 2, 4, 5, 6, 7, 8, 10
SONAME, RPATH, JMPREL, RUNPATH = 14, 15, 23, 29
GNU_HASH, VERNEED, VERNEEDNUM = 0x6FFFFEF5, 0x6FFFFFFE, 0x6FFFFFFF
VERDEF, VERDEFNUM = 0x6FFFFFFC, 0x6FFFFFFD


class UnboundedError(ValueError):
    """A table asks for more than any real library has; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A loaded part of the file: where it lies in the file and in memory, and whether it is executable."""

    offset: int
    address: int
    size: int
    executable: bool


@dataclass(kw_only=True)
class Image:
    """The file and its segments, by addresses in memory; `text_room` is how much text may still be read from it."""

    data: bytes | mmap.mmap
    segments: tuple[Segment, ...]
    tags: tuple[tuple[int, int], ...] = ()
    text_room: int = limits.MAX_NAMES
    _strings: bytes | None = field(default=None, repr=False)

    def read(self, address: int, size: int) -> bytes:
        """Return bytes at an address in memory, as far as the file has them."""
        for part in self.segments:
            if part.address <= address < part.address + part.size:
                start = part.offset + address - part.address
                return bytes(self.data[start : min(start + size, part.offset + part.size)])
        return b""

    def number(self, tag: int) -> int:
        """Return the number of a tag of the dynamic section, 0 when it has none."""
        return next((number for known, number in self.tags if known == tag), 0)

    def texts(self, *tags: int) -> tuple[str, ...]:
        """Return the texts of all tags of these kinds."""
        return tuple(self.text(number) for tag, number in self.tags if tag in tags)

    def text(self, offset: int) -> str:
        """Return a text of the string table. Raise UnboundedError beyond the limits."""
        if self._strings is None:
            if self.number(STRSZ) > limits.MAX_NAMES:
                raise UnboundedError(f"has a table of names of {self.number(STRSZ)} bytes, more than any library")
            self._strings = self.read(self.number(STRTAB), self.number(STRSZ))
        end = self._strings.find(b"\0", offset, offset + limits.MAX_SYMBOL + 1)
        if end < 0 and offset + limits.MAX_SYMBOL < len(self._strings):
            raise UnboundedError(f"has a name of more than {limits.MAX_SYMBOL} bytes")
        raw = self._strings[offset : end if end >= 0 else None]
        self.text_room -= len(raw)
        if self.text_room < 0:
            raise UnboundedError(f"names more than {limits.MAX_NAMES} bytes of symbols")
        return raw.decode("utf-8", "replace")


def dynamic_tags(raw: bytes, *, wide: bool, little: bool) -> Iterator[tuple[int, int]]:
    """Yield (tag, number) of the bytes of a dynamic section until its end tag."""
    entry = struct.Struct(("<" if little else ">") + ("QQ" if wide else "II"))
    whole = len(raw) // entry.size * entry.size
    for tag, number in entry.iter_unpack(raw[: min(whole, MAX_TAGS * entry.size)]):
        if not tag:
            return
        yield tag, number


def symbols(image: Image) -> tuple[dict[str, int], dict[str, int]]:
    """Return the exported names with their addresses, and the imported ones with their index in the symbol table."""
    table = image.read(image.number(SYMTAB), _symbol_count(image) * SYMBOL.size)
    exports: dict[str, int] = {}
    imported: dict[str, int] = {}
    whole = len(table) // SYMBOL.size * SYMBOL.size
    for index, (name, info, _, section, value, _) in enumerate(SYMBOL.iter_unpack(table[:whole])):
        if info >> 4 not in (_GLOBAL, _WEAK) or not name:
            continue
        if section:
            exports[image.text(name)] = value
        else:
            imported[image.text(name)] = index
    return exports, imported


def _symbol_count(image: Image) -> int:
    """Return how many symbols there are, as the hash tables say: nothing else does."""
    head = image.read(image.number(HASH), 8) if image.number(HASH) else b""
    if len(head) == 8:
        return min(int.from_bytes(head[4:], "little"), MAX_SYMBOLS)
    at = image.number(GNU_HASH)
    head = image.read(at, 16) if at else b""
    if len(head) < 16:
        return 0
    buckets, first, bloom, _ = struct.unpack("<IIII", head)
    at += 16 + 8 * bloom
    raw = image.read(at, 4 * min(buckets, MAX_SYMBOLS))
    last = max(struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4]), default=0)
    if last < first:
        return min(int(first), MAX_SYMBOLS)
    chain = image.read(at + 4 * buckets + 4 * (last - first), 4 * MAX_SYMBOLS)
    end = next((n for n in range(0, len(chain) - 3, 4) if chain[n] & 1), len(chain))
    return min(int(last) + 1 + end // 4, MAX_SYMBOLS)


def version_needs(image: Image) -> Iterator[tuple[str, str]]:
    """Yield (library, needed symbol version), ("libc.so.6", "GLIBC_2.28"), from the chain at DT_VERNEED."""
    left = MAX_TAGS
    at = image.number(VERNEED)
    for _ in range(min(image.number(VERNEEDNUM), MAX_TAGS)):
        entry = image.read(at, 16)
        if len(entry) < 16:
            return
        _, count, library, first, following = struct.unpack("<HHIII", entry)
        inner = at + first
        for _ in range(count):
            auxiliary = image.read(inner, 16)
            left -= 1
            if len(auxiliary) < 16 or left < 0:
                break
            _, _, _, name, next_one = struct.unpack("<IHHII", auxiliary)
            yield image.text(library), image.text(name)
            if not next_one:
                break
            inner += next_one
        if not following or left < 0:
            return
        at += following


def version_definitions(image: Image) -> Iterator[str]:
    """Yield the symbol versions that the library defines, from the chain at DT_VERDEF."""
    at = image.number(VERDEF)
    for _ in range(min(image.number(VERDEFNUM), MAX_TAGS)):
        entry = image.read(at, 20)
        if len(entry) < 20:
            return
        first, following = struct.unpack("<II", entry[12:])
        name = image.read(at + first, 4)
        if len(name) == 4:
            yield image.text(int.from_bytes(name, "little"))
        if not following:
            return
        at += following


def relocations(image: Image) -> Iterator[tuple[int, int, int]]:
    """Yield (address, symbol index, addend) of all relocations with addends."""
    for table, size in ((RELA, RELASZ), (JMPREL, PLTRELSZ)):
        raw = image.read(image.number(table), min(image.number(size), MAX_RELOCATIONS * RELOCATION.size))
        whole = len(raw) // RELOCATION.size * RELOCATION.size
        for place, info, addend in RELOCATION.iter_unpack(raw[:whole]):
            yield place, info >> 32, addend
