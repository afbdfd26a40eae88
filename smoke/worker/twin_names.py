"""Which of transformers' parameters a matrix of an export belongs to: by its name, and where both pack differently."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PACKED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
"""Matrices that one side keeps as one, in this order of rows, and the other apart."""
_LAYER = re.compile(r"(?:^|[./])layers\.(\d+)[./]")
_NOISE = re.compile(r"[./](?:MatMul.*|Gather\w*|weight.*)$")


class Piece:
    """Some rows of an exported matrix (`start` to `end`), and the rows of a parameter that they stand for."""

    def __init__(self, parameter: str, start: int, end: int, at: int) -> None:
        self.parameter, self.start, self.end, self.at = parameter, start, end, at


def pieces(name: str, shape: Sequence[int], parameters: Mapping[str, Sequence[int]]) -> list[Piece]:
    """Return where the rows of the exported matrix `name` of this `shape` belong; [] when that is not known.

    `parameters` are the names and shapes of the model's own matrices, "….weight".
    """
    layer, part = _layer(name), re.split(r"[./]", _NOISE.sub("", name.strip("/")))[-1]
    own = {_part(p): (p, s) for p, s in parameters.items() if _layer(p) == layer and s[1] == shape[1]}
    if part in own:
        parameter, size = own[part]
        return [Piece(parameter, 0, shape[0], 0)] if size[0] == shape[0] else []
    if part in PACKED:
        return _unpacked([own[p] for p in PACKED[part] if p in own], shape[0])
    for whole, parts in PACKED.items():
        if part in parts and whole in own:
            parameter, size = own[whole]
            return [Piece(parameter, 0, shape[0], _offset(parts, part, shape[0], size[0]))]
    return []


def _unpacked(owners: Sequence[tuple[str, Sequence[int]]], rows: int) -> list[Piece]:
    found, start = [], 0
    for parameter, size in owners:
        found.append(Piece(parameter, start, start + size[0], 0))
        start += size[0]
    return found if start == rows else []


def _offset(parts: Sequence[str], part: str, rows: int, total: int) -> int:
    """Return where a part begins in the whole: the first one at its start, the last at its end.

    Between them lies the key, which is as large as the value behind it.
    """
    if part == parts[0]:
        return 0
    return total - rows if part == parts[-1] else total - 2 * rows


def _layer(name: str) -> str:
    found = _LAYER.search(name)
    return found[1] if found else ""


def _part(parameter: str) -> str:
    return parameter.split(".")[-2]
