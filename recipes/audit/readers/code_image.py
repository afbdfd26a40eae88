"""The executable parts of a binary by address, and where they refer to given addresses.

Whole-program disassembly would take seconds; the few bytes that an instruction with a known target must contain are
searched for instead, and only what is found there is disassembled.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

_RIP_CALL = re.compile(rb"\xff\x15", re.DOTALL)
_RIP_JUMP = re.compile(rb"\xff\x25", re.DOTALL)
_RIP_LOAD = re.compile(rb"[\x48\x4c]\x8b[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)
_RIP_LEA = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]", re.DOTALL)
_CALL = re.compile(rb"\xe8", re.DOTALL)
_ENDBR64 = b"\xf3\x0f\x1e\xfa"
_MAX_STUBS = 16  # linkers make one or two
_ADRP_REACH = 12  # instructions between an ADRP and the one that uses its page


@dataclass(frozen=True, kw_only=True)
class CodeImage:
    """Machine code of a binary. Addresses are absolute, as if it were loaded at its preferred address.

    `segments` are (address, code); `read` gives bytes at an address ("" outside the file's contents); `slots` are the
    addresses of pointers that the loader fills with the function looked for, `names` those of its name as a string.
    """

    arch: Literal["x64", "arm64"]
    windows: bool
    segments: tuple[tuple[int, bytes], ...]
    read: Callable[[int, int], bytes]
    slots: frozenset[int] = frozenset()
    names: frozenset[int] = frozenset()

    def code_at(self, address: int, size: int) -> bytes:
        """Return up to `size` bytes of code at an address, none when it is not executable."""
        for base, code in self.segments:
            if base <= address < base + len(code):
                return bytes(code[address - base : address - base + size])
        return b""


def sites(image: CodeImage) -> tuple[list[int], frozenset[int]]:
    """Return the addresses where the code begins to use the function, and of the stubs that jump to it."""
    find = _x64_sites if image.arch == "x64" else _arm64_sites
    return find(image)


def _relative(image: CodeImage, pattern: re.Pattern[bytes], targets: Collection[int], skip: int) -> Iterator[int]:
    """Yield addresses of instructions that match and whose 32-bit displacement, `skip` bytes in, leads to a target."""
    unpack = struct.Struct("<i").unpack_from
    for base, code in image.segments:
        last = len(code) - skip - 4
        for match in pattern.finditer(code):
            at = match.start()
            if at <= last and base + at + skip + 4 + unpack(code, at + skip)[0] in targets:
                yield base + at


def _x64_sites(image: CodeImage) -> tuple[list[int], frozenset[int]]:
    stubs: set[int] = set()
    found: list[int] = []
    if image.slots:
        for address in _relative(image, _RIP_JUMP, image.slots, 2):
            stubs.add(address)
            for prefix in (b"\xf2", _ENDBR64, _ENDBR64 + b"\xf2"):  # how PLT stubs of Linux begin
                if image.code_at(address - len(prefix), len(prefix)) == prefix:
                    stubs.add(address - len(prefix))
        found += _relative(image, _RIP_CALL, image.slots, 2)
        found += _relative(image, _RIP_LOAD, image.slots, 3)
    if stubs:
        found += _relative(image, _CALL, stubs, 1)
    if image.names:
        found += _relative(image, _RIP_LEA, image.names, 3)
    return found, frozenset(stubs)


def _arm64_sites(image: CodeImage) -> tuple[list[int], frozenset[int]]:
    stubs: set[int] = set()
    found: list[int] = []
    for slot in image.slots:
        for start, use in _page_uses(image, slot, 0xF9400000, (slot & 0xFFF) >> 3):
            if any(word & 0xFFFFFC1F == 0xD61F0000 for word in _words(image.code_at(use + 4, 8))):  # BR
                stubs.add(start)
            else:
                found.append(start)
    for name in image.names:
        found += [start for start, _ in _page_uses(image, name, 0x91000000, name & 0xFFF)]
    for stub in sorted(stubs)[:_MAX_STUBS]:
        for base, code in image.segments:
            to_stub = ((stub - base) >> 2) & 0x3FFFFFF  # in a BL this much minus the instruction's own index
            words = _words(code)
            calls = [i for i, word in enumerate(words) if (word + i) & 0x3FFFFFF == to_stub and word >> 26 == 0x25]
            found += [base + 4 * i for i in calls]
    return found, frozenset(stubs)


def _words(code: bytes) -> array[int]:
    words = array("I")
    words.frombytes(code[: len(code) // 4 * 4])
    return words


def _page_uses(image: CodeImage, target: int, opcode: int, immediate: int) -> Iterator[tuple[int, int]]:
    """Yield (address of ADRP, address of the instruction that completes `target`) for a 64-bit ADD or LDR."""
    word = opcode | immediate << 10
    high = re.escape(bytes([word >> 16 & 0xFF, word >> 24]))
    register_bits = b"".join(re.escape(bytes([(word >> 8 & 0xFC) | low])) for low in range(4))
    pattern = re.compile(b"[" + register_bits + b"]" + high, re.DOTALL)
    for base, code in image.segments:
        for match in pattern.finditer(code):
            at = match.start() - 1
            if at % 4 or at < 0:
                continue
            register = int.from_bytes(code[at : at + 4], "little") >> 5 & 31
            for back in range(at - 4, max(at - 4 * _ADRP_REACH, 0) - 1, -4):
                if (
                    _adrp_page(int.from_bytes(code[back : back + 4], "little"), base + back, register)
                    == target & ~0xFFF
                ):
                    yield base + back, base + at
                    break


def _adrp_page(word: int, address: int, register: int) -> int | None:
    if word & 0x9F00001F != 0x90000000 | register:
        return None
    pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
    return (address & ~0xFFF) + ((pages - (1 << 21) if pages & 1 << 20 else pages) << 12)
