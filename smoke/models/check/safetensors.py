"""Is a .safetensors file whole, and what is in it? From its header and its size, without reading the weights."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from smoke.models.check import foreign
from wheelhouse.errors import InputError

_HEADER_LIMIT = 100_000_000
_TENSORS = 100_000
"""More than any file of any model has."""
_REMEDY = "Copy or download the file again."
_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8,
    "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4, "C64": 64,
}  # fmt: skip

_Size = Annotated[int, Meta(ge=0)]


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[_Size, ...]
    data_offsets: tuple[_Size, _Size]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor of a file: its type, its shape, and from which byte of the file to which it goes."""

    dtype: str
    shape: tuple[int, ...]
    span: tuple[int, int]

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def tensors(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of a .safetensors file. Raise InputError, saying what is wrong, unless the file is whole.

    Whole means: the header is complete JSON, every tensor's byte range fits its type and shape, the ranges follow
    each other without a gap, and the file ends where the last one does.
    """
    try:
        return _tensors(path)
    except InputError as error:
        stranger = foreign.form(path)  # not before: the length at the start of a whole file may look like anything
        if stranger is None:
            raise
        raise InputError(f"{path} {stranger.what}.", remedy=stranger.remedy) from error


def _tensors(path: Path) -> Mapping[str, Tensor]:
    size, length, found = _read(path)
    start = 8 + length
    expected = start + _end_of_data(path, found)
    if size != expected:
        what = "truncated" if size < expected else "too long"
        raise InputError(f"{path} is {what}: {size} bytes, its header says {expected}.", remedy=_REMEDY)
    return {
        name: Tensor(dtype=t.dtype, shape=t.shape, span=(start + t.data_offsets[0], start + t.data_offsets[1]))
        for name, t in found.items()
    }


def _read(path: Path) -> tuple[int, int, dict[str, _Tensor]]:
    """Return the file's size and the header's length in bytes, and the tensors."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            header = stream.read(length) if 0 < length <= min(size, _HEADER_LIMIT) else b""
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if not header or len(header) != length:
        raise InputError(f"{path} is truncated: its header is cut off ({size} bytes).", remedy=_REMEDY)
    return size, length, _decode(path, header)


def _decode(path: Path, header: bytes) -> dict[str, _Tensor]:
    try:
        entries = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        if len(entries) > _TENSORS:
            raise InputError(f"{path} is damaged: its header names {len(entries)} tensors.", remedy=_REMEDY)
        return {k: msgspec.json.decode(raw, type=_Tensor) for k, raw in entries.items() if k != "__metadata__"}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is damaged: its header cannot be read ({error}).", remedy=_REMEDY) from error


def _end_of_data(path: Path, tensors: dict[str, _Tensor]) -> int:
    """Return the number of bytes that the tensors take together."""
    position = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        begin, end = tensor.data_offsets
        if begin != position or end < begin:
            raise InputError(f"{path} is damaged: tensor '{name}' overlaps another or leaves a gap.", remedy=_REMEDY)
        bits = _BITS.get(tensor.dtype)
        if bits is not None and math.prod(tensor.shape) * bits != (end - begin) * 8:
            raise InputError(f"{path} is damaged: tensor '{name}' has a size unlike its shape.", remedy=_REMEDY)
        position = end
    return position
