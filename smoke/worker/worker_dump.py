"""What a worker leaves behind: dump.json, and one .safetensors file of float32 logits per prompt."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SCHEMA = 2
RECORD = "export.json"
"""What an export says about itself: the kind, the model and its key."""


def collect_rows(blocks: Iterable[Any], first: int) -> Any:
    """Return the rows from position `first` on, out of blocks of consecutive rows, as one float32 array."""
    import numpy as np

    kept = []
    position = 0
    for block in blocks:
        skip = max(0, first - position)
        position += len(block)
        if skip < len(block):
            # A copy: the runtime may reuse the memory for its next step.
            kept.append(np.array(block[skip:], dtype=np.float32))
    return np.concatenate(kept)


def write_rows(path: Path, rows: Any) -> None:
    """Write a matrix as the tensor "logits" of a .safetensors file: float32, little-endian, row after row.

    Not by the library: the environments of most runtimes lack it, and one tensor needs no more than this.
    """
    import numpy as np

    whole = np.ascontiguousarray(rows, dtype="<f4")
    tensor = {"dtype": "F32", "shape": list(whole.shape), "data_offsets": [0, whole.nbytes]}
    header = json.dumps({"logits": tensor}).encode()
    header += b" " * (-len(header) % 8)  # so that the numbers lie at an address that may be mapped
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.write(whole.data)


def negative_log_likelihood(rows: Any, ids: Any) -> float:
    """Return the mean of -ln p(id) over rows of logits (positions, vocabulary) and the ids that came next."""
    import numpy as np

    total = 0.0
    for row, token in zip(rows, ids):  # noqa: B905 - Python 3.9; row by row: a whole block in float64 would double the peak memory
        wide = np.asarray(row, dtype=np.float64)
        top = wide.max()
        total += float(top + np.log(np.exp(wide - top).sum()) - wide[token])
    return total / len(ids)


def finite(value: float) -> float | None:
    """Return the number, or None for infinity and NaN, which JSON cannot hold."""
    return value if math.isfinite(value) else None


def origin(folder: str) -> dict[str, str]:
    """Return what the folder's record says it was made from: it travels with the files. {} without a record."""
    try:
        with Path(folder, RECORD).open(encoding="utf-8") as stream:
            return {str(k): v for k, v in json.load(stream).items() if isinstance(v, str)}
    except (OSError, ValueError, AttributeError):
        return {}


def write(folder: str, dump: dict[str, Any]) -> None:
    """Write dump.json in one go, so that a killed worker leaves no half of it."""
    partial = Path(folder, "dump.json.partial")
    with partial.open("w", encoding="utf-8") as stream:
        json.dump({"schema": SCHEMA, **dump}, stream, ensure_ascii=False, allow_nan=False)
    partial.replace(Path(folder, "dump.json"))
