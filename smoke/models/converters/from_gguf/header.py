"""Reads the header of a GGUF file: its key-value pairs, and where each tensor lies. Nothing but the standard library.

Used before a conversion, in this program, and by the conversion itself: what was checked is what is converted. Every
length in the file is held against the file's size first, so that a damaged one costs neither time nor memory.
"""

from __future__ import annotations

import math
import mmap
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"GGUF"
_PAIRS, _TENSORS, _ELEMENTS, _LIST, _TEXT, _TEXTS = 20_000, 100_000, 4_000_000, 1_200_000, 40_000_000, 60_000_000
"""More than any model has: pairs, tensors, elements of an array, texts in a list, bytes of a text, of all texts."""
_DIMENSIONS = 4
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY, _BOOL = 8, 9, 7
TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2), 28: ("F64", 1, 8),
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 29: ("IQ1_M", 256, 56), 34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip
"""How a tensor is stored, by number: its name, the numbers in a block, the bytes of a block."""


class DamagedError(ValueError):
    """The file is no whole GGUF file; the message says what is the matter, to follow its name."""


@dataclass(frozen=True)
class Tensor:
    """One tensor; `shape` as numpy has it, slowest dimension first; `start` and `size` in bytes of the file."""

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int
    size: int


@dataclass(frozen=True)
class GgufFile:
    """A file's key-value pairs and tensors."""

    fields: dict[str, Any]
    tensors: tuple[Tensor, ...]


def read(path: Path) -> GgufFile:
    """Return what a file holds. Raise DamagedError when it is no whole GGUF file, OSError when it cannot be read."""
    with path.open("rb") as stream:
        if stream.read(4) != MAGIC:
            raise DamagedError("is no GGUF file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Reader(content).file()


class _Reader:
    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._at = 4
        self._text = 0

    def _take(self, code: str) -> Any:
        size = struct.calcsize("<" + code)
        if self._at + size > len(self._content):
            raise DamagedError("is truncated: it ends in the middle of its header")
        (value,) = struct.unpack_from("<" + code, self._content, self._at)
        self._at += size
        return value

    def _count(self, most: int, what: str) -> int:
        value = int(self._take("Q"))
        if value > most:
            raise DamagedError(f"is damaged: it says that it has {value} {what}")
        return value

    def _bytes(self, size: int) -> bytes:
        if self._at + size > len(self._content):
            raise DamagedError("is truncated: it ends in the middle of its header")
        self._at += size
        return self._content[self._at - size : self._at]

    def _string(self) -> str:
        size = self._count(_TEXT, "bytes in a text")
        self._text += size
        if self._text > _TEXTS:
            raise DamagedError("is damaged: its texts are longer than those of any model")
        return self._bytes(size).decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            inner = self._take("I")
            count = self._count(_ELEMENTS, "elements in an array")
            if inner == _STRING and count > _LIST:
                raise DamagedError(f"is damaged: it says that it has {count} texts in a list")
            if inner == _STRING:
                return [self._string() for _ in range(count)]
            return self._array(inner, count)
        if kind not in _SCALARS:
            raise DamagedError(f"is damaged: it has a value of type {kind}, which GGUF does not have")
        return self._take(_SCALARS[kind])

    def _array(self, inner: int, count: int) -> list[Any]:
        if inner not in _SCALARS:
            raise DamagedError(f"is damaged: it has an array of type {inner}, which is not known")
        code = _SCALARS[inner]
        if inner == _BOOL:
            return [bool(byte) for byte in self._bytes(count)]
        size = struct.calcsize("<" + code)
        if struct.calcsize(code) == size and struct.pack("=H", 1) == b"\1\0":
            found = array(code)
            found.frombytes(self._bytes(count * size))
            return found.tolist()
        return list(struct.unpack(f"<{count}{code}", self._bytes(count * size)))

    def file(self) -> GgufFile:
        version = self._take("I")
        if version not in {2, 3}:
            swapped = " (its bytes are in the order of big-endian machines)" if version in {2 << 24, 3 << 24} else ""
            raise DamagedError(f"is of GGUF version {version}{swapped}; 2 and 3 are known here")
        tensors = self._count(_TENSORS, "tensors")
        pairs = self._count(_PAIRS, "key-value pairs")
        fields: dict[str, Any] = {}
        for _ in range(pairs):
            name = self._string()
            if name in fields:
                raise DamagedError(f"is damaged: it says {name} twice")
            fields[name] = self._value(self._take("I"))
        described = [self._tensor() for _ in range(tensors)]
        alignment = fields.get("general.alignment", 32)
        if isinstance(alignment, bool) or not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20:
            raise DamagedError(f"is damaged: general.alignment is {alignment!r:.40}")
        start = -(-self._at // alignment) * alignment
        return GgufFile(fields, self._placed(described, start))

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._string()
        count = self._take("I")
        if not 1 <= count <= _DIMENSIONS:
            raise DamagedError(f"is damaged: the tensor '{name:.80}' has {count} dimensions")
        shape = tuple(int(self._take("Q")) for _ in range(count))[::-1]
        return name, shape, int(self._take("I")), int(self._take("Q"))

    def _placed(self, described: list[tuple[str, tuple[int, ...], int, int]], start: int) -> tuple[Tensor, ...]:
        names = set()
        found = []
        for name, shape, kind, offset in described:
            if name in names:
                raise DamagedError(f"is damaged: it has the tensor '{name:.80}' twice")
            names.add(name)
            if kind not in TYPES:
                raise DamagedError(f"stores the tensor '{name:.80}' in the type {kind}, which is not known here")
            called, block, size = TYPES[kind]
            if shape[-1] % block or not 0 < math.prod(shape) < 1 << 40:
                sizes = " x ".join(map(str, shape))
                raise DamagedError(f"is damaged: the tensor '{name:.80}' is of {sizes} in {called}")
            length = math.prod(shape) // block * size
            if start + offset + length > len(self._content):
                raise DamagedError(
                    f"is truncated: the tensor '{name:.80}' ends at byte {start + offset + length}, the file at "
                    f"{len(self._content)}"
                )
            found.append(Tensor(name, shape, kind, start + offset, length))
        return tuple(found)
