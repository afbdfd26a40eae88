"""How far two values are apart, and how far they may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

TOLERANCES = {"float64": 1e-5, "float32": 1e-5, "float16": 2e-2}
"""By type, as a part of the largest number in a row. Two roundings of fp16 are 1e-3; sums in another order are more."""
ONE_SUM_IN_FP16 = 7.4e-4
"""Times the root of their number, what products in fp16 may be off that are added one after the other: twice what was
measured (docs/operators.md), for a row may be smaller than the matrix."""
KERNELS_OF_FOUR_BITS = 3e-2
"""For quantised products on two providers: one of them may round what it multiplies to eight bits."""
QUANTISED = 0.6
"""For a quantised operator beside one that is not: what four bits cost."""
FLOOR = {"float16": 1e-2, "float32": 1e-4}
"""Rows smaller than this part of the largest one are held to that: they are what large numbers left over."""


@dataclass(frozen=True, kw_only=True)
class Apart:
    """The largest error of a value, as a part of the largest number in its row; where (index of the row)."""

    error: float
    row: tuple[int, ...] = ()
    largest: float = 0.0


def apart(ours: Any, right: Any) -> Apart:
    """Return how far `ours` is from what is right; infinite for another shape, or where one is no number."""
    import numpy as np

    if ours.shape != right.shape:
        return Apart(error=float("inf"))
    if ours.dtype.kind != "f" or right.dtype.kind != "f":
        wrong = ours.astype(np.int64) != right.astype(np.int64)
        where = np.argwhere(wrong)
        return Apart(error=float("inf") if wrong.any() else 0.0, row=_index(where[0][:-1]) if len(where) else ())
    if right.size == 0:
        return Apart(error=0.0)
    kind = min((ours.dtype, right.dtype), key=lambda dtype: dtype.itemsize)
    a, b = (np.atleast_1d(array).astype(np.float64) for array in (ours, right))
    agreed = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.where(agreed, 0.0, np.abs(a - b)).max(-1)
    finite = np.where(np.isfinite(b), np.abs(b), 0.0).max(-1)
    scale = np.maximum(finite, finite.max() * FLOOR.get(kind.name, 1e-4))
    error = np.where(np.isfinite(off), off, np.inf) / np.where(scale > 0, scale, 1.0)
    worst = np.unravel_index(int(error.argmax()), error.shape)
    return Apart(error=float(error[worst]), row=_index(worst), largest=float(finite[worst]))


def _index(row: Iterable[Any]) -> tuple[int, ...]:
    return tuple(int(i) for i in row)


def tolerance(kinds: Iterable[str], products: int, operators: tuple[str, str], *, alike: bool = False) -> float:
    """Return what an operator's error may be, by the types it takes and gives, and the numbers that it adds up.

    `operators`: what it is, and what it is in the other graph. `alike`: both run on one provider.
    """
    ours, theirs = ("NBits" in name or "Quantized" in name for name in operators)
    if ours != theirs:
        return QUANTISED
    floats = [kind for kind in kinds if kind in TOLERANCES]
    allowed = max((TOLERANCES[kind] for kind in floats), default=0.0)
    if "float16" in floats and "MatMul" in operators[0]:
        allowed = max(allowed, ONE_SUM_IN_FP16 * products**0.5)
    return max(allowed, KERNELS_OF_FOUR_BITS) if ours and not alike else allowed
